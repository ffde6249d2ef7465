"""Figures that a report derives from a run's record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from gennas.report.data import RunData, SourceSummary
from gennas.search.objectives import Constraint, Objective, Objectives
from gennas.search.trial import Trial

MakeRun = Callable[..., RunData]


def test_incumbents_are_the_improvements_in_order(make_run: MakeRun) -> None:
    run = make_run()
    assert [(n, run.value(trial)) for n, trial in run.incumbents] == [(1, 0.5), (3, 0.7), (5, 0.9)]
    assert run.best is run.trials[4]


def test_incumbents_of_a_minimised_metric(make_run: MakeRun) -> None:
    run = make_run(objectives=Objectives((Objective("latency", "min"),)), optimum=0.5)
    assert [(n, run.value(trial)) for n, trial in run.incumbents] == [(1, 1.0)]
    assert run.regret(run.trials[4]) == 5.5


def test_incumbents_keep_the_constraints(make_run: MakeRun) -> None:
    run = make_run(objectives=Objectives((Objective("val"),), (Constraint.parse("latency<=2"),)))
    assert [n for n, _ in run.incumbents] == [1, 4]
    assert [n for n, _ in run.best_trials(6)] == [4, 1]


def test_regret_is_the_distance_from_the_optimum(make_run: MakeRun) -> None:
    run = make_run()
    assert [round(run.regret(trial), 12) for _, trial in run.incumbents] == [0.45, 0.25, 0.05]
    assert make_run(optimum=0.9).regret(run.trials[4]) == 0.0


def test_best_trials_are_distinct_and_sorted(make_run: MakeRun) -> None:
    run = make_run()
    assert [n for n, _ in run.best_trials(6)] == [5, 3, 4, 1]
    assert [n for n, _ in run.best_trials(2)] == [5, 3]
    twice = make_run(trials=[run.trials[0], run.trials[0]])
    assert [n for n, _ in twice.best_trials(6)] == [1]


def test_credits_count_improvements(make_run: MakeRun) -> None:
    assert make_run().credits() == [
        SourceSummary("diffusion", 2, 1, 0.9, 1, pytest.approx(1 / 3)),
        SourceSummary("mutation", 2, 2, 0.7, 1, pytest.approx(1 / 3)),
        SourceSummary("random", 2, 1, 0.5, 1, pytest.approx(1 / 3)),
    ]


def test_the_warm_start_gets_no_credit(make_run: MakeRun, in_round: Callable[..., Trial]) -> None:
    run = make_run()
    run = replace(run, trials=[*run.trials[:4], *(in_round(t, 1, source="random") for t in run.trials[4:])])
    assert (run.num_warm, run.guided) == (4, [5])
    assert run.credits() == [
        SourceSummary("warm start", 4, 3, 0.7, 2, None),
        SourceSummary("random", 2, 1, 0.9, 1, 1.0),
    ]
    assert [run.source(n) for n in (4, 5)] == ["warm start", "random"]


def test_parents_end_the_warm_start_too(make_run: MakeRun, in_round: Callable[..., Trial]) -> None:
    run = make_run()
    children = [in_round(t, None, parents=("a",)) for t in run.trials[2:]]
    assert replace(run, trials=[*run.trials[:2], *children]).num_warm == 2


def test_a_search_that_is_never_guided_has_no_warm_start(make_run: MakeRun) -> None:
    assert make_run().num_warm == 0


def test_settings_are_told_apart_from_defaults(make_run: MakeRun) -> None:
    run = make_run(defaults={"space": "nasbench201", "strategy": {"name": "random", "width": 64}, "budget": 9})
    changed, usual = run.changed_settings()
    assert changed == [("strategy.name", "generative"), ("seed", 7)]
    assert usual == [("space", "nasbench201"), ("strategy.width", 64)]


def test_a_setting_that_is_none_is_not_a_missing_default(make_run: MakeRun) -> None:
    assert make_run(config={"task": None}).changed_settings() == ([("task", None)], [])


def test_failures_keep_their_number(make_run: MakeRun) -> None:
    run = make_run()
    assert [(n, trial.status) for n, trial in run.failures()] == [(2, "failed"), (6, "timeout")]
    stopped = [replace(trial, status="stopped") if trial.status == "failed" else trial for trial in run.trials]
    assert [n for n, _ in make_run(trials=stopped).failures()] == [6]  # ended on purpose


def test_the_ledger_adds_up_to_the_wall_time(make_run: MakeRun) -> None:
    run = make_run()
    assert run.costs() == {"seconds": 12.0, "joules": 30.0}
    assert run.ledger() == [
        ("evaluating architectures", 12.0),
        ("fitting surrogates", 3.0),
        ("fitting and sampling generators", 0.5),
        ("everything else", 4.5),
    ]
    ranked = make_run(rounds=[{"rank_s": 2.0}, {"rank_s": 1.5}])
    assert ranked.ledger()[1:] == [("drawing, evolving and ranking candidates", 3.5), ("everything else", 4.5)]
    assert make_run(wall_s=5.0, rounds=[]).ledger() == [("evaluating architectures", 12.0)]


def test_settings_have_dotted_names(make_run: MakeRun) -> None:
    assert list(make_run().settings()) == [
        ("space", "nasbench201"),
        ("strategy.name", "generative"),
        ("strategy.width", 64),
        ("seed", 7),
    ]


def test_an_empty_run_has_no_best(make_run: MakeRun) -> None:
    run = make_run(trials=[])
    assert (run.best, run.incumbents, run.best_trials(6), run.credits()) == (None, [], [], [])


def test_points_of_a_person_are_sources_of_their_own_without_credit(make_run: Callable[..., RunData]) -> None:
    run = make_run()
    first = run.trials[0]
    for source in ("enqueued", "ingested", "given"):
        origin = replace(first.proposal.origin, source=source)
        trials = [replace(first, proposal=replace(first.proposal, origin=origin)), *run.trials[1:]]
        row = next(row for row in make_run(trials=trials).credits() if row.source == source)
        assert (row.count, row.share) == (1, None)
