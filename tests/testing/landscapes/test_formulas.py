"""Every landscape against its definition: interactions, exact moments and optima by enumeration."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.spaces import NASBench201
from gennas.testing.landscapes import (
    AdditiveLandscape,
    BlocksLandscape,
    ChoiceSpace,
    DeepChain,
    Landscape,
    NKLandscape,
    RareLandscape,
    SeparableLandscape,
)


def everything(space: ChoiceSpace) -> Population:
    d, k = space.schema.num_decisions, space.num_labels
    return Population.from_decisions(space.schema, np.array(list(product(range(k), repeat=d))))


def interaction(landscape: Landscape, slots: tuple[int, ...]) -> float:
    """Mixed difference over some decisions, of the architecture of first labels."""
    signs = np.array(list(product((0, 1), repeat=len(slots))))
    D = np.zeros((len(signs), landscape.space.schema.num_decisions), dtype=np.int16)
    D[:, list(slots)] = 2 * signs
    values = landscape.values(Population.from_decisions(landscape.space.schema, D))
    return float(((-1.0) ** signs.sum(1) * values).sum())


def linked(landscape: Landscape, order: int) -> int:
    """How many groups of decisions out of the first ten interact."""
    groups = [g for g in product(range(10), repeat=order) if list(g) == sorted(set(g))]
    return sum(abs(interaction(landscape, g)) > 1e-9 for g in groups)


def test_nk_links_a_decision_with_its_partners() -> None:
    space = ChoiceSpace(10, 4)
    assert linked(NKLandscape(space, 1, partners=0), 2) == 0 < linked(NKLandscape(space, 1, partners=0), 1)
    assert linked(NKLandscape(space, 1, partners=1), 3) == 0 < linked(NKLandscape(space, 1, partners=1), 2) <= 10
    two = NKLandscape(space, 1)
    assert linked(two, 4) == 0 < linked(two, 3) <= 10
    with pytest.raises(ConfigError, match="0 to 9 partners"):
        NKLandscape(space, partners=10)


def test_additive_links_pairs_and_keeps_its_bound() -> None:
    space = ChoiceSpace(10, 4, ordinal=True)
    landscape = AdditiveLandscape(space, 1, pairs=7)
    assert linked(landscape, 3) == 0 < linked(landscape, 2) <= 7
    archs = AdditiveLandscape(seed=3).space.sample(5000, np.random.default_rng(8))
    landscape = AdditiveLandscape(seed=3)
    assert abs((landscape.costs(archs) <= landscape.bound).mean() - 0.2) < 0.02
    more = Population.from_decisions(archs.schema, np.minimum(archs.decisions + 1, 3))
    assert (landscape.costs(more) > landscape.costs(archs)).all()
    assert landscape.values(more).mean() > landscape.values(archs).mean() + 0.5
    with pytest.raises(ConfigError, match="quantile"):
        AdditiveLandscape(quantile=0.0)


def test_blocks_interact_within_only_and_the_optimum_is_exact() -> None:
    landscape = BlocksLandscape(ChoiceSpace(6, 3), 2, block=3)
    first, second = landscape.blocks.tolist()
    assert abs(interaction(landscape, tuple(first))) > 1e-6
    assert abs(interaction(landscape, (first[0], second[0]))) < 1e-9
    values = landscape.values(everything(landscape.space))
    assert values.max() == pytest.approx(landscape.optimum, abs=1e-12)
    assert values.mean() == pytest.approx(0, abs=1e-12) and values.std() == pytest.approx(1)
    assert BlocksLandscape().blocks.shape == (16, 3) and sorted(BlocksLandscape().blocks.ravel()) == list(range(48))
    with pytest.raises(ConfigError, match="divide 48"):
        BlocksLandscape(block=5)


@pytest.mark.parametrize("seed", [0, 1])
def test_rare_is_counted_exactly(seed: int) -> None:
    landscape = RareLandscape(ChoiceSpace(8, 3), seed, share=0.3)
    archs = everything(landscape.space)
    values, feasible = landscape.values(archs), landscape.costs(archs) <= landscape.bound
    assert feasible.mean() == pytest.approx(landscape.feasible_share) and landscape.feasible_share <= 0.3
    assert (landscape.costs(archs) <= landscape.bound + 1).mean() > 0.3
    assert values[feasible].max() == pytest.approx(landscape.optimum, abs=1e-12)
    assert values.max() > landscape.optimum  # the bound binds
    assert values.mean() == pytest.approx(0, abs=1e-12) and values.std() == pytest.approx(1)


def test_rare_at_its_size() -> None:
    shares = [RareLandscape(seed=seed).feasible_share for seed in range(10)]
    assert max(shares) <= 1e-3 and min(shares) > 1e-4
    with pytest.raises(ConfigError, match="share of feasible"):
        RareLandscape(share=1e-30)


def test_separable_is_climbed_one_decision_at_a_time() -> None:
    landscape = SeparableLandscape(DeepChain((2, 3)), 4)
    arch = landscape.space.sample(1, np.random.default_rng(0))[0]
    values = landscape.values(landscape.space.sample(20_000, np.random.default_rng(1)))
    assert values.max() == pytest.approx(landscape.optimum, abs=1e-12)  # 1,620 + 14,580 / ... architectures: all seen
    for _ in range(40):
        near = landscape.space.neighbours(arch)
        best = landscape.values(near)
        if best.max() <= landscape.evaluate(arch, None, 0)["score"]:  # type: ignore[arg-type]
            break
        arch = near[int(best.argmax())]
    assert landscape.evaluate(arch, None, 0)["score"] > landscape.optimum - 2  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="DeepChain"):
        SeparableLandscape(NASBench201())  # type: ignore[arg-type]
