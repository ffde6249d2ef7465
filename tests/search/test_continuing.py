"""Continuing: killed, extended, failed and retried searches, a person's own points, and asynchronous ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gennas.errors import ConfigError, EvaluationError
from gennas.execution import SerialExecutor
from gennas.search import STRATEGIES, Archive, Objective, Objectives, Search, Trial
from gennas.search.strategies import LocalSearch, RandomSearch, RegularizedEvolution
from gennas.spaces import NASBench201
from gennas.testing import SyntheticEvaluator

SPACE = NASBench201()
GOALS = Objectives((Objective("score"),))
EVALUATOR = SyntheticEvaluator(SPACE.schema)
SMALL: dict[str, dict[str, Any]] = {
    "regularized-evolution": {"population_size": 10},
    "nsga2": {"population_size": 6},
    "generative-evolution": {"population_size": 7},
}


class InOrderOfKeys(SerialExecutor):
    """Runs ``capacity`` at once; of those in flight, the one with the least key ends first."""

    def __init__(self, evaluator: Any = EVALUATOR, capacity: int = 3) -> None:
        super().__init__(evaluator)
        self.capacity = capacity

    def wait_any(self) -> Trial:
        first = min(range(len(self._queue)), key=lambda i: self._queue[i].arch.key)
        self._queue.rotate(-first)
        return super().wait_any()


class Broken:
    """Fails for some numbers of calls, or raises an interruption at one."""

    metrics, cost_class, protocol = EVALUATOR.metrics, "expensive", EVALUATOR.protocol

    def __init__(self, fails: range = range(0), interrupt: int = -1) -> None:
        self.fails, self.interrupt, self.calls = fails, interrupt, 0

    def evaluate(self, arch, fidelity, seed) -> Mapping[str, float]:
        self.calls += 1
        if self.calls == self.interrupt:
            raise KeyboardInterrupt
        if self.calls in self.fails:
            raise OSError(f"disk {self.calls} is full")
        return EVALUATOR.evaluate(arch, fidelity, seed)


def make(
    path: Path | str, strategy: Any = RandomSearch, budget: int = 40, executor: Any = None, **options: Any
) -> Search:
    factory = STRATEGIES.get(strategy) if isinstance(strategy, str) else strategy
    small = SMALL.get(strategy, {}) if isinstance(strategy, str) else {}
    archive = Archive(path if str(path) == ":memory:" else Path(path), SPACE)
    executor = executor or SerialExecutor(EVALUATOR)
    return Search(factory(SPACE, GOALS, seed=3, **small), executor, archive, GOALS, budget, 3, **options)


def outcome(trials: Any) -> list[tuple]:
    return [(t.proposal.id, t.arch.key, t.proposal.seed, t.proposal.origin, t.status, dict(t.metrics)) for t in trials]


def rounds(path: Path) -> list[dict]:
    """The archive's rounds without what is measured in seconds."""
    return [{k: v for k, v in r.items() if not k.endswith("_s")} for r in Archive(path, SPACE).rounds()]


# ---------------------------------------------------------------------- more budget


OWN_TESTS = {"one-shot", "llm", "state-sharing"}  # they train or ask a model: strategies/one_shot, strategies/llm


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name not in OWN_TESTS])
def test_an_extended_run_equals_one_of_that_budget(strategy: str, tmp_path: Path) -> None:
    whole = make(tmp_path / "whole.sqlite", strategy, 40).run()
    make(tmp_path / "extended.sqlite", strategy, 11).run()
    make(tmp_path / "extended.sqlite", strategy, 24).run()
    extended = make(tmp_path / "extended.sqlite", strategy, 40).run()
    assert outcome(extended.trials) == outcome(whole.trials)
    assert rounds(tmp_path / "extended.sqlite") == rounds(tmp_path / "whole.sqlite")


def test_target_and_limit_do_not_change_what_is_proposed(tmp_path: Path) -> None:
    whole = make(":memory:", RandomSearch, 40).run()
    values = [t.metrics["score"] for t in whole.trials]
    first = next(n for n, value in enumerate(values, 1) if value >= sorted(values)[30])
    stopped = make(tmp_path / "a.sqlite", RandomSearch, 40, target=sorted(values)[30]).run()
    assert stopped.stopped == "target" and len(stopped.trials) == first  # in the middle of a batch of 32
    limited = make(
        tmp_path / "a.sqlite", RandomSearch, 40, limits={"size": sum(t.metrics["size"] for t in whole.trials[:17])}
    )
    result = limited.run()
    assert result.stopped == "limit" and len(result.trials) == max(17, first)
    assert outcome(make(tmp_path / "a.sqlite", RandomSearch, 40).run().trials) == outcome(whole.trials)


