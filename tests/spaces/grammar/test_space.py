"""Derivations as architectures: uniform samples, texts, recursion, shared parts."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.spaces import GrammarSpace, TaskSpec
from gennas.spaces.grammar import Grammar
from gennas.testing import SpaceContract

RULES = {
    "N": ["linear2(A, A)", "A", "residual1(A, OP)"],
    "A": ["sum2(OP, OP)", "OP"],
    "OP": ["id", "nor_conv_1x1", "max_pool"],
}
RECURSIVE = {"N": ["id", "nor_conv_3x3", "linear2(N, N)", "residual2(N, N, id)"]}
IMAGES = (TaskSpec("image", (1, 8, 8), 10), TaskSpec("image", (3, 5, 7), 3))


class TestRules(SpaceContract):
    specs = IMAGES

    def make_space(self) -> GrammarSpace:
        return GrammarSpace("rules", Grammar("N", RULES), 4)


class TestRecursion(SpaceContract):
    specs = IMAGES
    num_samples = 24

    def make_space(self) -> GrammarSpace:
        return GrammarSpace("recursive", Grammar("N", RECURSIVE, max_depth=4), 3)


@pytest.mark.parametrize("depth", [None, 3])
def test_all_derivations_are_drawn_equally_often(depth: int | None) -> None:
    grammar = Grammar("N", RULES) if depth is None else Grammar("N", RECURSIVE, max_depth=depth)
    space = GrammarSpace("small", grammar)
    assert space.size is not None and space.size < 500
    drawn = Counter(map(space.to_text, space.sample(space.size * 30, np.random.default_rng(0))))
    assert len(drawn) == space.size and chisquare(list(drawn.values())).pvalue > 1e-3


def test_moves_reach_the_whole_space() -> None:
    space = GrammarSpace("small", Grammar("N", RULES))
    edge = [space.sample(1, np.random.default_rng(0))[0]]
    found = {edge[0].key}
    while edge:
        near = {a.key: a for arch in edge for a in space.neighbours(arch)}
        edge = [arch for key, arch in near.items() if key not in found]
        found |= set(near)
    assert len(found) == space.size == 192


def test_another_alternative_keeps_the_parts_that_it_shares() -> None:
    space = GrammarSpace("rules", Grammar("N", RULES))
    arch = space.from_text("N:0(A:0(OP:id OP:max_pool) A:OP(OP:id))")
    near = {space.to_text(other) for other in space.neighbours(arch)}
    assert "N:A(A:0(OP:id OP:max_pool))" in near and "N:2(A:0(OP:id OP:max_pool) OP:id)" in near


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected N:0 or N:A or N:2, got 'the end'"),
        ("N:0(A:0(OP:id OP:id))", r"expected A:0 or A:OP, got '\)'"),
        ("N:A(A:OP(OP:id)) OP:id", "expected the end, got 'OP:id'"),
        ("N:A(A:OP(OP:conv))", "expected OP:id or OP:nor_conv_1x1 or OP:max_pool, got 'OP:conv'"),
        ("N:A", r"expected \(, got 'the end'"),
    ],
)
def test_malformed_text_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        GrammarSpace("rules", Grammar("N", RULES)).from_text(text)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least one channel"):
        GrammarSpace("x", Grammar("N", RULES), 0)
    with pytest.raises(ConfigError, match="1 to 4,096 choices, got 0"):
        GrammarSpace("x", Grammar("N", {"N": ["id"]}))
    with pytest.raises(ConfigError, match="1 to 4,096 choices, got 8,191"):
        GrammarSpace("x", Grammar("N", {"N": ["id", "linear2(N, N)", "relu"]}, max_depth=13))
    with pytest.raises(ConfigError, match="depth is part of the derivation"):
        GrammarSpace("x", Grammar("N", RULES)).scaled(depth=0.5)
    assert GrammarSpace("x", Grammar("N", RULES), 16).scaled(0.5).width == 8


def test_rules_are_part_of_the_identity() -> None:
    """Labels are the same, the networks are not."""
    one, other = (
        GrammarSpace("x", Grammar("N", {**RULES, "A": [a, "OP"]})) for a in ("sum2(OP, OP)", "linear2(OP, OP)")
    )
    assert one.schema.fingerprint == other.schema.fingerprint and one.identity != other.identity
