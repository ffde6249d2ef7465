"""Where the complete strategy looks unless it is told: one rule, which the rounds record."""

from __future__ import annotations

import pytest

from gennas.execution import SerialExecutor
from gennas.search import Archive, Objective, Objectives, Search
from gennas.search.strategies import GenerativeSearch
from gennas.search.strategies.generative.defaults import LARGE, default_pool
from gennas.spaces import MacroChain, NASBench101, NASBench201, NASBenchGraph, Space
from gennas.testing import SyntheticEvaluator

GOALS = Objectives((Objective("score"),))


class Uncounted(NASBench201):
    """Whose size nobody knows."""

    @property
    def size(self) -> int | None:
        return None


@pytest.mark.parametrize(
    ("space", "large"),
    [
        (NASBench201(), False),
        (NASBenchGraph(), False),
        (NASBench101(), False),
        (Uncounted(), False),  # 5^6
        (MacroChain(max_depth=3), False),  # 160,380
        (MacroChain(max_depth=4), True),  # 8,132,508
        (MacroChain(), True),
    ],
    ids=lambda part: getattr(part, "name", part),
)
def test_the_size_of_the_space_decides(space: Space, large: bool) -> None:
    shares, kernels = default_pool(space)
    assert sum(shares.values()) == pytest.approx(1) and sum(kernels.values()) == pytest.approx(1)
    assert (shares["evolve"] > 0.5) == large
    assert space.size is None or (space.size > LARGE) == large
    assert GenerativeSearch(space, GOALS).shares == shares


def test_the_rounds_record_where_candidates_came_from() -> None:
    space = MacroChain(max_depth=4)
    archive = Archive(":memory:", space)
    options = {"warm_start": 6, "round_size": 3, "pool_size": 40, "unlabelled": 50, "pretrain_steps": 2}
    strategy = GenerativeSearch(space, GOALS, 0, **options)
    Search(strategy, SerialExecutor(SyntheticEvaluator(space.schema, 0)), archive, GOALS, 9, 0).run()
    record = archive.rounds()[-1]
    shares, kernels = default_pool(space)
    assert {f"share_{name}" for name in shares} | {f"kernel_{name}" for name in kernels} <= set(record)
    assert record["share_random"] == pytest.approx(shares["random"])
    assert sum(record[f"kernel_{name}"] for name in kernels) == pytest.approx(1)


def test_kernels_can_be_chosen_where_shares_are_left_open() -> None:
    strategy = GenerativeSearch(MacroChain(), GOALS, kernels={"crossover": 1.0})
    assert list(strategy.sources["evolve"].kernels) == ["crossover"]
