from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gennas.errors import ConfigError, InvalidArchitectureError, UnknownNameError
from gennas.graph import Architecture, GraphSchema, Population
from gennas.spaces import SPACES, NASBench201, Space, TaskSpec, make_space


class Twins(Space):
    """Two decisions of three labels; equal pairs up to order are one architecture, and (2, 2) is invalid."""

    name = "twins"

    def __init__(self) -> None:
        edge_mask = np.zeros((2, 2, 2), dtype=bool)
        edge_mask[..., 0] = True
        edge_mask[0, 1] = [False, True]
        self.schema = GraphSchema(self.name, ("a", "b", "c"), ("none", "edge"), np.ones((2, 3), bool), edge_mask)

    def legal(self, D: np.ndarray, t: int) -> np.ndarray:
        mask = np.ones((len(D), 3), dtype=bool)
        if t == 1:
            mask[:, 2] = D[:, 0] != 2
        return mask

    def canonical(self, population: Population) -> Population:
        return Population.from_decisions(self.schema, np.sort(population.decisions, axis=1))

    def build(self, arch: Architecture, spec: TaskSpec):  # type: ignore[no-untyped-def]
        raise ConfigError("Twins has no networks.")


@pytest.fixture
def twins() -> Twins:
    return Twins()


def test_space_without_counts_says_so(twins: Twins) -> None:
    assert twins.size is None
    assert not twins.samples_uniformly
    assert NASBench201().samples_uniformly


def test_validity_follows_legality(twins: Twins) -> None:
    D = np.array([[0, 2], [2, 0], [2, 2]])
    assert twins.is_valid(Population.from_decisions(twins.schema, D)).tolist() == [True, True, False]
    with pytest.raises(InvalidArchitectureError, match="not a valid architecture"):
        twins.architecture([2, 2])
    with pytest.raises(InvalidArchitectureError, match="expected 2 decisions, got 3"):
        twins.architecture([0, 1, 1])


def test_labels_outside_the_schema_are_not_valid(twins: Twins) -> None:
    population = Population.from_decisions(twins.schema, np.array([[0, 1], [0, 3], [-1, 1]]))
    assert twins.is_valid(population).tolist() == [True, False, False]


def test_architectures_come_canonical(twins: Twins, rng: np.random.Generator) -> None:
    assert twins.architecture([1, 0]) == twins.architecture([0, 1])
    sample = twins.sample(500, rng)
    assert {tuple(row) for row in sample.decisions.tolist()} == {(0, 0), (0, 1), (0, 2), (1, 1), (1, 2)}


def test_neighbours_are_complete_and_canonical(twins: Twins) -> None:
    near = twins.neighbours(twins.architecture([0, 1]))
    # First decision: (1, 1), (2, 1) -> (1, 2); second: (0, 0), (0, 2).
    assert {tuple(row) for row in near.decisions.tolist()} == {(0, 0), (0, 2), (1, 1), (1, 2)}


def test_mutants_differ_even_where_edits_are_undone(twins: Twins, rng: np.random.Generator) -> None:
    parents = twins.sample(400, rng)
    mutants = twins.mutate(parents, rng)
    assert twins.is_valid(mutants).all()
    assert all(a != b for a, b in zip(parents.keys, mutants.keys, strict=True))


class OneWayOut(NASBench201):
    """Every cell but the first of a million is mapped to the empty one: random edits hardly ever help."""

    def canonical(self, population: Population) -> Population:
        D = population.decisions.copy()
        lone = (D == [0, 0, 0, 0, 0, 4]).all(axis=1)
        return Population.from_decisions(self.schema, np.where(lone[:, None], D, 0))


def test_mutation_finds_the_only_neighbour(rng: np.random.Generator) -> None:
    space = OneWayOut()
    empty = Population.from_decisions(space.schema, np.zeros((200, 6), dtype=np.int16))
    assert len(space.neighbours(empty[0])) == 1
    assert set(space.mutate(empty, rng).decisions[:, -1].tolist()) == {4}


def test_crossover_takes_every_decision_from_a_parent(rng: np.random.Generator) -> None:
    space = NASBench201()
    a, b = space.sample(100, rng), space.sample(100, rng)
    child = space.crossover(a, b, rng).decisions
    assert ((child == a.decisions) | (child == b.decisions)).all()
    assert (child != a.decisions).any() and (child != b.decisions).any()


