"""Spaces that stay inside a set of architectures."""

from __future__ import annotations

import numpy as np
import pytest

from gennas.graph import Population
from gennas.spaces import NASBench101, NASBench201, NASBenchGraph, Space
from gennas.spaces.within import within

SPACES = [NASBench201(), NASBench101(), NASBenchGraph()]


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)
@pytest.mark.parametrize("share", [0.02, 0.9])
def test_every_operation_stays_inside(space: Space, share: float) -> None:
    rng = np.random.default_rng(0)
    drawn = space.sample(400, rng).unique()
    near = Population.concat([drawn, space.mutate(drawn, rng)]).unique() if share > 0.5 else drawn
    rows = near[rng.permutation(len(near))[: max(2, int(share * len(near)))]]
    inside, keys = within(space, rows), set(rows.keys)
    archs = inside.sample(30, rng)
    assert set(archs.keys) <= keys and inside.size == len(keys)
    mutants = inside.mutate(archs, rng)
    assert set(mutants.keys) <= keys
    assert all(a != b for a, b in zip(mutants.keys, archs.keys, strict=True))
    assert set(inside.crossover(archs, mutants, rng).keys) <= keys
    for arch in archs[:5]:
        found = inside.neighbours(arch)
        assert len(found) and set(found.keys) <= keys - {arch.key}
    outside = space.sample(50, rng)
    assert set(inside.canonical(outside).keys) <= keys
    assert inside.canonical(outside).keys == inside.canonical(outside).keys
    assert inside.mutate(outside, rng).keys and set(inside.mutate(outside, rng).keys) <= keys


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)
def test_rows_are_their_own_representatives_and_the_nearest_stands_for_others(space: Space) -> None:
    rng = np.random.default_rng(1)
    rows = space.sample(20, rng).unique()
    inside = within(space, rows)
    assert inside.canonical(rows).keys == rows.keys
    other = space.mutate(rows[:5], rng)
    for arch, found in zip(other, inside.canonical(other), strict=True):
        distances = (rows.decisions != arch.decisions).sum(1)
        assert (found.decisions != arch.decisions).sum() == distances.min()


def test_the_whole_space_is_still_read_and_known_by_its_name() -> None:
    space = NASBench201(num_cells=2)
    arch, other = space.sample(2, np.random.default_rng(0))
    inside = within(space, Population.of(space.schema, [arch]))
    assert inside.from_text(space.to_text(other)) == other
    assert inside.architecture(other.decisions) == other
    assert isinstance(inside, NASBench201) and inside.identity == space.identity and inside.num_cells == 2
    assert inside.neighbours(other).keys == [arch.key] and not len(inside.neighbours(arch))
    assert inside.mutate(Population.of(space.schema, [arch]), np.random.default_rng(0)).keys == [arch.key]
    assert space.size == 15625
