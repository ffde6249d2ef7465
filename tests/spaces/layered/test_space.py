"""Tests of the base of layered spaces: exact sizes, uniform samples, moves that respect depth, text."""

from __future__ import annotations

import time
from itertools import product

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from torch import nn

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.graph import Architecture, Population
from gennas.spaces import TaskSpec
from gennas.spaces.layered import Decision, Group, LayeredSpace
from gennas.testing import SpaceContract

OPERATIONS = ("gat", "gin", "gcn")


class Perceptron(LayeredSpace):
    """A width, and one to three layers of an activation and a factor, of which ``tanh`` has none."""

    def __init__(self, depths: tuple[int, ...] = (1, 2, 3)) -> None:
        layer = (Decision("act", ("relu", "tanh")), Decision("factor", (1, 2.5), when={"act": ("relu",)}))
        super().__init__("perceptron", [Decision("width", (4, 8))], [Group("layer", depths, layer)])

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        spec.require(self.name, "image")
        config = self.config(arch)
        widths = [int(np.prod(spec.input_shape))]
        layers: list[nn.Module] = [nn.Flatten()]
        for act, factor in zip(config["act"], config["factor"], strict=True):
            widths.append(int(config["width"] * (factor or 1)))
            layers += [nn.Linear(*widths[-2:]), nn.ReLU() if act == "relu" else nn.Tanh()]
        return nn.Sequential(*layers, nn.Linear(widths[-1], spec.num_outputs))

    def count_parameters(self, population: Population, spec: TaskSpec) -> np.ndarray:
        width, factor = self.column(population, "width"), self.column(population, "factor")
        there = self.chosen(population, "act", "relu") | self.chosen(population, "act", "tanh")
        outputs = np.where(there, np.floor(width[:, None] * np.where(factor == 0, 1, factor)), 0)
        inputs = np.concatenate([np.full((len(width), 1), np.prod(spec.input_shape)), outputs[:, :-1]], axis=1)
        last = outputs[np.arange(len(outputs)), there.sum(1) - 1]
        total = ((inputs + 1) * outputs).sum(1) + (last + 1) * spec.num_outputs
        return total.astype(np.int64)


class TestPerceptron(SpaceContract):
    def make_space(self) -> Perceptron:
        return Perceptron()


class Stages(LayeredSpace):
    """Two groups, one with a choice of its own, whose first layer has fewer operations."""

    def __init__(self) -> None:
        layer = (Decision("op", ("conv", "pool", "skip"), first=("conv", "pool")),)
        groups = [Group("a", (1, 3), layer, (Decision("width", (8, 16)),)), Group("b", (2,), (Decision("k", (3, 5)),))]
        super().__init__("stages", [], groups)

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        spec.require(self.name, "image")
        return nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(spec.input_shape)), spec.num_outputs))


class TestStages(SpaceContract):
    def make_space(self) -> Stages:
        return Stages()


def enumerated(space: LayeredSpace) -> Population:
    """Every valid graph of a small space, by trying all combinations of labels."""
    allowed = [np.flatnonzero(row).tolist() for row in space.schema.decision_mask]
    everything = Population.from_decisions(space.schema, np.array(list(product(*allowed))))
    return everything[space.is_valid(everything)]


@pytest.mark.parametrize(("space", "size"), [(Perceptron(), 2 * (3 + 9 + 27)), (Stages(), 2 * (2 + 2 * 9) * 4)])
def test_size_is_what_trying_all_combinations_finds(space: LayeredSpace, size: int) -> None:
    """The closed form against enumeration."""
    found = enumerated(space)
    assert space.size == size == len(found) == len(set(found.keys))


@pytest.mark.parametrize("space", [Perceptron(), Stages()])
def test_samples_are_uniform_over_architectures(space: LayeredSpace) -> None:
    """Chi-square over all of them; with a depth drawn uniformly instead it fails by far."""
    keys, counts = np.unique(space.sample(60 * space.size, np.random.default_rng(0)).keys, return_counts=True)
    assert len(keys) == space.size
    assert chisquare(counts).pvalue > 1e-3


