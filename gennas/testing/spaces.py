"""The contract of search spaces, as a test class to subclass.

A new space is tested by::

    class TestMySpace(SpaceContract):
        def make_space(self) -> Space:
            return MySpace()
"""

from __future__ import annotations

import json
import math
import pickle
import subprocess
import sys
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.graph import Architecture, Population
from gennas.spaces.base import Space
from gennas.spaces.spec import KINDS, Kind, TaskSpec

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["SpaceContract"]

# Rebuilds the schema from plain values and prints the key of every row of decisions.
_KEYS_IN_ANOTHER_PROCESS = """
import json, sys
import numpy as np
from gennas.graph import GraphSchema, Population
r = json.load(sys.stdin)
masks = [np.array(r[m], dtype=bool) for m in ("node_mask", "edge_mask")]
schema = GraphSchema(r["name"], tuple(r["node_labels"]), tuple(r["edge_labels"]), *masks)
print(json.dumps(Population.from_decisions(schema, np.array(r["decisions"])).keys))
"""


_EXAMPLES: dict[Kind, TaskSpec] = {
    "image": TaskSpec("image", (3, 8, 8), 3),
    "node": TaskSpec("node", (4,), 3),
    "graph": TaskSpec("graph", (4,), 3),
    "language": TaskSpec("language", (8,), 11, vocabulary=11),
    "tagging": TaskSpec("tagging", (8,), 3, vocabulary=11),
    "text": TaskSpec("text", (8,), 3, vocabulary=11),
    "segmentation": TaskSpec("segmentation", (3, 8, 8), 3),
    "pair": TaskSpec("pair", (4,), 3, second_shape=(5,)),
}


