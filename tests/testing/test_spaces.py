"""The contract of spaces fails what breaks it, each check on its own."""

from __future__ import annotations

import numpy as np
import pytest
from torch import nn

from gennas.graph import Architecture, Population
from gennas.spaces import NASBench201, Space, TaskSpec
from gennas.testing import SpaceContract

SMALL = {"num_cells": 1, "width": 4}


class Forgetful(NASBench201):
    """Samples whatever the generator's state."""

    def sample(self, n: int, rng: np.random.Generator) -> Population:
        return super().sample(n, np.random.default_rng())


class OneText(NASBench201):
    """Calls everything the same."""

    def to_text(self, arch: Architecture) -> str:
        return super().to_text(self.architecture([0] * 6))


class Lenient(NASBench201):
    """Reads anything."""

    def from_text(self, text: str) -> Architecture:
        try:
            return super().from_text(text)
        except ValueError:
            return self.architecture([0] * 6)


class Lazy(NASBench201):
    """Mutants are their parents, and everything is its own neighbour."""

    def mutate(self, population: Population, rng: np.random.Generator) -> Population:
        return population

    def neighbours(self, arch: Architecture) -> Population:
        return Population.of(self.schema, [arch, *super().neighbours(arch)])


class Mixing(NASBench201):
    """A child of equal parents is another one."""

    def crossover(self, a: Population, b: Population, rng: np.random.Generator) -> Population:
        return self.mutate(a, rng)


class Clairvoyant(NASBench201):
    """Legality looks at decisions that are not made yet."""

    def legal(self, D: np.ndarray, t: int) -> np.ndarray:
        mask = super().legal(D, t).copy()
        if t == 0:
            mask[:, 4] = D[:, 5] > 0
        return mask


class Miscounting(NASBench201):
    """Twice as many completions as there are."""

    def completions(self, D: np.ndarray, t: int) -> np.ndarray | None:
        counts = super().completions(D, t)
        return counts if counts is None or t else 2 * counts


class Careless(NASBench201):
    """Builds an image classifier for any task, and counts a parameter too many."""

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        return super().build(arch, TaskSpec("image", (3, 8, 8), spec.num_outputs))

    def count_parameters(self, population: Population, spec: TaskSpec) -> np.ndarray:
        built = [super(Careless, self).build(arch, spec) for arch in population]
        return np.array([1 + sum(p.numel() for p in net.parameters()) for net in built])


class Numb(NASBench201):
    """Networks whose outputs depend on no weight."""

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        net = super().build(arch, spec)
        nn.init.zeros_(net.classifier.weight)
        net.classifier.requires_grad_(False)
        return net


def contract(space: type[Space]) -> SpaceContract:
    class Checked(SpaceContract):
        num_samples, num_built = 16, 1
        specs = (TaskSpec("image", (1, 8, 8), 10),)

        def make_space(self) -> Space:
            return space(**SMALL)  # type: ignore[call-arg]

    return Checked()


@pytest.mark.parametrize(
    ("space", "check"),
    [
        (Forgetful, "test_sampling_repeats_under_a_seed"),
        (OneText, "test_text_round_trip"),
        (Lenient, "test_malformed_text_is_refused"),
        (Lazy, "test_mutants_are_valid_and_different"),
        (Lazy, "test_neighbours_are_distinct_members_without_the_centre"),
        (Mixing, "test_crossover_is_valid_and_keeps_equal_parents"),
        (Clairvoyant, "test_legality_reads_the_prefix_only"),
        (Miscounting, "test_completions_are_positive_exactly_where_legal_and_add_up"),
        (Careless, "test_other_kinds_of_task_are_refused"),
        (Careless, "test_parameters_are_counted_as_built"),
        (Numb, "test_built_networks_train_one_step"),
    ],
)
def test_a_broken_space_is_caught(space: type[Space], check: str) -> None:
    getattr(contract(NASBench201), check)()  # what is not broken passes
    with pytest.raises(AssertionError):
        getattr(contract(space), check)()


def test_the_space_is_to_be_given() -> None:
    with pytest.raises(NotImplementedError, match="SpaceContract must override make_space"):
        _ = SpaceContract().space


@pytest.mark.parametrize("spec", [TaskSpec("image", (3, 8, 8), 4), TaskSpec("node", (5,), 3)])
def test_batches_fit_the_task_and_repeat(spec: TaskSpec) -> None:
    inputs, targets = SpaceContract().make_batch(spec)
    again, _ = SpaceContract().make_batch(spec)
    assert inputs[0].shape == (6, *spec.input_shape) and inputs[0].equal(again[0])
    assert targets.max() < spec.num_outputs and len(targets) == 6
    if spec.kind == "node":
        edges = {tuple(e) for e in inputs[1].T.tolist()}
        assert edges == {(i, (i + 1) % 6) for i in range(6)} | {((i + 1) % 6, i) for i in range(6)}