def test_trials_are_heard_of_when_they_arrive_and_the_rate_is_not_of_a_batch() -> None:
    heard: list[tuple[int, int]] = []
    evaluator = Broken()

    class Ear:
        def on_trial(self, trial, n_evals, incumbent) -> None:
            heard.append((n_evals, evaluator.calls))

        def on_round(self, n_evals, record) -> None: ...

    make(":memory:", RandomSearch, 40, SerialExecutor(evaluator), listeners=[Ear()]).run()
    assert heard == [(n, n) for n in range(1, 41)]


# ---------------------------------------------------------------------- asynchronous


@pytest.mark.parametrize("strategy", ["random", "local-search", "regularized-evolution", "bayesian", "generative"])
@pytest.mark.parametrize("snapshot_every_s", [0.0, 1e9])
def test_a_killed_asynchronous_run_goes_on_as_it_was(strategy: str, snapshot_every_s: float, tmp_path: Path) -> None:
    options: dict[str, Any] = {"asynchronous": True, "snapshot_every_s": snapshot_every_s}
    whole = make(":memory:", strategy, 30, InOrderOfKeys(), **options).run()
    path = tmp_path / "killed.sqlite"
    for stop in (1, 6, 2, 9):  # with trials in flight, whose numbers are missing in the archive
        with pytest.raises(KeyboardInterrupt):
            make(path, strategy, 30, InOrderOfKeys(Broken(interrupt=stop)), **options).run()
    found = [t.proposal.id for t in Archive(path, SPACE).trials()]
    assert len(found) == 14 and found != list(range(14))
    assert outcome(make(path, strategy, 30, InOrderOfKeys(), **options).run().trials) == outcome(whole.trials)


