"""Curves of a supernet's training and the scatter of its scores."""

from __future__ import annotations

import json

from gennas.report.supernet_charts import inherited_chart, supernet_charts
from gennas.training.supernet import Diagnosis
from gennas.training.supernet.diagnostics import InheritedRanking, rank_inherited

RANKING: InheritedRanking = rank_inherited([1, 2, 3], [1, 3, 2])


def diagnosis(parameters: list[float]) -> Diagnosis:
    texts = ["a" * 130, "<img src=x onerror='window.hacked = 1'>", "c"]
    return Diagnosis("loss <b>", RANKING, None, texts, [1.0, 2.0, float("nan")], [1.0, 3.0, 2.0], parameters, 1.0)


def test_figures_are_grouped_and_gaps_stay_gaps() -> None:
    curves = {
        "train_loss": [2.0, None, 1.0], "path_fairness": [0.5, 0.6, 0.7], "val_loss": [2.0, 1.5, 1.0],
        "alpha_entropy": [1.6, 1.5, 1.4], "alpha_entropy/01_b": [1.7, 1.6, 1.5], "alpha_entropy/00_a": [1.5, 1.4, 1.3],
        "alpha_curvature": [None, float("nan"), 3.0], "val_accuracy": [0.1, 0.2, 0.3], "nothing": [None, None, None],
    }  # fmt: skip
    found = dict(supernet_charts(curves))
    assert list(found) == [
        "entropy of decisions (nats)", "share", "largest eigenvalue (curvature)", "loss", "val accuracy",
    ]  # fmt: skip
    entropies = found["entropy of decisions (nats)"]["data"]
    assert [line["name"] for line in entropies] == ["00 a", "01 b", "mean"] and entropies[-1]["line"]["width"] == 3
    assert [line["y"] for line in found["loss"]["data"]] == [[2.0, None, 1.0], [2.0, 1.5, 1.0]]
    assert found["largest eigenvalue (curvature)"]["data"][0]["y"] == [None, None, 3.0]
    assert found["share"]["layout"]["yaxis"]["range"][0] < 0 < 1 < found["share"]["layout"]["yaxis"]["range"][1]
    assert found["share"]["layout"]["yaxis"]["title"]["text"] == "fairness of paths"  # one line needs no legend
    assert not found["val accuracy"]["layout"]["showlegend"] and found["loss"]["layout"]["showlegend"]
    json.dumps(found, allow_nan=False)
    assert supernet_charts({}) == []


def test_of_many_decisions_the_surest_and_the_least_sure_are_named() -> None:
    curves = {f"alpha_entropy/{t:02}_x": [1.0, 0.1 * (t + 1)] for t in range(12)}
    ((_, chart),) = supernet_charts(curves)
    assert [line["name"] for line in chart["data"] if line["showlegend"]] == ["00 x", "11 x"]
    assert len(chart["data"]) == 12 and chart["data"][0]["line"]["color"] == "soft"


def test_entropies_that_hardly_differ_are_not_blown_up() -> None:
    ((_, chart),) = supernet_charts({"alpha_entropy": [1.6094, 1.6093]})
    low, high = chart["layout"]["yaxis"]["range"]
    assert 0.2 <= high - low < 0.3 and low < 1.6093 < 1.6094 < high


def test_the_scatter_is_safe_and_coloured_by_size() -> None:
    chart = inherited_chart(diagnosis([10.0, 20.0, 30.0]))
    (dots,) = chart["data"]
    assert dots["x"] == [1.0, 2.0, None] and dots["marker"]["color"] == [10.0, 20.0, 30.0]
    assert "<img" not in json.dumps(chart) and "<b>" not in json.dumps(chart)
    assert dots["text"][0].count("<br>") == 3 and dots["text"][0].endswith("10 parameters")
    assert isinstance(inherited_chart(diagnosis([5.0, 5.0, 5.0]))["data"][0]["marker"]["color"], str)
