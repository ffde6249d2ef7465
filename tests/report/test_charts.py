"""Charts as plotly figures: what is drawn where."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from gennas.report import charts
from gennas.report.charts import front, pareto_chart, rounds_chart, search_chart
from gennas.report.data import RunData
from gennas.search.objectives import Constraint, Objective, Objectives
from gennas.search.trial import Trial

MakeRun = Callable[..., RunData]


def traces(figure: dict[str, object] | None) -> dict[str, dict[str, object]]:
    assert figure is not None
    json.dumps(figure, allow_nan=False)
    return {trace["name"]: trace for trace in figure["data"]}  # type: ignore[attr-defined]


def test_search_chart_has_dots_by_source_and_the_incumbents_steps(make_run: MakeRun) -> None:
    found = traces(search_chart(make_run()))
    assert list(found) == ["random", "mutation", "diffusion", "incumbent", "optimum of the table", "regret"]
    assert (found["mutation"]["x"], found["mutation"]["y"]) == ([3, 4], [0.7, 0.6])
    assert (found["incumbent"]["x"], found["incumbent"]["y"]) == ([1, 3, 5, 6], [0.5, 0.7, 0.9, 0.9])
    assert found["regret"]["y"] == pytest.approx([0.45, 0.25, 0.05, 0.05])
    assert found["regret"]["yaxis"] == "y2"


def test_regret_ends_where_the_optimum_is_reached(make_run: MakeRun) -> None:
    regret = traces(search_chart(make_run(optimum=0.9)))["regret"]
    assert regret["x"] == [1, 3, 5]
    assert regret["y"] == pytest.approx([0.4, 0.2, 0.2])


def test_without_an_optimum_there_is_no_regret(make_run: MakeRun) -> None:
    assert list(traces(search_chart(make_run(optimum=None)))) == ["random", "mutation", "diffusion", "incumbent"]


def test_an_optimum_found_at_once_leaves_one_panel(make_run: MakeRun) -> None:
    run = make_run()
    figure = search_chart(replace(run, trials=[run.trials[4]], optimum=0.9))
    assert "regret" not in traces(figure)


def test_axis_shows_the_region_of_the_search(make_run: MakeRun) -> None:
    figure = search_chart(make_run())
    assert figure is not None
    low, high = figure["layout"]["yaxis"]["range"]
    assert 0.45 < low < 0.6
    assert 0.95 < high < 1.0


def test_dots_are_thinned_evenly(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts, "MAX_DOTS", 2)
    found = traces(search_chart(make_run()))
    assert [found[name]["x"] for name in ("random", "mutation")] == [[1], [4]]


def test_dots_that_break_a_constraint_are_crosses(make_run: MakeRun) -> None:
    run = make_run(objectives=Objectives((Objective("val"),), (Constraint.parse("latency<=2"),)))
    assert traces(search_chart(run))["mutation"]["marker"]["symbol"] == ["x-thin-open", "circle"]  # type: ignore[index]


def test_names_are_escaped(make_run: MakeRun) -> None:
    evil = "<b>val</b>"
    run = make_run()
    trials = [replace(t, metrics={evil: 0.5, "<i>": 1.0} if t.ok else {}) for t in run.trials]
    run = replace(run, trials=trials, objectives=Objectives((Objective(evil), Objective("<i>"))), optimum=None)
    for figure in (search_chart(run), pareto_chart(run)):
        assert figure is not None
        assert "<" not in json.dumps(figure["layout"])
        assert figure["layout"]["yaxis"]["title"]["text"] == "&lt;b&gt;val&lt;/b&gt;"


def test_dots_name_their_trial(make_run: MakeRun) -> None:
    found = traces(search_chart(make_run()))
    assert (found["mutation"]["customdata"], found["incumbent"]["customdata"]) == ([3, 4], [1, 3, 5, 5])


def test_the_warm_start_is_a_source_of_its_own(make_run: MakeRun, in_round: Callable[..., Trial]) -> None:
    run = make_run()
    trials = [*run.trials[:2], *(in_round(t, 1) for t in run.trials[2:])]
    assert list(traces(search_chart(replace(run, trials=trials))))[:3] == ["warm start", "mutation", "diffusion"]


def test_no_success_gives_no_chart(make_run: MakeRun) -> None:
    run = make_run(trials=[])
    assert (search_chart(run), pareto_chart(run), rounds_chart([])) == (None, None, None)


def test_rounds_chart_shows_known_figures_with_gaps(make_run: MakeRun) -> None:
    rounds = [*make_run().rounds, {"n_evals": 8, "validity": float("nan")}]
    found = traces(rounds_chart(rounds))
    assert list(found) == ["validity", "novelty", "surrogate tau"]
    assert (found["validity"]["x"], found["validity"]["y"]) == ([4, 6, 8], [0.9, 1.0, None])
    assert found["surrogate tau"]["y"] == [None, -0.1, None]


def test_pareto_chart_of_two_objectives_joins_the_front(make_run: MakeRun) -> None:
    run = make_run(objectives=Objectives((Objective("val"), Objective("latency", "min"))))
    found = traces(pareto_chart(run))
    assert list(found) == ["not dominated"]
    assert found["not dominated"]["customdata"] == [1, 4, 3, 5]
    assert (found["not dominated"]["x"], found["not dominated"]["y"]) == ([1.0, 2.0, 3.0, 6.0], [0.5, 0.6, 0.7, 0.9])


def test_pareto_chart_of_a_constraint_draws_the_bound(make_run: MakeRun) -> None:
    run = make_run(objectives=Objectives((Objective("val"),), (Constraint.parse("latency<=2"),)))
    figure = pareto_chart(run)
    found = traces(figure)
    assert found["breaks a constraint"]["x"] == [3.0, 6.0]
    assert found["not dominated"]["x"] == [1.0, 2.0]
    assert figure is not None
    assert [(shape["x0"], shape["x1"]) for shape in figure["layout"]["shapes"]] == [(2.0, 2.0)]


def test_the_cloud_is_thinned_but_the_front_is_whole(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts, "MAX_DOTS", 1)
    found = traces(pareto_chart(make_run(objectives=Objectives((Objective("val"), Objective("latency"))))))
    assert (found["feasible"]["x"], found["not dominated"]["x"]) == ([1.0], [6.0])


def test_the_trade_off_is_with_the_first_other_metric(make_run: MakeRun) -> None:
    bounds = (Constraint.parse("val>=0.55"), Constraint.parse("latency<=2"))
    run = make_run(objectives=Objectives((Objective("val"),), bounds))
    figure = pareto_chart(run)
    assert figure is not None and figure["layout"]["xaxis"]["title"]["text"] == "latency"
    assert [n for n, _ in front(run)] == [4]


def test_one_objective_alone_has_no_trade_off(make_run: MakeRun) -> None:
    assert pareto_chart(make_run()) is None
    bounded = Objectives((Objective("val"),), (Constraint.parse("val>=0.5"),))
    assert pareto_chart(make_run(objectives=bounded)) is None