def test_a_space_beyond_float64_is_counted_exactly_and_sampled_in_proportion() -> None:
    """3 * sum of 4^d: depth 120 has three quarters of all architectures."""
    group = Group("layer", tuple(range(1, 121)), (Decision("a", (1, 2)), Decision("b", (1, 2))))
    space = _plain("deep", [Decision("c", (1, 2, 3))], [group])
    assert space.size == 3 * sum(4**d for d in range(1, 121)) == 4**121 - 4
    depth = space.depth(space.sample(4000, np.random.default_rng(0)).decisions)
    expected = [0.75, 0.1875, 0.0625]
    observed = [(depth == 120).sum(), (depth == 119).sum(), (depth < 119).sum()]
    assert chisquare(observed, 4000 * np.array(expected)).pvalue > 1e-3
    assert _plain("huge", [], [Group("layer", (600,), (Decision("a", tuple(range(50))),))]).size == 50**600


def test_a_move_changes_one_thing_and_what_depends_on_it() -> None:
    """All neighbours of a network of two layers, by hand."""
    space = Perceptron()
    near = [space.to_text(a) for a in space.neighbours(space.from_text("width=4;depth=2;act=relu,tanh;factor=1,-"))]
    assert near == [
        "width=8;depth=2;act=relu,tanh;factor=1,-",
        "width=4;depth=1;act=relu;factor=1",
        "width=4;depth=3;act=relu,tanh,tanh;factor=1,-,-",
        "width=4;depth=2;act=tanh,tanh;factor=-,-",
        "width=4;depth=2;act=relu,tanh;factor=2.5,-",
        "width=4;depth=2;act=relu,relu;factor=1,1",
        "width=4;depth=2;act=relu,relu;factor=1,2.5",
    ]


@pytest.mark.parametrize("space", [Perceptron(), Stages()])
def test_moves_at_one_depth_lead_back(space: LayeredSpace) -> None:
    """b is a neighbour of a if and only if a is one of b."""
    for arch in space.sample(12, np.random.default_rng(3)):
        for other in space.neighbours(arch):
            depths = space.depth(np.array([arch.decisions, other.decisions]))
            if depths[0] == depths[1]:
                assert arch.key in space.neighbours(other).keys


def test_shrinking_undoes_growing_and_mutants_are_neighbours() -> None:
    """Growing copies the last layer, over all the steps between two depths."""
    space = Perceptron(depths=(1, 3))
    arch = space.from_text("width=8;depth=1;act=relu;factor=2.5")
    grown = space.from_text("width=8;depth=3;act=relu,relu,relu;factor=2.5,2.5,2.5")
    assert grown.key in space.neighbours(arch).keys
    assert arch.key in space.neighbours(grown).keys
    many = space.sample(200, np.random.default_rng(5))
    mutants = space.mutate(many, np.random.default_rng(6))
    assert all(child.key in space.neighbours(parent).keys for parent, child in zip(many, mutants, strict=True))