def test_an_asynchronous_archive_of_the_former_version_with_gaps_continues(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    make(path, LocalSearch, 20, InOrderOfKeys(), asynchronous=True).run()
    archive = Archive(path, SPACE)
    with archive.together():  # what 0.1.0 left when it was killed
        archive.set_aside([3, 7])
        archive.drop_asked()
        archive.drop_snapshot()
        archive.drop_meta("complete")
    archive.close()
    result = make(path, LocalSearch, 26, InOrderOfKeys(), asynchronous=True).run()
    assert [t.proposal.id for t in result.trials] == list(range(26)) and len({t.arch.key for t in result.trials}) == 26


# ---------------------------------------------------------------------- failures and retries


@pytest.mark.parametrize("strategy", ["random", "local-search", "regularized-evolution", "nsga2"])
@pytest.mark.parametrize("snapshot_every_s", [0.0, 1e9])
def test_a_run_that_failures_ended_goes_on_as_if_nothing_had_failed(
    strategy: str, snapshot_every_s: float, tmp_path: Path
) -> None:
    whole = make(":memory:", strategy, 60).run()
    path, options = tmp_path / "a.sqlite", {"snapshot_every_s": snapshot_every_s}
    with pytest.raises(EvaluationError, match=r"The last 20 trials failed with: OSError: disk 14 is full"):
        make(path, strategy, 60, SerialExecutor(Broken(fails=range(14, 100))), **options).run()
    with pytest.raises(EvaluationError):
        make(path, strategy, 60, SerialExecutor(Broken(fails=range(1, 100))), **options).run()
    result = make(path, strategy, 60, **options).run()
    assert outcome(result.trials) == outcome(whole.trials)
    attempts = Archive(path, SPACE).attempts()
    assert len(attempts) == 40 and {a.status for a in attempts} == {"failed"}
    again = attempts[-1]
    assert result.trials[again.id].cost["seconds"] > again.cost["seconds"] > 0  # every second is charged


@pytest.mark.parametrize("asynchronous", [False, True])
def test_retried_trials_keep_number_and_seed_and_the_search_goes_on(asynchronous: bool, tmp_path: Path) -> None:
    path, mode = tmp_path / "a.sqlite", {"asynchronous": asynchronous}
    first = make(path, LocalSearch, 30, InOrderOfKeys(Broken(fails=range(5, 9))), **mode).run()
    failed = [t.proposal for t in first.trials if not t.ok]
    assert len(failed) == 4
    assert [t.status for t in make(path, LocalSearch, 30, InOrderOfKeys(), **mode).run().trials].count("failed") == 4
    heard: list[int] = []

    class Ear:
        def on_trial(self, trial, n_evals, incumbent) -> None:
            heard.append(n_evals)

        def on_round(self, n_evals, record) -> None: ...

    executor = InOrderOfKeys(Broken(interrupt=3))
    with pytest.raises(KeyboardInterrupt):
        make(path, LocalSearch, 30, executor, retry=("failed",), **mode).run()
    retried = make(
        path, LocalSearch, 30, InOrderOfKeys(), listeners=[Ear()], **mode
    ).run()  # goes on without being told
    assert all(t.ok for t in retried.trials) and heard == list(range(1, 31))
    assert [retried.trials[p.id].proposal for p in failed] == failed
    more = make(path, LocalSearch, 50, InOrderOfKeys(), **mode).run()
    assert outcome(more.trials)[:30] == outcome(retried.trials)
    assert len({t.arch.key for t in more.trials}) == 50 and all(t.ok for t in more.trials)


def test_a_retried_and_killed_run_equals_one_that_was_only_retried(tmp_path: Path) -> None:
    found = []
    for name, stops in (("whole", ()), ("killed", (1, 3, 6, 2))):
        path = tmp_path / f"{name}.sqlite"
        make(path, RegularizedEvolution, 30, SerialExecutor(Broken(fails=range(5, 9)))).run()
        for stop in stops:
            with pytest.raises(KeyboardInterrupt):
                executor = SerialExecutor(Broken(interrupt=stop))
                make(path, RegularizedEvolution, 60, executor, retry=("failed",), snapshot_every_s=0.0).run()
        found.append(outcome(make(path, RegularizedEvolution, 60, retry=("failed",)).run().trials))
    assert found[0] == found[1] and len(found[0]) == 60


# ---------------------------------------------------------------------- a person's own points


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("strategy", ["random", "local-search", "bayesian"])
def test_enqueued_points_come_first_once_and_survive_kills(strategy: str, asynchronous: bool, tmp_path: Path) -> None:
    known = list(SPACE.sample(5, np.random.default_rng(8)).unique())
    found = []
    for name, stops in (("whole", ()), ("killed", (3, 2, 4))):
        path = tmp_path / f"{name}.sqlite"
        for stop in (*stops, -1):
            search = make(path, strategy, 24, InOrderOfKeys(Broken(interrupt=stop)), asynchronous=asynchronous)
            search.enqueue([*known, known[0]])
            if stop > 0:
                with pytest.raises(KeyboardInterrupt):
                    search.run()
            else:
                found.append(search.run().trials)
    assert outcome(found[0]) == outcome(found[1])
    assert [t.arch for t in found[0][:5]] == known and len(found[0]) == 24
    assert [t.proposal.origin.source for t in found[0]].count("enqueued") == 5


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("charged", [False, True])
def test_measured_points_are_learned_from_and_charged_or_given(
    charged: bool, asynchronous: bool, tmp_path: Path
) -> None:
    known = list(SPACE.sample(6, np.random.default_rng(8)).unique())
    path = tmp_path / "a.sqlite"
    evaluator = Broken()
    search = make(path, LocalSearch, 20, InOrderOfKeys(evaluator), asynchronous=asynchronous)
    search.ingest([(arch, EVALUATOR.evaluate(arch, None, 0)) for arch in known], charged)
    result = search.run()
    assert evaluator.calls == (14 if charged else 20) and result.n_evals == 20
    assert len(result.trials) == (20 if charged else 26)
    assert [t.arch for t in result.trials[:6]] == known and all(t.charged is charged for t in result.trials[:6])
    again = make(path, LocalSearch, 25, InOrderOfKeys(), asynchronous=asynchronous)
    again.ingest([(arch, EVALUATOR.evaluate(arch, None, 0)) for arch in known], charged)
    more = again.run()
    assert outcome(more.trials)[: len(result.trials)] == outcome(result.trials) and more.n_evals == 25


def test_measured_points_need_the_objective_and_an_ended_search_takes_none(tmp_path: Path) -> None:
    arch = SPACE.sample(1, np.random.default_rng(0))[0]
    with pytest.raises(ConfigError, match="finite value of score"):
        make(":memory:").ingest([(arch, {"size": 1.0})])
    make(tmp_path / "a.sqlite", RandomSearch, 5).run()
    search = make(tmp_path / "a.sqlite", RandomSearch, 5)
    search.enqueue(SPACE.sample(3, np.random.default_rng(77)))
    with pytest.raises(ConfigError, match="at its end"):
        search.run()


def test_a_strategy_that_is_told_enough_needs_no_warm_start() -> None:
    known = SPACE.sample(40, np.random.default_rng(8)).unique()
    for name in ("bayesian", "generative", "regularized-evolution", "nsga2"):
        search = make(":memory:", name, 45)
        search.ingest([(arch, EVALUATOR.evaluate(arch, None, 0)) for arch in known][:40])
        origins = [t.proposal.origin for t in search.run().trials[40:]]
        assert all(o.round is not None or o.parents for o in origins), (name, origins)


def test_the_archive_knows_what_was_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    make(path, LocalSearch, 10, InOrderOfKeys(), asynchronous=True).run()
    asked = Archive(path, SPACE).asked()
    assert [p.id for _, p in asked] == list(range(10)) and [told for told, _ in asked] == [0, 0, 0, 1, 2, 3, 4, 5, 6, 7]
    assert [p for _, p in asked] == [t.proposal for t in Archive(path, SPACE).trials()]
    assert json.loads(Archive(path, SPACE).meta("at_once") or "[]") == []
