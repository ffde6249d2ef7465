"""Hierarchical NAS-Bench-201: exact sizes of its four grammars, texts, networks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gennas.errors import ConfigError
from gennas.spaces import Hierarchical, TaskSpec
from gennas.spaces.hierarchical.grammars import full_grammar, unshared_grammar
from gennas.testing import SpaceContract


class TestShared(SpaceContract):
    num_samples = 16
    num_built = 2
    specs = (TaskSpec("image", (1, 8, 8), 10),)

    def make_space(self) -> Hierarchical:
        return Hierarchical(width=4)


class TestOneCell(SpaceContract):
    num_samples = 16
    num_built = 2
    specs = (TaskSpec("image", (3, 7, 5), 10),)

    def make_space(self) -> Hierarchical:
        return Hierarchical("one-cell", width=3)


def size_by_formula(operations: int) -> int:
    """Products over parts, sums over alternatives, of the published grammar."""
    cell = operations**6
    c, down = cell**2 + 2 * cell**3, 2 * cell + cell**2
    d0 = c**2 * cell + c**3 * cell + c**2 * cell**2
    d1 = c**2 * down + c**3 * down + c**2 * down**2
    return 2 * d1**2 * d0 + d1**2 * d0**2


def log10(number: int) -> float:
    bits = number.bit_length() - 60
    return math.log10(number >> bits) + bits * math.log10(2)


def test_exact_sizes() -> None:
    assert Hierarchical().size == 3**5 * (5**6) ** 3 == 926_971_435_546_875
    assert Hierarchical("one-cell").size == 3**5 * 5**6 == 3_796_875
    assert [Hierarchical(g).schema.num_decisions for g in ("shared", "one-cell")] == [23, 11]  # type: ignore[arg-type]
    full, unshared = full_grammar(), unshared_grammar()
    assert full.size == size_by_formula(2 + 2 * 27 + 1) and round(log10(full.size), 4) == 446.0928
    assert unshared.size == size_by_formula(5) and round(log10(unshared.size), 2) == 179.75
    assert full.width("D2", None) == 1027 and unshared.width("D2", None) == 271
    widths = [full.width(symbol, None) for symbol in ("BLOCK", "OP", "CELL", "C", "DOWN", "D0", "D1")]
    assert widths == [3, 4, 24, 73, 49, 244, 269]


def test_one_block_instead_of_two_equal_ones_gives_the_merged_count() -> None:
    assert round(log10(size_by_formula(30)), 4) == 375.8469


@pytest.mark.slow
def test_the_full_grammar_is_searched_by_random_and_local_moves() -> None:
    space = Hierarchical("full")
    population = space.sample(3, np.random.default_rng(0))
    mutants = space.mutate(population, np.random.default_rng(1))
    assert space.is_valid(mutants).all() and not set(mutants.keys) & set(population.keys)
    for arch in population:
        assert space.from_text(space.to_text(arch)) == arch
    spec = TaskSpec("image", (1, 8, 8), 10)
    module = space.build(population[0], spec)
    assert space.count_parameters(population[:1], spec).tolist() == [sum(p.numel() for p in module.parameters())]


def test_parts_that_are_shared_have_weights_of_their_own() -> None:
    """D1 stands twice in D2:0: three C each, by twos; the third DOWN halves the image."""
    space, spec = Hierarchical("one-cell", width=4), TaskSpec("image", (1, 8, 8), 10)
    cell = "CELL(OP:zero OP:zero OP:zero OP:id OP:zero OP:zero)"
    arch = space.from_text(f"D2:0 D1:0 D0:0 DOWN:0 C:0 {cell}")
    module = space.build(arch, spec)
    # stem; two DOWN at 4 and 8 channels: residual 3x3 twice and the shortcut; norm and classifier at 16 channels
    downs = [9 * (2 * c * c + 4 * c * c) + 2 * 4 * c + 2 * c * c for c in (4, 8)]
    expected = 9 * 4 + 2 * 4 + sum(downs) + 2 * 16 + 17 * 10
    assert sum(p.numel() for p in module.parameters()) == expected
    assert space.count_parameters(space.from_texts([space.to_text(arch)]), spec).tolist() == [expected]


def test_options() -> None:
    assert Hierarchical("one-cell", 16).scaled(0.5).options == {"grammar": "one-cell", "width": 8}
    with pytest.raises(ConfigError, match="out of shared, one-cell, unshared, full, got 'small'"):
        Hierarchical("small")  # type: ignore[arg-type]