class SpaceContract:
    """What every search space must keep; subclass it and give :meth:`make_space`.

    Attributes:
        num_samples: how many architectures the checks draw.
        num_built: how many of them are built and trained for one step, per task.
        specs: tasks that the space builds networks for; it must refuse the other kinds.
    """

    num_samples: int = 64
    num_built: int = 3
    specs: tuple[TaskSpec, ...] = (TaskSpec("image", (1, 8, 8), 10), TaskSpec("image", (3, 32, 32), 7))

    def make_space(self) -> Space:
        """Return the space under test, the same at every call."""
        raise NotImplementedError(f"{type(self).__name__} must override make_space.")

    def make_batch(self, spec: TaskSpec) -> tuple[tuple[Tensor, ...], Tensor]:
        """Inputs of the built module, and labels of the shape of its output without the classes."""
        import torch

        inputs = spec.random_inputs(6)
        shape = list(spec.output_shape(6))
        shape.pop(2 if spec.kind in ("language", "tagging") else 1)
        return inputs, (torch.arange(math.prod(shape)) % spec.num_outputs).view(shape)

    @cached_property
    def space(self) -> Space:
        """The space under test."""
        return self.make_space()

    @cached_property
    def population(self) -> Population:
        """A seeded sample of it."""
        return self.space.sample(self.num_samples, np.random.default_rng(0))

    def test_samples_are_valid_and_canonical(self) -> None:
        """What is sampled is in the space, and is its own canonical form."""
        assert len(self.population) == self.num_samples
        self._assert_members(self.population)

    def test_sampling_repeats_under_a_seed(self) -> None:
        """The same generator state gives the same sample in the same order, another seed another one."""
        again = self.make_space().sample(self.num_samples, np.random.default_rng(0))
        other = self.space.sample(self.num_samples, np.random.default_rng(1))
        assert again.keys == self.population.keys
        assert other.keys != self.population.keys

    def test_sampling_nothing_gives_nothing(self) -> None:
        """An empty population is a population."""
        rng = np.random.default_rng(0)
        empty = self.space.sample(0, rng)
        assert self.space.is_valid(empty).shape == (0,)
        found = [empty, self.space.mutate(empty, rng), self.space.crossover(empty, empty, rng)]
        assert [len(population) for population in (*found, self.space.canonical(empty))] == [0, 0, 0, 0]

    def test_keys_are_equal_only_for_equal_canonical_forms(self) -> None:
        """Two sampled architectures share a key if and only if their decisions agree."""
        rows = [tuple(row) for row in self.population.decisions.tolist()]
        assert (
            len(set(rows)) == len(set(self.population.keys)) == len(set(zip(rows, self.population.keys, strict=True)))
        )
        assert [arch.key for arch in self.population] == self.population.keys

    def test_keys_agree_in_another_process(self) -> None:
        """Keys depend on labels, masks and decisions only: not on hash seeds, memory or time."""
        schema = self.space.schema
        record = {
            "name": schema.name,
            "node_labels": schema.node_labels,
            "edge_labels": schema.edge_labels,
            "node_mask": schema.node_mask.tolist(),
            "edge_mask": schema.edge_mask.tolist(),
            "decisions": self.population.decisions.tolist(),
        }
        command = [sys.executable, "-c", _KEYS_IN_ANOTHER_PROCESS]
        reply = subprocess.run(command, input=json.dumps(record), capture_output=True, text=True, check=True)
        assert json.loads(reply.stdout) == self.population.keys

    def test_canonical_is_idempotent(self) -> None:
        """Canonical forms of any edit stay what they are when canonicalised again."""
        once = self.space.canonical(self._edits())
        twice = self.space.canonical(once)
        assert np.array_equal(once.X, twice.X) and np.array_equal(once.E, twice.E)

    def test_space_and_architecture_pickle(self) -> None:
        """Executors send both to other processes."""
        space, arch = pickle.loads(pickle.dumps((self.space, self.population[0])))
        assert space.schema.fingerprint == self.space.schema.fingerprint
        assert arch == self.population[0]

    def test_json_round_trip(self) -> None:
        """An architecture survives its JSON record."""
        for arch in self.population[:16]:
            assert Architecture.from_json(arch.to_json(), self.space.schema) == arch

    def test_text_round_trip(self) -> None:
        """An architecture survives its text, and different ones have different texts."""
        distinct = self.population.unique()
        texts = [self.space.to_text(arch) for arch in distinct]
        assert [self.space.from_text(text).key for text in texts] == distinct.keys
        assert len(set(texts)) == len(texts)

    def test_malformed_text_is_refused(self) -> None:
        """Text that is no architecture raises the documented error."""
        text = self.space.to_text(self.population[0])
        for wrong in ("", "no such architecture", text[: len(text) // 2] + "?", text + "/x"):
            self._assert_raises(InvalidArchitectureError, self.space.from_text, wrong)

    def test_mutants_are_valid_and_different(self) -> None:
        """One edit leads to another member of the space, and repeats under a seed."""
        mutants = self.space.mutate(self.population, np.random.default_rng(2))
        self._assert_members(mutants)
        for parent, child in zip(self.population, mutants, strict=True):
            assert parent != child or not len(self.space.neighbours(parent)), f"{parent} was not changed"
        assert self.space.mutate(self.population, np.random.default_rng(2)).keys == mutants.keys

    def test_neighbours_are_distinct_members_without_the_centre(self) -> None:
        """Neighbours are valid, canonical, different from each other and from the architecture."""
        for arch in self.population[:8]:
            near = self.space.neighbours(arch)
            self._assert_members(near)
            assert len(set(near.keys)) == len(near)
            assert arch.key not in near.keys
            assert self.space.neighbours(arch).keys == near.keys

    def test_crossover_is_valid_and_keeps_equal_parents(self) -> None:
        """Children are members; two equal parents have that child."""
        mates = self.population[np.arange(len(self.population))[::-1]]
        self._assert_members(self.space.crossover(self.population, mates, np.random.default_rng(3)))
        same = self.space.crossover(self.population, self.population, np.random.default_rng(3))
        assert same.keys == self.population.keys

    def test_every_prefix_of_a_member_is_legal(self) -> None:
        """No label that is called illegal occurs in a member of the space."""
        schema = self.space.schema
        for population in (self.population, self._edits()):
            D, rows = population.decisions, np.arange(len(population))
            for t in range(schema.num_decisions):
                legal = self.space.legal(D, t)
                assert legal.shape == (len(D), schema.num_symbols)
                assert not (legal & ~schema.decision_mask[t]).any(), f"decision {t}: legal, but not in the mask"
                assert legal[rows, D[:, t]].all(), f"decision {t}: a member has a label that is called illegal"

    def test_legality_reads_the_prefix_only(self) -> None:
        """Decisions that are not made yet do not matter."""
        D = self.population.decisions
        for t in range(self.space.schema.num_decisions):
            blank = D.copy()
            blank[:, t:] = 0
            assert np.array_equal(self.space.legal(D, t), self.space.legal(blank, t))

    def test_choosing_legal_labels_ends_in_the_space(self) -> None:
        """Any legal label at every step, and the result is valid: there are no dead ends."""
        rng = np.random.default_rng(4)
        D = np.zeros((self.num_samples, self.space.schema.num_decisions), dtype=np.int16)
        for t in range(D.shape[1]):
            legal = self.space.legal(D, t)
            assert legal.any(axis=1).all(), f"decision {t}: a legal prefix has no legal label"
            D[:, t] = np.argmax(np.where(legal, rng.random(legal.shape), -1.0), axis=1)
        assert self.space.is_valid(Population.from_decisions(self.space.schema, D)).all()

    def test_completions_are_positive_exactly_where_legal_and_add_up(self) -> None:
        """Counts after a label equal the sum over the next decision.

        Where the inherited ``sample`` draws under these counts they start at the size, so that it is
        uniform; a space that samples another way may count equivalent graphs apart. Beyond 2^45
        architectures counts may be in proportion only.
        """
        D, d = self.population.decisions, self.space.schema.num_decisions
        counts = [self.space.completions(D, t) for t in range(d)]
        assert all(c is None for c in counts) or all(c is not None for c in counts)
        found = [c for c in counts if c is not None]
        rows = np.arange(len(D))
        for t, count in enumerate(found):
            assert np.array_equal(count > 0, self.space.legal(D, t)), f"decision {t}: positive where not legal"
        if found and (self.space.size or 0) > 2**45 and found[0].dtype != object:
            return
        for t, (count, after) in enumerate(pairwise(found)):
            np.testing.assert_allclose(count[rows, D[:, t]], after.sum(axis=1), rtol=1e-9)
        if found and self.space.size is not None:
            assert (found[-1] <= 1).all(), "the last decision must leave one architecture per label"
            assert (found[0].sum(axis=1) >= self.space.size * (1 - 1e-9)).all(), "fewer completions than architectures"
            if type(self.space).sample is Space.sample:
                np.testing.assert_allclose(found[0].sum(axis=1), self.space.size, rtol=1e-9)

    def test_built_networks_train_one_step(self) -> None:
        """Every declared task gets a module whose loss and gradients are finite."""
        import torch

        for spec in self.specs:
            inputs, targets = self.make_batch(spec)
            for arch in self.population[: self.num_built]:
                torch.manual_seed(0)
                module = self.space.build(arch, spec).train()
                logits = module(*inputs)
                assert logits.shape == spec.output_shape(6)
                if spec.kind in ("language", "tagging"):
                    logits = logits.transpose(1, 2)
                torch.autograd.backward(torch.nn.functional.cross_entropy(logits, targets))
                self._assert_gradients(module, arch)

    def test_parameters_are_counted_as_built(self) -> None:
        """A space that counts parameters without building networks counts those of the networks."""
        for spec in self.specs:
            counted = self.space.count_parameters(self.population[: self.num_built], spec)
            if counted is not None:
                built = [self.space.build(arch, spec) for arch in self.population[: self.num_built]]
                assert counted.tolist() == [sum(p.numel() for p in module.parameters()) for module in built]

    def test_other_kinds_of_task_are_refused(self) -> None:
        """A task that the space has no networks for raises ``ConfigError``."""
        kinds = {spec.kind for spec in self.specs}
        for kind in KINDS:
            if kind not in kinds:
                self._assert_raises(ConfigError, self.space.build, self.population[0], _EXAMPLES[kind])

    def _edits(self) -> Population:
        mutants = self.space.mutate(self.population, np.random.default_rng(5))
        mates = mutants[np.arange(len(mutants))[::-1]]
        children = self.space.crossover(self.population, mates, np.random.default_rng(6))
        return Population.concat([mutants, children, self.space.neighbours(self.population[0])])

    def _assert_members(self, population: Population) -> None:
        assert self.space.is_valid(population).all(), "not valid"
        canonical = self.space.canonical(population)
        assert np.array_equal(canonical.X, population.X), "node labels are not canonical"
        assert np.array_equal(canonical.E, population.E), "edge labels are not canonical"

    @staticmethod
    def _assert_raises(expected: type[Exception], call: Any, *arguments: Any) -> None:
        try:
            call(*arguments)
        except expected:
            return
        raise AssertionError(f"expected {expected.__name__} from {arguments!r}, got none")

    @staticmethod
    def _assert_gradients(module: Any, arch: Architecture) -> None:
        gradients = [p.grad for p in module.parameters() if p.grad is not None]
        assert gradients, f"{arch}: the loss depends on no parameter"
        assert all(bool(g.isfinite().all()) for g in gradients), f"{arch}: a gradient is not finite"
        assert any(bool(g.abs().sum() > 0) for g in gradients), f"{arch}: every gradient is zero"
