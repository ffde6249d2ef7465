"""NSGA-II: its contract, its survivors as pymoo chooses them, and that it beats random search."""

from __future__ import annotations

import numpy as np
import pytest
from pymoo.algorithms.moo.nsga2 import RankAndCrowding
from pymoo.core.population import Population as PymooPopulation
from pymoo.core.problem import Problem
from scipy.stats import wilcoxon

from gennas.errors import ConfigError
from gennas.execution import SerialExecutor
from gennas.graph import Architecture
from gennas.search import Archive, Objective, Objectives, Origin, Proposal, Search, Strategy, Trial
from gennas.search.hypervolume import hypervolume, signed_values
from gennas.search.strategies import NSGA2, RandomSearch
from gennas.spaces import NASBench201, Space
from gennas.testing import StrategyContract, SyntheticEvaluator

GOALS = Objectives((Objective("score", "max"), Objective("ones", "min")))


class TwoGoals(SyntheticEvaluator):
    """The synthetic score, and how many edges are convolutions."""

    def evaluate(self, arch: Architecture, fidelity, seed: int):
        convolutions = np.isin(arch.decisions, (2, 3)).sum()
        return dict(super().evaluate(arch, fidelity, seed)) | {"ones": float(convolutions)}


class TestNSGA2(StrategyContract):
    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        return NSGA2(space, objectives, seed, population_size=8)


def run(strategy: Strategy, budget: int, seed: int = 0) -> list[Trial]:
    evaluator = TwoGoals(strategy.space.schema, seed)
    archive = Archive(":memory:", strategy.space)
    return list(Search(strategy, SerialExecutor(evaluator), archive, GOALS, budget, seed).run().trials)


def test_survivors_are_those_of_pymoo() -> None:
    space, rng = NASBench201(), np.random.default_rng(0)
    archs = list(space.sample(40, rng).unique())[:30]
    values = rng.permutation(np.linspace(0, 1, 2 * len(archs))).reshape(-1, 2)  # no ties
    trials = [
        Trial(Proposal(a, Origin("test")), "ok", {"score": float(v), "ones": float(w)})
        for a, (v, w) in zip(archs, values, strict=True)
    ]
    strategy = NSGA2(space, GOALS, population_size=12)
    strategy.tell(trials)
    members = {t.arch.key for t in strategy._members}
    costs = np.stack([-values[:, 0], values[:, 1]], 1)
    kept = RankAndCrowding().do(Problem(n_var=1, n_obj=2), PymooPopulation.new("F", costs), n_survive=12)
    wanted = {archs[int(np.flatnonzero((costs == row).all(1))[0])].key for row in kept.get("F")}
    assert members == wanted


def test_generations() -> None:
    trials = run(NSGA2(NASBench201(), GOALS, 0, population_size=10), 40)
    sources = [t.proposal.origin.source for t in trials]
    assert sources[:10] == ["random"] * 10
    assert set(sources[10:]) <= {"crossover", "mutation"} and "crossover" in sources[10:]
    keys = [t.arch.key for t in trials]
    assert len(set(keys)) == 40
    for i, trial in enumerate(trials[10:], start=10):
        born = i // 10 * 10  # children of a generation know nothing of one another
        assert set(trial.proposal.origin.parents) <= set(keys[:born])


def test_without_crossover_children_have_one_parent() -> None:
    trials = run(NSGA2(NASBench201(), GOALS, 0, population_size=10, crossover=0.0), 20)
    assert all(len(t.proposal.origin.parents) == 1 for t in trials[10:])


def test_larger_hypervolume_than_random_search() -> None:
    def volume(strategy: type[Strategy], seed: int) -> float:
        _, values = signed_values(run(strategy(NASBench201(), GOALS, seed), 120, seed), GOALS)
        return hypervolume(values + np.array([3.0, 6.5]))

    gain = [volume(NSGA2, seed) - volume(RandomSearch, seed) for seed in range(12)]
    assert wilcoxon(np.array(gain), alternative="greater").pvalue < 0.01


@pytest.mark.parametrize("options", [{"population_size": 1}, {"crossover": 1.5}])
def test_bad_settings(options) -> None:
    with pytest.raises(ConfigError, match="two members"):
        NSGA2(NASBench201(), GOALS, **options)
