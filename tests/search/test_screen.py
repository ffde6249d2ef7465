"""Cheap metrics: counted once, constraints kept before anything is evaluated."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from gennas.errors import ConfigError
from gennas.execution import SerialExecutor
from gennas.graph import Architecture, Population
from gennas.models.surrogate import GPSurrogate
from gennas.search import Archive, Constraint, Objective, Objectives, Origin, Proposal, Search, Trial
from gennas.search.screen import Screen
from gennas.search.strategies import STRATEGIES, GenerativeSearch
from gennas.search.strategies.bayesian.beliefs import Beliefs, Outcomes
from gennas.spaces import NASBench201
from gennas.testing import SyntheticEvaluator
from gennas.workbench.config import SearchConfig
from gennas.workbench.problem import make_problem, make_strategy

SPACE = NASBench201()
GOALS = Objectives((Objective("score"),), (Constraint("cost", "<=", 2.0),))


def cost(arch: Architecture) -> Mapping[str, float]:
    return {"score": 0.0, "cost": float((arch.decisions == 3).sum())}


def test_counts_every_architecture_once() -> None:
    screen, archs = Screen(cost, ("cost",)), SPACE.sample(20, np.random.default_rng(0))
    expected = (archs.decisions == 3).sum(1)
    assert screen.columns(archs)["cost"].tolist() == expected.tolist()
    screen.columns(archs)
    assert screen.count == len(set(archs.keys))
    assert screen.keep(archs, GOALS).tolist() == np.flatnonzero(expected <= 2).tolist()
    twin = Screen(cost, ("cost",))
    twin.load_state_dict(screen.state_dict())
    assert twin.count == screen.count


def test_whole_populations_are_measured_at_once_where_that_can_be() -> None:
    archs, asked = SPACE.sample(20, np.random.default_rng(0)), list[int]()

    def costs(some: Population) -> Mapping[str, np.ndarray]:
        asked.append(len(some))
        return {"cost": (some.decisions == 3).sum(1).astype(float), "other": np.zeros(len(some))}

    def never(arch: Architecture) -> Mapping[str, float]:
        raise AssertionError

    screen = Screen(never, ("cost",), costs)
    assert screen.columns(archs)["cost"].tolist() == Screen(cost, ("cost",)).columns(archs)["cost"].tolist()
    screen.columns(archs[:5])
    assert asked == [screen.count] and screen.count == len(set(archs.keys))
    assert (
        Screen(cost, ("cost",), lambda some: None).columns(archs)["cost"].max() == screen.columns(archs)["cost"].max()
    )


def test_parameters_of_chains_are_counted_for_a_whole_population() -> None:
    config = SearchConfig(
        space="macro-chain", proxy="logsynflow,params", objective=("logsynflow:max",), constraint=("params<=1e5",),
        cheap=("params",),
    )  # fmt: skip
    problem = make_problem(config)
    strategy = make_strategy("random", {}, problem, 0)
    archs = problem.space.sample(6, np.random.default_rng(0))
    assert strategy.screen is not None and strategy.screen.measure_all is not None
    counted = strategy.screen.columns(archs)["params"].tolist()
    assert counted == [problem.evaluator.cheap(a, problem.fidelity)["params"] for a in archs]
    assert counted == [problem.evaluator.evaluate(a, problem.fidelity, 0)["params"] for a in archs]


def test_where_nothing_fits_the_least_bad_is_kept() -> None:
    goals = Objectives((Objective("score"),), (Constraint("cost", "<=", -1.0),))
    archs = SPACE.sample(20, np.random.default_rng(0))
    assert screen_row(archs, goals) == int((archs.decisions == 3).sum(1).argmin())


def screen_row(archs, goals: Objectives) -> int:
    (row,) = Screen(cost, ("cost",)).keep(archs, goals).tolist()
    return row


class _Costed(SyntheticEvaluator):
    def evaluate(self, arch, fidelity, seed):
        return {**super().evaluate(arch, fidelity, seed), "cost": cost(arch)["cost"]}


SMALL = {"unlabelled": 50, "pretrain_steps": 2}
STRATEGIES_WITH_OPTIONS = {
    "random": {},
    "local-search": {},
    "biggest-first": {},
    "regularized-evolution": {"population_size": 6, "sample_size": 3},
    "genetic": {},
    "cross-entropy": {},
    "tiny": {},
    "nsga2": {"population_size": 6},
    "bayesian": {"pool_size": 100},
    "generative": {"pool_size": 100, "shares": {"mutation": 0.5, "random": 0.5}},
    "generative-evolution": {"warm_start": 6, **SMALL},
    "diffusion-rl": {"warm_start": 6, **SMALL},
}


@pytest.mark.parametrize("name", STRATEGIES_WITH_OPTIONS)
def test_a_screened_search_evaluates_what_is_feasible(name: str) -> None:
    others = {"one-shot", "llm", "state-sharing"}  # they train or ask a model, and have tests of their own
    assert {*STRATEGIES_WITH_OPTIONS} | others == set(STRATEGIES)
    strategy = STRATEGIES.get(name)(SPACE, GOALS, 0, **STRATEGIES_WITH_OPTIONS[name])
    archive = Archive(":memory:", SPACE)
    strategy.screen = Screen(cost, ("cost",))
    Search(strategy, SerialExecutor(_Costed(SPACE.schema, 0)), archive, GOALS, 24, 0).run()
    assert max(t.metrics["cost"] for t in archive.trials()) <= 2
    assert strategy.screen.count > 24


def test_the_archive_says_how_many_were_looked_up() -> None:
    strategy = GenerativeSearch(SPACE, GOALS, 0, pool_size=100, shares={"random": 1.0})
    archive, strategy.screen = Archive(":memory:", SPACE), Screen(cost, ("cost",))
    Search(strategy, SerialExecutor(_Costed(SPACE.schema, 0)), archive, GOALS, 24, 0).run()
    assert archive.rounds()[-1]["screened"] > 100


def test_candidates_between_the_worst_measured_and_the_bound_are_not_punished() -> None:
    """What is screened is feasible for certain: only the objective decides among such candidates."""
    goals = Objectives(GOALS.objectives, (Constraint("cost", "<=", 6.0),))
    archs = SPACE.sample(400, np.random.default_rng(2)).unique()
    costs = (archs.decisions == 3).sum(1)
    measured, candidates = archs[costs <= 1], archs
    trials = [
        Trial(Proposal(a, Origin("test")), "ok", {"score": float(c), "cost": float(c)})
        for a, c in zip(measured, costs[costs <= 1], strict=True)
    ]
    beliefs = Beliefs(GPSurrogate, measured, Outcomes(goals, trials), Screen(cost, ("cost",)))
    free = Beliefs(GPSurrogate, measured, Outcomes(Objectives(GOALS.objectives), trials))
    chosen = [b.choose(candidates, 3, "ei", np.random.default_rng(0))[0] for b in (beliefs, free)]
    assert chosen[0].tolist() == chosen[1].tolist()
    assert min(costs[chosen[0]]) > 1  # the score is the cost


def test_the_problem_decides_what_can_be_cheap(tmp_path) -> None:
    settings = {"space": "nasbench-graph", "task": "cora", "constraint": ("params_m<=0.8",), "out": tmp_path}
    problem = make_problem(SearchConfig(**settings, cheap=("params_m",)))
    strategy = make_strategy("random", (), problem, 0)
    assert strategy.screen is not None
    starts = strategy.ask(5)
    assert all(problem.table.lookup(p.arch)["params_m"] <= 0.8 for p in starts)
    for name in ("val_accuracy", "latency_s", "nothing"):
        with pytest.raises(ConfigError, match=r"cannot be a cheap metric.*here: params_m"):
            make_problem(SearchConfig(**settings, cheap=(name,)))
