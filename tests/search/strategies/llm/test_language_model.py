"""Search by a language model alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gennas.errors import ArchiveError, ConfigError, UnknownNameError
from gennas.execution import SerialExecutor
from gennas.search import Archive, Objective, Objectives, Search, Strategy, Trial
from gennas.search.strategies import LanguageModelSearch
from gennas.search.transcript import CALL, SUGGESTION, ArchiveTranscript
from gennas.spaces import NASBench201, Space
from gennas.testing import StrategyContract, SyntheticEvaluator

GOALS = Objectives((Objective("score"),))


class TestLanguageModelSearch(StrategyContract):
    budget = 24

    @pytest.fixture(autouse=True)
    def _model(self, fond: Any) -> None:
        self.fond = fond

    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        return LanguageModelSearch(space, objectives, seed, model=self.fond, warm_start=6)


class TestLanguageModelByTexts(StrategyContract):
    budget = 24

    @pytest.fixture(autouse=True)
    def _model(self, fond: Any) -> None:
        self.fond = fond

    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        options = {"ask": "texts", "shown": 3}
        return LanguageModelSearch(space, objectives, seed, model=self.fond, warm_start=6, method_option=options)


def run(
    model: Any, archive: Archive, budget: int = 20, seed: int = 0, evaluator: Any = None, **options: Any
) -> list[Trial]:
    space = archive.space
    strategy = LanguageModelSearch(space, GOALS, seed, model=model, warm_start=6, **options)
    evaluator = evaluator or SyntheticEvaluator(space.schema)
    return list(Search(strategy, SerialExecutor(evaluator), archive, GOALS, budget, seed).run().trials)


def test_what_it_likes_is_what_is_evaluated(fond: Any) -> None:
    trials = run(fond, Archive(":memory:", NASBench201()), budget=30)
    asked = [t for t in trials if t.proposal.origin.source == "llm"]
    share = [np.mean([(t.arch.decisions == 3).mean() for t in part]) for part in (trials[:6], asked)]
    assert len(asked) == 24 and share[1] > share[0] + 0.15


def test_it_is_shown_goals_results_and_failures(fond: Any) -> None:
    class SometimesFails(SyntheticEvaluator):
        def evaluate(self, arch: Any, fidelity: Any, seed: int) -> dict[str, float]:
            if arch.decisions[0] == 0:
                raise ValueError("no </failures> room")
            return dict(super().evaluate(arch, fidelity, seed))

    space = NASBench201()
    trials = run(fond, Archive(":memory:", space), 30, evaluator=SometimesFails(space.schema))
    last = fond.messages[-1]
    assert "score, more is better" in last and "nor_conv_3x3" in last
    best = max((t for t in trials[:28] if t.ok), key=lambda t: t.metrics["score"])
    first = last.split("<results>\n")[1].splitlines()[0].split()[0]
    assert first == "".join(map(str, best.arch.decisions))
    assert "no ‹/failures› room" in last and last.count("</failures>") == 1


def test_the_transcript_is_in_the_archive_and_replays_without_a_model(fond: Any, tmp_path: Path) -> None:
    space = NASBench201()
    with_model, without = (Archive(tmp_path / f"{name}.sqlite", space) for name in ("one", "two"))
    first = run(fond, with_model)
    with_model.commit()
    again = run(f"replay:{tmp_path / 'one.sqlite'}", without)
    assert [t.arch.key for t in first] == [t.arch.key for t in again]
    assert [t.cost["llm_tokens"] for t in first if t.cost.get("llm_tokens")] == [
        t.cost["llm_tokens"] for t in again if t.cost.get("llm_tokens")
    ]
    records = [json.loads(text) for _, text in with_model.records(CALL)]
    assert sorted(text for _, text in with_model.records(CALL)) == sorted(text for _, text in without.records(CALL))
    assert len(records) == len(ArchiveTranscript(with_model)) == len(fond.asked)
    assert {"prompt", "prompt_name", "scope", "seconds", "state", "options", "answer", "model"} <= set(records[0])
    suggestions = [json.loads(text) for _, text in with_model.records(SUGGESTION)]
    assert {s["key"] for s in suggestions} >= {t.arch.key for t in first if t.proposal.origin.source == "llm"}
    assert {"text", "repaired", "duplicate", "novel"} <= set(suggestions[0])


def test_a_search_that_stops_anywhere_pays_for_nothing_twice(make_fond: Callable[[], Any], tmp_path: Path) -> None:
    space = NASBench201()
    whole = make_fond()
    expected = [t.arch.key for t in run(whole, Archive(tmp_path / "whole.sqlite", space))]
    asked: list[Any] = []
    for left in (3, 11, 2, 40, 7, 10**6):  # questions until the power goes

        class Dies(type(whole)):  # type: ignore[misc]
            def choose(self, state: str, questions: Any) -> Any:
                if len(self.asked) >= left:  # noqa: B023  # used at once
                    raise KeyboardInterrupt
                return super().choose(state, questions)

        model, archive = Dies(), Archive(tmp_path / "parts.sqlite", space)
        try:
            found = [t.arch.key for t in run(model, archive)]
        except KeyboardInterrupt:
            pass
        finally:
            archive.close()
        asked += model.asked
    assert found == expected
    assert sorted(map(str, asked)) == sorted(map(str, whole.asked))


def test_what_the_model_does_not_give_is_random_and_said_so(make_fond: Callable[..., Any]) -> None:
    obstinate = make_fond(strength=1e9)  # says one thing only
    trials = run(obstinate, Archive(":memory:", NASBench201()), method_option={"by_count": False})
    sources = [t.proposal.origin.source for t in trials[6:]]
    assert sources.count("random") >= 8 and len(trials) == 20


def test_asked_again_in_a_round_a_model_with_a_seed_writes_something_else(fond: Any) -> None:
    space = NASBench201()
    for method in ("history", "evolution"):  # a request for all, and one for each
        strategy = LanguageModelSearch(space, GOALS, model=fond, method=method, method_option={"ask": "texts"})
        suggested = [strategy.language.suggest([], 2, set(), 0).archs.keys for _ in range(3)]
        assert len({key for keys in suggested for key in keys}) == 6, method


def test_tokens_and_dollars_are_costs_of_trials(fond: Any, tmp_path: Path) -> None:
    space = NASBench201()
    trials = run(fond, Archive(":memory:", space))
    assert sum(t.cost.get("llm_tokens", 0) for t in trials) == 11 * len(fond.asked)
    assert not any("llm_usd" in t.cost for t in trials)
    strategy = LanguageModelSearch(space, GOALS, 0, model=fond, warm_start=6)
    limits = {"llm_tokens": 300.0}
    search = Search(
        strategy,
        SerialExecutor(SyntheticEvaluator(space.schema)),
        Archive(":memory:", space),
        GOALS,
        500,
        limits=limits,
    )
    result = search.run()
    spent = sum(t.cost.get("llm_tokens", 0) for t in result.trials)
    assert result.stopped == "limit" and 300 <= spent < 300 + 11 * 12 * 3


def test_other_prompts_do_not_go_on_with_a_search(fond: Any, tmp_path: Path) -> None:
    prompt = tmp_path / "mine.j2"
    prompt.write_text("Goals: {{ goals }}. Best: {{ best }}")
    archive = Archive(tmp_path / "a.sqlite", NASBench201())
    run(fond, archive, method_option={"prompt": str(prompt)})
    assert fond.messages[-1].startswith("Goals: ")
    prompt.write_text("Other: {{ goals }}")
    with pytest.raises(ArchiveError, match="prompts of this search have changed"):
        run(fond, archive, budget=30, method_option={"prompt": str(prompt)})


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({}, ConfigError, "Which language model"),
        ({"model": "opena"}, UnknownNameError, "openai"),
        ({"model": "llama.cpp", "method": "histori"}, UnknownNameError, "history"),
        ({"model": "llama.cpp", "method_option": {"show": 3}}, ConfigError, "Unknown option 'show'"),
        ({"model": "llama.cpp", "method_option": {"shown": 0}}, ConfigError, "positive shown"),
        ({"model": "replay:nowhere"}, ConfigError, "to replay, got 'nowhere'"),
    ],
)
def test_bad_settings_are_refused(options: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        LanguageModelSearch(NASBench201(), GOALS, 0, **options).check()
