"""The fusion space: exact size, texts, uniform samples, what networks weigh."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.spaces import Fusion, TaskSpec
from gennas.testing import SpaceContract


class TestFusion(SpaceContract):
    num_samples = 32
    specs = (
        TaskSpec("pair", (4,), 3, second_shape=(5,)),
        TaskSpec("pair", (1, 8, 4), 10, second_shape=(1, 8, 4)),
        TaskSpec("pair", (3, 16, 16), 4, second_shape=(6, 2)),
    )

    def make_space(self) -> Fusion:
        return Fusion(width=4)


def test_exact_sizes() -> None:
    assert [Fusion(cells).size for cells in (1, 2, 3)] == [28 * 4, 16_128, 2_903_040]


def test_all_of_a_small_space_are_drawn_equally_often() -> None:
    space = Fusion(cells=1)
    drawn = Counter(map(space.to_text, space.sample(112 * 50, np.random.default_rng(0))))
    assert len(drawn) == 112 and chisquare(list(drawn.values())).pvalue > 1e-3


def test_moves_reach_the_whole_space() -> None:
    space = Fusion(cells=1)
    edge = [space.sample(1, np.random.default_rng(0))[0]]
    found = {edge[0].key}
    while edge:
        near = {a.key: a for arch in edge for a in space.neighbours(arch)}
        edge = [arch for key, arch in near.items() if key not in found]
        found |= set(near)
    assert len(found) == space.size


def test_text_names_operations_and_sources() -> None:
    space = Fusion()
    arch = space.from_text(" linear-glu ~ b4, a1 | attention~cell1,b2")
    assert space.to_text(arch) == "linear-glu~a1,b4|attention~b2,cell1"
    assert space.plan(arch) == [("linear-glu", 0, 7), ("attention", 5, 8)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sum~a1,b1", "expected 2 cells like"),
        ("sum~a1,b1|sum", "expected 2 cells like"),
        ("sum~a1,a1|sum~a1,b1", "expected cell1 as an operation .* different sources out of a1, .* got 'sum~a1,a1'"),
        ("sum~a1,cell1|sum~a1,b1", "got 'sum~a1,cell1'"),
        ("sum~a1,b1|mean~a1,b1", "expected cell2 as an operation out of sum, attention, .* got 'mean~a1,b1'"),
    ],
)
def test_malformed_text_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        Fusion().from_text(text)


def test_fidelities() -> None:
    assert Fusion(3, 16).scaled(width=0.5).options == {"cells": 3, "width": 8}
    with pytest.raises(ConfigError, match="no depth fidelity"):
        Fusion().scaled(depth=0.5)
    with pytest.raises(ConfigError, match="at least one cell"):
        Fusion(cells=0)
