"""A language model beside a classical strategy whose state it is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gennas.errors import ConfigError
from gennas.execution import SerialExecutor
from gennas.models.llm import Decisions
from gennas.search import Archive, Objective, Objectives, Origin, Proposal, Search, Strategy, Trial
from gennas.search.strategies import StateSharingSearch
from gennas.search.strategies.llm.state_sharing import MOST, credit_of
from gennas.search.strategy import Context
from gennas.spaces import NASBench201, Space
from gennas.testing import StrategyContract, SyntheticEvaluator
from gennas.testing.scripted_models import Adversary, Oracle
from gennas.training import make_task

GOALS = Objectives((Objective("score"),))
QUICK = {"warm_start": 6, "pool_size": 60, "round_size": 3, "shares": {"mutation": 0.5, "random": 0.5}}


class TestStateSharing(StrategyContract):
    budget = 24

    @pytest.fixture(autouse=True)
    def _model(self, fond: Any) -> None:
        self.fond = fond

    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        return StateSharingSearch(space, objectives, seed, model=self.fond, share=0.3, beside_option=QUICK)


class TestBesideEvolution(StrategyContract):
    budget = 30

    @pytest.fixture(autouse=True)
    def _model(self, fond: Any) -> None:
        self.fond = fond

    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        options = {"population_size": 8, "sample_size": 3}
        return StateSharingSearch(
            space, objectives, seed, model=self.fond, share=0.3, beside="regularized-evolution", beside_option=options
        )


def run(model: Any, budget: int = 60, seed: int = 0, **options: Any) -> tuple[StateSharingSearch, list[Trial]]:
    space = NASBench201()
    settings = {"share": 0.3, "beside_option": QUICK} | options
    strategy = StateSharingSearch(space, GOALS, seed, model=model, **settings)
    executor = SerialExecutor(SyntheticEvaluator(space.schema))
    return strategy, list(Search(strategy, executor, Archive(":memory:", space), GOALS, budget, seed).run().trials)


def test_it_makes_at_most_three_of_ten_proposals_after_the_start(fond: Any) -> None:
    _, trials = run(fond, bandit=False)
    own = np.array([t.proposal.origin.source == "llm" for t in trials])
    assert not own[:6].any() and own[6:].sum() == int(MOST * 54)
    for end in range(7, 61):
        assert own[6:end].sum() <= MOST * (end - 6) + 1


def test_it_sees_the_state_and_the_strategy_is_told_everything(fond: Any) -> None:
    strategy, trials = run(fond)
    last = fond.messages[-1]
    assert all(f"<{part}>" in last for part in ("results", "elites", "beliefs", "candidates"))
    assert "edge 0 to 1:" in last.split("<beliefs>")[1]
    told = {t.arch.key for t in strategy.beside._trials}  # type: ignore[attr-defined]
    assert told == {t.arch.key for t in trials} and any(t.proposal.origin.source == "llm" for t in trials)


def test_an_oracle_wins_share_and_an_adversary_loses_it() -> None:
    space = NASBench201()
    evaluator, decisions = SyntheticEvaluator(space.schema), Decisions(space.schema, space.legal, space.completions)

    def truth(D: np.ndarray) -> np.ndarray:
        return np.array([evaluator.evaluate(space.architecture(row), None, 0)["score"] for row in D])  # type: ignore[arg-type]

    shares = {}
    for kind in (Oracle, Adversary):
        strategy, trials = run(kind(decisions, truth, samples=8), budget=70, share=0.2)
        own = sum(t.proposal.origin.source == "llm" for t in trials)
        shares[kind] = strategy.share, own
    assert shares[Oracle][0] > 0.2 > 0.1 > shares[Adversary][0]
    assert shares[Adversary][1] <= 0.1 * 70 and shares[Oracle][1] > shares[Adversary][1]


def test_a_model_that_repeats_itself_loses_its_share(make_fond: Any) -> None:
    strategy, trials = run(make_fond(strength=1e30), budget=70, share=0.2)
    assert sum(t.proposal.origin.source == "llm" for t in trials) <= 1
    assert strategy.share < 0.1


def test_credit_is_the_eighth_power_of_the_quantile_among_what_was_there() -> None:
    archs = NASBench201().sample(8, np.random.default_rng(0))

    def trial(i: int, score: float, status: Any = "ok") -> Trial:
        return Trial(Proposal(archs[i], Origin("x")), status, {"score": score} if status == "ok" else {})

    before = [trial(i, float(i)) for i in range(4)]
    found = credit_of(GOALS, before, [trial(4, 9.0), trial(5, 1.5), trial(6, -1.0), trial(7, 0.0, "failed")])
    assert found == pytest.approx([1.0, 0.5**8, 0.0, 0.0])
    assert credit_of(GOALS, [], [trial(0, 1.0)]) == [0.0]


def test_a_strategy_beside_it_that_trains_is_told_where_and_for_what(fond: Any, tmp_path: Path) -> None:
    space, option = NASBench201(num_cells=1, width=4), {"method": "gdas", "epochs": 1, "data_fraction": 0.3}
    strategy = StateSharingSearch(space, GOALS, model=fond, beside="one-shot", beside_option=option)
    with pytest.raises(ConfigError, match="needs a task"):
        strategy.prepare(Context(tmp_path))
    strategy.prepare(Context(tmp_path, make_task("digits")))
    assert [p.origin.source for p in strategy.ask(2)] == ["gdas", "gdas"]
    assert strategy.spent()["supernet_seconds"] > 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"share": 0.4}, "at most 0.3"),
        ({"share": 0.0}, "positive"),
        ({"beside": "llm"}, "without a language model"),
        ({"beside_option": {"model": "vllm"}}, "without a language model"),
        ({"beside": "random", "beside_option": {"x": 1}}, "Unknown option 'x'"),
    ],
)
def test_bad_settings_are_refused(options: dict[str, Any], says: str, fond: Any) -> None:
    with pytest.raises(ConfigError, match=says):
        StateSharingSearch(NASBench201(), GOALS, model=fond, **options)
