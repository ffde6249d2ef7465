"""The contract of strategies fails what breaks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pytest

from gennas.search import Objectives, Origin, Proposal, Strategy, Trial
from gennas.search.strategies import RandomSearch
from gennas.spaces import NASBench201, Space
from gennas.testing import StrategyContract

CHECKS = [name for name in dir(StrategyContract) if name.startswith("test_")]


class One(RandomSearch):
    """Random search, one at a time."""

    @property
    def batch_size(self) -> int:
        return 1


class Repeating(One):
    """Always proposes what it proposed first."""

    def ask(self, n: int) -> list[Proposal]:
        return [self._propose(self.space.architecture([0] * self.space.schema.num_decisions), Origin("x"))]


class Unseeded(One):
    """Draws from another generator at every start."""

    count: ClassVar[int] = 0

    def __init__(self, space: Space, objectives: Objectives, seed: int = 0) -> None:
        super().__init__(space, objectives, seed)
        Unseeded.count += 1
        self.rng = np.random.default_rng(Unseeded.count)


class Constant(One):
    """Ignores the seed."""

    def __init__(self, space: Space, objectives: Objectives, seed: int = 0) -> None:
        super().__init__(space, objectives, 0)


class Forgetful(One):
    """Restores what was seen, and goes on with other random numbers."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.rng = np.random.default_rng(99)


class Deaf(One):
    """Does not remember what others evaluated."""

    def tell(self, trials: Sequence[Trial]) -> None:
        return None

    def ask(self, n: int) -> list[Proposal]:
        foreign = self.space.sample(30, np.random.default_rng(9)).unique()
        fresh = [arch for arch in foreign if arch.key not in self.seen]
        return [self._propose(fresh[0], Origin("x"))] if fresh else super().ask(n)


class Fragile(One):
    """Reads the score of a failed trial."""

    def tell(self, trials: Sequence[Trial]) -> None:
        super().tell(trials)
        assert all(t.metrics["score"] > -1e9 for t in trials)


class Hasty(One):
    """Proposes nothing more after ten trials."""

    def ask(self, n: int) -> list[Proposal]:
        return [] if len(self.seen) >= 10 else super().ask(n)


def contract(make: type[Strategy]) -> StrategyContract:
    class Checked(StrategyContract):
        budget = 24

        def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
            return make(space, objectives, seed)

        def spaces(self) -> list[Space]:
            return [NASBench201()]

    return Checked()


@pytest.mark.parametrize(
    ("make", "check", "error"),
    [
        (Repeating, "test_spends_the_budget_on_distinct_valid_architectures", AssertionError),
        (Hasty, "test_spends_the_budget_on_distinct_valid_architectures", AssertionError),
        (Unseeded, "test_the_same_seed_proposes_the_same_and_another_does_not", AssertionError),
        (Constant, "test_the_same_seed_proposes_the_same_and_another_does_not", AssertionError),
        (Unseeded, "test_workers_and_order_of_finishing_do_not_matter", AssertionError),
        (Forgetful, "test_a_restored_state_continues_exactly", AssertionError),
        (Deaf, "test_accepts_foreign_and_failed_trials", AssertionError),
        (Fragile, "test_accepts_foreign_and_failed_trials", KeyError),
        (Fragile, "test_all_failing_is_survived", KeyError),
    ],
)
def test_a_broken_strategy_is_caught(make: type[Strategy], check: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        getattr(contract(make), check)()


@pytest.mark.parametrize("check", CHECKS)
def test_a_working_strategy_passes(check: str) -> None:
    getattr(contract(One), check)()
