"""Local search: its contract, its moves, and that it beats random search."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from scipy.stats import wilcoxon

from gennas.errors import ConfigError
from gennas.eval.base import FULL_FIDELITY
from gennas.execution import SerialExecutor
from gennas.search import Archive, Constraint, Objective, Objectives, Search, Strategy
from gennas.search.screen import Screen
from gennas.search.strategies import LocalSearch, RandomSearch
from gennas.spaces import MacroChain, NASBench201, Space
from gennas.testing import StrategyContract, SyntheticEvaluator
from gennas.testing.landscapes import ChoiceSpace, make_landscape

GOALS = Objectives((Objective("score"),))


class TestLocalSearch(StrategyContract):
    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        return LocalSearch(space, objectives, seed)


class TestWider(StrategyContract):
    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        return LocalSearch(space, objectives, seed, edits=3, tries=4, restart_edits=3)


@pytest.mark.parametrize(
    ("space", "bound", "expected"),
    [(NASBench201(), 12, "a51a58378faefd81"), (MacroChain(max_depth=4), 134, "fd94f287010ee788")],
)
def test_the_defaults_propose_what_they_did_before_they_were_options(space: Space, bound: float, expected: str) -> None:
    """Digests of 120 trials of the version without options."""
    goals = Objectives((Objective("score"),), (Constraint("size", "<=", bound),))
    strategy, evaluator = LocalSearch(space, goals, 3), SyntheticEvaluator(space.schema, 2)
    strategy.screen = Screen(lambda arch: evaluator.evaluate(arch, FULL_FIDELITY, 0), ("size",))
    search = Search(strategy, SerialExecutor(evaluator), Archive(":memory:", space), goals, 120, 3)
    keys = "".join(t.arch.key for t in search.run().trials)
    assert hashlib.blake2b(keys.encode(), digest_size=8).hexdigest() == expected
    assert set(strategy.state_dict()) == {"rng", "seen", "screen", "queue", "current", "arch", "status"}


def test_at_a_local_optimum_two_edits_then_a_restart_near_the_best() -> None:
    landscape = make_landscape("nk", seed=3, space=ChoiceSpace(8, 2))
    goals = landscape.objectives
    strategy = LocalSearch(landscape.space, goals, 0, edits=2, tries=6, restart_edits=3)
    archive = Archive(":memory:", landscape.space)
    trials = Search(strategy, SerialExecutor(landscape), archive, goals, 100).run().trials
    scores = {t.arch.key: t.metrics["score"] for t in trials}
    decisions = {t.arch.key: t.arch.decisions for t in trials}
    seen, wide, near = set[str](), 0, 0
    for trial in trials:
        origin = trial.proposal.origin
        if origin.source == "neighbour":
            far = int((decisions[origin.parents[0]] != trial.arch.decisions).sum())
            if far == 2:  # only once all single edits are known
                parent = landscape.space.architecture(decisions[origin.parents[0]])
                assert set(landscape.space.neighbours(parent).keys) <= seen
                wide += 1
            assert far in (1, 2)
        elif origin.parents:
            assert scores[origin.parents[0]] == max(scores[key] for key in seen)
            assert (decisions[origin.parents[0]] != trial.arch.decisions).sum() <= 3
            near += 1
        seen.add(trial.arch.key)
    assert wide > 5 and near > 1


@pytest.mark.parametrize("options", [{"edits": 0}, {"tries": 0}, {"restart_edits": -1}])
def test_bad_settings(options) -> None:
    with pytest.raises(ConfigError, match="at least one edit"):
        LocalSearch(NASBench201(), GOALS, **options)


def best_after(strategy: type[Strategy], budget: int, seed: int) -> float:
    space = NASBench201()
    evaluator = SyntheticEvaluator(space.schema, seed)
    search = Search(
        strategy(space, GOALS, seed), SerialExecutor(evaluator), Archive(":memory:", space), GOALS, budget, seed
    )
    return search.run().best.metrics["score"]


def test_proposes_neighbours_of_the_incumbent_until_one_is_better() -> None:
    space = NASBench201()
    evaluator = SyntheticEvaluator(space.schema)
    strategy = LocalSearch(space, GOALS, 0)
    search = Search(strategy, SerialExecutor(evaluator), Archive(":memory:", space), GOALS, 30)
    current = None
    for trial in search.run().trials:
        if trial.proposal.origin.source == "restart":
            current = trial
            continue
        assert trial.proposal.origin.parents == (current.arch.key,)
        assert trial.arch in list(space.neighbours(current.arch))
        if trial.metrics["score"] > current.metrics["score"]:
            current = trial


def test_beats_random_search() -> None:
    ours = [best_after(LocalSearch, 60, seed) for seed in range(15)]
    theirs = [best_after(RandomSearch, 60, seed) for seed in range(15)]
    assert wilcoxon(np.array(ours) - np.array(theirs), alternative="greater").pvalue < 0.01