def test_a_copy_that_no_first_layer_may_be_is_made_legal() -> None:
    """Values of the first layer only bind the first layer."""
    space = Stages()
    near = space.neighbours(space.from_text("a.width=8;a.depth=1;a.op=pool;b.depth=2;b.k=3,3"))
    assert "a.width=8;a.depth=3;a.op=pool,pool,pool;b.depth=2;b.k=3,3" in [space.to_text(a) for a in near]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("width=4;depth=2;act=relu,tanh", "the field 'factor' is missing"),
        ("width=4;depth=2;act=relu;factor=1", "expected 2 entries of act, one for each layer, got 1"),
        ("width=4;depth=2;act=;factor=", "expected 2 entries of act, one for each layer, got 0"),
        ("width=4;depth=7;act=relu;factor=1", "expected depth out of 1, 2, 3, got '7'"),
        ("width=4;depth=1;act=gelu;factor=1", "expected act of layer 1 out of relu, tanh, got 'gelu'"),
        ("width=4;depth=1;act=relu;factor=nan", "expected factor of layer 1 out of 1, 2.5, -, got 'nan'"),
        ("width=4;width=4;depth=1;act=relu;factor=1", "the field 'width' is given twice"),
        ("width=4;depth=1;act=relu;factor=1;lr=3", "unknown field 'lr'; expected width, depth, act, factor"),
        ("width=4;depth=1;act=relu;factor=-", "not a valid architecture"),
        ("width=4,depth=1", "the field 'depth' is missing; expected width, depth, act, factor"),
        ("", "expected fields like width=… separated by ';'"),
    ],
)
def test_wrong_text_is_one_clear_line(text: str, message: str) -> None:
    """What was expected and what came."""
    with pytest.raises(InvalidArchitectureError) as caught:
        Perceptron().from_text(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_text_fields_come_in_any_order_and_numbers_in_any_form() -> None:
    """``2.50`` is 2.5, and a dictionary is as good as text."""
    space = Perceptron()
    arch = space.from_text(" factor=2.50,- ; act=relu, tanh;depth=2.0;width=8 ")
    assert space.to_text(arch) == "width=8;depth=2;act=relu,tanh;factor=2.5,-"
    assert space.config(arch) == {"width": 8, "depth": 2, "act": ["relu", "tanh"], "factor": [2.5, None]}
    assert space.from_config(space.config(arch)) == arch


def test_columns_are_numbers_by_layer() -> None:
    """What counting of parameters reads."""
    space = Stages()
    population = Population.of(
        space.schema,
        [
            space.from_text("a.width=8;a.depth=1;a.op=pool;b.depth=2;b.k=3,5"),
            space.from_text("a.width=16;a.depth=3;a.op=conv,skip,conv;b.depth=2;b.k=5,5"),
        ],
    )
    assert space.column(population, "a.width").tolist() == [8, 16]
    assert space.column(population, "a.depth").tolist() == [1, 3]
    assert space.column(population, "b.k").tolist() == [[3, 5], [5, 5]]
    assert space.chosen(population, "a.op", "conv").tolist() == [[False] * 3, [True, False, True]]


@pytest.mark.parametrize(
    ("whole", "groups", "message"),
    [
        ([], [], "leave a choice"),
        ([Decision("a", (1,))], [Group("g", (2,), (Decision("b", (1,)),))], "leave a choice"),
        ([Decision("a", (1, 2)), Decision("a", (3, 4))], [], "different names"),
        ([Decision("a", (1, 2), when={"b": (1,)})], [], "a condition on one of the decisions before it"),
        ([Decision("a", (1, 2)), Decision("b", (1, 2), when={"a": (3,)})], [], "its condition expects values of 'a'"),
        ([Decision("a", (1, 2), prefix="x"), Decision("b", ("1", "2"), prefix="x")], [], None),
    ],
)
def test_spaces_that_make_no_sense_are_refused(whole: list[Decision], groups: list[Group], message: str | None) -> None:
    """One line that names the space."""
    if message is None:
        assert _plain("words", whole, groups).size == 4
        return
    with pytest.raises(ConfigError, match=message) as caught:
        _plain("odd", whole, groups)
    assert str(caught.value).startswith("odd: ")


@pytest.mark.parametrize(("values", "depths"), [((), (1,)), ((1, 1), (1,)), (("off", "on"), (1,)), ((1, 2), (0,))])
def test_values_and_depths_are_checked(values: tuple[object, ...], depths: tuple[int, ...]) -> None:
    """Empty, repeated, or the reserved word."""
    with pytest.raises(ConfigError, match="expected different"):
        Group("g", depths, (Decision("a", values),))  # type: ignore[arg-type]


def test_a_hundred_decisions_cost_little() -> None:
    """1,000 architectures of 36 layers with three decisions each: a second in all, several times what it takes."""
    layer = tuple(Decision(name, (1, 2, 3)) for name in "abc")
    space, rng = (
        _plain("long", [Decision("e", (1, 2))], [Group("layer", (34, 35, 36), layer)]),
        np.random.default_rng(0),
    )
    start = time.process_time()
    population = space.sample(1000, rng)
    mutants = space.mutate(population, rng)
    assert space.is_valid(mutants).all()
    assert len(set(mutants.keys)) == 1000
    assert time.process_time() - start < 1.0
    assert population.E.strides[0] == 0
    assert population.E.base is not None


def _plain(name: str, whole: list[Decision], groups: list[Group]) -> LayeredSpace:
    class Plain(LayeredSpace):
        def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
            return nn.Linear(1, 1)

    return Plain(name, whole, groups)


def test_built_networks_have_the_counted_parameters() -> None:
    """The vectorised count of the test's own space, on all of it."""
    space, spec = Perceptron(), TaskSpec("image", (1, 2, 2), 3)
    everything = enumerated(space)
    with torch.device("meta"):
        built = [sum(p.numel() for p in space.build(arch, spec).parameters()) for arch in everything]
    assert space.count_parameters(everything, spec).tolist() == built