def test_crossover_stays_legal(twins: Twins, rng: np.random.Generator) -> None:
    a, b = twins.sample(300, rng), twins.sample(300, rng)
    assert twins.is_valid(twins.crossover(a, b, rng)).all()


def test_default_text_names_every_decision(twins: Twins) -> None:
    assert twins.to_text(twins.architecture([2, 0])) == "a/c"
    with pytest.raises(InvalidArchitectureError, match="expected 2 labels"):
        twins.from_text("a")
    with pytest.raises(InvalidArchitectureError, match="takes one of a, b, c; got 'd'"):
        twins.from_text("a/d")


def test_registry_and_factory(tmp_path: Path) -> None:
    assert {"nasbench201", "macro-chain"} <= set(SPACES)
    assert make_space("nasbench201", width=8).width == 8
    assert make_space("gennas.spaces.nasbench201.space:NASBench201").name == "nasbench201"
    with pytest.raises(UnknownNameError, match="Did you mean nasbench201"):
        make_space("nasbench-201")
    with pytest.raises(ConfigError, match="Unknown option 'widht' of space 'nasbench201'"):
        make_space("nasbench201", widht=8)
    with pytest.raises(ConfigError, match=r"subclass of gennas\.spaces\.Space"):
        make_space("collections:OrderedDict")
    file = tmp_path / "mine.py"
    file.write_text("from gennas.spaces import NASBench201\nclass Mine(NASBench201):\n    name = 'mine'\n")
    assert make_space(f"{file}:Mine", num_cells=1).name == "mine"


def test_task_spec_checks_images() -> None:
    assert TaskSpec("image", (3, 4, 4), 2).image_channels("x") == 3
    with pytest.raises(ConfigError, match="x has networks for images only"):
        TaskSpec("image", (3, 4), 2).image_channels("x")


def test_importing_spaces_leaves_torch_alone() -> None:
    code = (
        "import sys, gennas.spaces, gennas.graph; print(sorted({'torch', 'networkx', 'matplotlib'} & set(sys.modules)))"
    )
    reply = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert reply.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201", "macro-chain", "nasbench-graph"])
def test_scaled_networks_are_narrower_and_architectures_stay(name: str) -> None:
    from gennas.spaces import make_space

    space = make_space(name)
    half = space.scaled(0.5)
    arch = space.sample(1, np.random.default_rng(0))[0]
    assert half.schema.fingerprint == space.schema.fingerprint
    spec = TaskSpec("node", (20,), 3) if name == "nasbench-graph" else TaskSpec("image", (1, 8, 8), 3)
    sizes = [sum(p.numel() for p in s.build(arch, spec).parameters()) for s in (half, space)]
    assert sizes[0] < sizes[1]


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201", "macro-chain"])
def test_scaled_networks_are_shallower_and_run(name: str) -> None:
    import torch

    from gennas.spaces import make_space

    space, spec = make_space(name), TaskSpec("image", (1, 8, 8), 3)
    arch = space.sample(1, np.random.default_rng(0))[0]
    networks = [s.build(arch, spec).eval() for s in (space.scaled(depth=0.5), space, space.scaled(depth=1.5))]
    assert space.scaled(depth=0.5).schema.fingerprint == space.schema.fingerprint
    depths = [sum(isinstance(m, torch.nn.Conv2d) for m in n.modules()) for n in networks]
    assert depths[0] < depths[1] < depths[2]
    assert networks[2](torch.zeros(2, 1, 8, 8)).shape == (2, 3)


def test_a_single_cell_has_no_depth() -> None:
    from gennas.spaces import make_space

    with pytest.raises(ConfigError, match="'nasbench-graph' has no depth fidelity"):
        make_space("nasbench-graph").scaled(depth=0.5)


class Lone(Space):
    """Every slot is fixed: one architecture, no decision."""

    name = "lone"

    def __init__(self) -> None:
        self.schema = GraphSchema(self.name, ("a", "b"), ("none",), np.eye(2, dtype=bool), np.ones((2, 2, 1), bool))

    def build(self, arch: Architecture, spec: TaskSpec):  # type: ignore[no-untyped-def]
        raise ConfigError("Lone has no networks.")


