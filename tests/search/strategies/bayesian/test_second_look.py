"""Features in a search: who is ranked twice, what is computed and charged, and that continuing changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from gennas.execution import SerialExecutor
from gennas.graph import Architecture, Population
from gennas.search import Archive, Objective, Objectives, Search, Trial
from gennas.search.columns import CheapFeatures, Columns, MeasuredColumns
from gennas.search.strategies import STRATEGIES, BayesianSearch
from gennas.spaces import NASBench201
from gennas.testing import SyntheticEvaluator

SPACE = NASBench201()
GOALS = Objectives((Objective("score"),))
EVALUATOR = SyntheticEvaluator(SPACE.schema, 0)


def score(arch: Architecture) -> float:
    return EVALUATOR.evaluate(arch, None, 0)["score"]  # type: ignore[arg-type]


class _Proxy:
    """The score with noise of an architecture's own; counts what it computes."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __call__(self, arch: Architecture) -> Mapping[str, float]:
        self.calls.append(arch.key)
        return {"proxy": score(arch) + 0.01 * (int(arch.key, 16) % 7)}


class _Truth(Columns):
    name = "truth"

    def __call__(self, archs: Population) -> np.ndarray:
        """The score itself."""
        return np.array([[score(arch)] for arch in archs])


def paid(proxy: _Proxy, per_proposal: int = 5, step: float = 0.0) -> CheapFeatures:
    ticks = count()
    return CheapFeatures((), MeasuredColumns(("proxy",), proxy, lambda: step * next(ticks)), per_proposal)


def strategy(features: CheapFeatures | None, seed: int = 0, **options: object) -> BayesianSearch:
    made = BayesianSearch(SPACE, GOALS, seed, **{"pool_size": 60, "warm_start": 6, **options})  # type: ignore[arg-type]
    made.features = features
    return made


def run(features: CheapFeatures | None, path: Path | str, budget: int, **search: object) -> list[Trial]:
    archive = Archive(path, SPACE)
    Search(strategy(features), SerialExecutor(EVALUATOR), archive, GOALS, budget, 0, **search).run()  # type: ignore[arg-type]
    trials = archive.trials()
    archive.close()
    return trials


def test_only_what_survives_and_what_was_evaluated_is_computed() -> None:
    proxy = _Proxy()
    trials = run(paid(proxy), ":memory:", 10)  # 6 at random, then two rounds of 2
    assert len(proxy.calls) == len(set(proxy.calls))
    first_round = proxy.calls[: 6 + 10]
    assert set(first_round[:6]) == {t.arch.key for t in trials[:6]}
    assert {t.arch.key for t in trials[6:8]} <= set(first_round[6:])  # proposals come from the survivors
    assert len(proxy.calls) <= 6 + 2 * 10


@pytest.mark.parametrize("surrogate", ["gp", "forest", "stack"])
def test_every_surrogate_reads_free_features(surrogate: str) -> None:
    best = []
    for features in (None, CheapFeatures((_Truth(),))):
        made, found = strategy(features, surrogate=surrogate, round_size=4), []
        for _ in range(3):
            trials = [Trial(p, "ok", {"score": score(p.arch)}) for p in made.ask(made.batch_size)]
            made.tell(trials)
            found += [t.metrics["score"] for t in trials]
        best.append(np.mean(found[6:]))
    assert best[1] > best[0]


def test_seconds_join_the_cost_of_the_first_trial_of_a_round_and_the_limit(tmp_path: Path) -> None:
    trials = run(paid(_Proxy(), step=1.0), tmp_path / "a.sqlite", 10)
    spent = [t.cost.get("feature_seconds", 0.0) for t in trials]
    assert spent[6] == 16.0 and spent[8] > 0 and sum(map(bool, spent)) == 2
    assert trials[6].cost["seconds"] >= 16.0
    stopped = run(paid(_Proxy(), step=1.0), ":memory:", 10, limits={"seconds": 10.0})
    assert len(stopped) == 7


def test_continuing_proposes_the_same_and_computes_nothing_twice(tmp_path: Path) -> None:
    whole = _Proxy()
    expected = run(paid(whole), ":memory:", 14)
    parts = [_Proxy(), _Proxy()]
    run(paid(parts[0]), tmp_path / "a.sqlite", 10)
    found = run(paid(parts[1]), tmp_path / "a.sqlite", 14)
    assert [t.arch for t in found] == [t.arch for t in expected]
    assert parts[0].calls + parts[1].calls == whole.calls


def test_records_say_how_many() -> None:
    made = strategy(paid(_Proxy(), step=1.0))
    for _ in range(2):
        made.tell([Trial(p, "ok", {"score": score(p.arch)}) for p in made.ask(made.batch_size)])
    assert {name: made.records()[name] for name in ("features", "features_missing", "feature_s")} == {
        "features": 16, "features_missing": 0, "feature_s": 16.0,
    }  # fmt: skip


def test_who_has_a_use_for_features() -> None:
    """Surrogates; language models that are shown them; a strategy beside a model, for the one that it wraps."""
    found = {name for name in STRATEGIES if STRATEGIES.get(name).takes_features}
    assert found == {"bayesian", "generative", "llm", "state-sharing"}