class Binary(Space):
    """48 nodes with free edges: 2**1128 graphs, more than float64 holds."""

    name = "binary"

    def __init__(self) -> None:
        edge_mask = np.zeros((48, 48, 2), dtype=bool)
        edge_mask[..., 0] = True
        edge_mask[..., 1] = np.triu(np.ones((48, 48), bool), 1)
        self.schema = GraphSchema(self.name, ("a",), ("none", "edge"), np.ones((48, 1), bool), edge_mask)

    def build(self, arch: Architecture, spec: TaskSpec):  # type: ignore[no-untyped-def]
        raise ConfigError("Binary has no networks.")


def test_a_space_of_one_architecture(rng: np.random.Generator) -> None:
    space = Lone()
    assert space.size == 1 and space.samples_uniformly and "1 architecture," in repr(space)
    drawn = space.sample(3, rng)
    (only,) = drawn.unique()
    assert space.from_text(space.to_text(only)) == only
    assert space.mutate(drawn, rng).keys == space.crossover(drawn, drawn, rng).keys == drawn.keys
    assert not len(space.neighbours(only))


def test_counts_beyond_float64_are_exact(rng: np.random.Generator) -> None:
    space = Binary()
    assert space.size == 2**1128
    assert "about 1e339 architectures" in repr(space)
    counts = space.completions(np.zeros((1, 1128), dtype=np.int16), 100)
    assert counts is not None and counts[0].tolist() == [2**1027, 2**1027]
    assert space.is_valid(space.sample(2, rng)).all()


class HeavyTail(Binary):
    """The same, with every first decision counted apart: three quarters of the weight lie on the edge."""

    def legal(self, D: np.ndarray, t: int) -> np.ndarray:
        return np.repeat(self.schema.decision_mask[t][None], len(D), axis=0)

    def completions(self, D: np.ndarray, t: int) -> np.ndarray:
        return np.array([[10**400, 3 * 10**400]] * len(D), dtype=object)


class Overflowing(HeavyTail):
    def completions(self, D: np.ndarray, t: int) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.full((len(D), 2), np.float64(2.0) ** 1100)


def test_large_counts_weigh_the_draw(rng: np.random.Generator) -> None:
    space = HeavyTail()
    assert space.size == 4 * 10**400
    assert 0.7 < space.sample(4, rng).decisions.mean() < 0.8  # 4,512 draws, deviation .006


def test_counts_that_overflowed_are_refused(rng: np.random.Generator) -> None:
    for use in (lambda s: s.size, lambda s: s.sample(1, rng)):
        with pytest.raises(ConfigError, match="dtype=object"):
            use(Overflowing())


class Labelled(Space):
    """Two free nodes with the labels that it is made with; a third label belongs to no free slot."""

    name = "labelled"

    def __init__(self, *labels: str) -> None:
        node_mask = np.ones((2, len(labels) + 1), dtype=bool)
        node_mask[:, -1] = False
        self.schema = GraphSchema(self.name, (*labels, " / "), ("none",), node_mask, np.ones((2, 2, 1), bool))

    def build(self, arch: Architecture, spec: TaskSpec):  # type: ignore[no-untyped-def]
        raise ConfigError("Labelled has no networks.")


class WithOwnText(Labelled):
    def to_text(self, arch: Architecture) -> str:
        return ",".join(map(str, arch.decisions))

    def from_text(self, text: str) -> Architecture:
        return self.architecture([int(part) for part in text.split(",")])


@pytest.mark.parametrize("labels", [("a", "a/b"), ("a", "a "), ("\ta", "a"), ("a", ""), ("a", "b", "a"), ("a", 3)])
def test_labels_that_the_text_would_lose_are_refused(labels: tuple[str, ...]) -> None:
    with pytest.raises(InvalidArchitectureError, match="Schema 'labelled': expected"):
        Labelled(*labels)
    space = WithOwnText(*labels)
    arch = space.architecture([len(labels) - 1, 0])
    assert space.from_text(space.to_text(arch)) == arch


def test_labels_with_inner_blanks_are_read_back() -> None:
    space = Labelled("conv 3x3", "conv|5x5")
    for D in ([0, 1], [1, 0]):
        assert space.to_text(space.architecture(D)).count("/") == 1
        assert space.from_text(space.to_text(space.architecture(D))).decisions.tolist() == D
