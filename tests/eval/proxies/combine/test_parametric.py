from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau

from gennas.eval.proxies.combine import ParametricProxy


def test_weights_follow_the_order_of_the_labels(rng: np.random.Generator) -> None:
    scores = {name: rng.random(400) for name in ("good", "bad", "noise")}
    truth = np.exp(3 * scores["good"] - 2 * scores["bad"])
    model = ParametricProxy().fit(scores, np.where(np.arange(400) < 60, truth, np.nan))
    assert kendalltau(model.score(scores)[60:], truth[60:])[0] > 0.9
    weights = dict(zip(model.columns, model.mean, strict=True))
    assert weights["good"] > 0 > weights["bad"] and abs(weights["noise"]) < 0.3 * weights["good"]


def test_more_labels_are_more_certain(rng: np.random.Generator) -> None:
    scores = {"a": rng.random(300), "b": rng.random(300)}
    truth = scores["a"] + 0.3 * rng.normal(size=300)
    few, many = (ParametricProxy().fit(scores, np.where(np.arange(300) < n, truth, np.nan)) for n in (10, 300))
    relative = [np.mean(m.uncertainty(scores)) / np.std(m.score(scores)) for m in (few, many)]
    assert relative[1] < relative[0]
    # the deviation of w.x for independent weights, by sampling
    draws = rng.normal(many.mean, many.deviation, size=(20_000, 2)) @ many._features(scores)[:5].T
    assert many.uncertainty(scores)[:5] == pytest.approx(draws.std(0), rel=0.03)


def test_nodes_are_summarised_whatever_the_padding(rng: np.random.Generator) -> None:
    nodes = np.exp(rng.normal(size=(200, 6)))
    nodes[::3, 4:] = np.nan
    late = np.log(nodes[:, 3]) - np.log(nodes[:, 0])  # what a mean over nodes cannot see
    model = ParametricProxy().fit({"snip": nodes}, np.where(np.arange(200) < 100, late, np.nan))
    assert model.columns == ("snip:mean", "snip:spread", "snip:slope") and model.n_labels == 100
    assert kendalltau(model.score({"snip": nodes})[100:], late[100:])[0] > 0.4
    wider = np.pad(nodes, ((0, 0), (0, 3)), constant_values=np.nan)
    # sums of other lengths round differently, which may move a value by half a rank
    assert model.score({"snip": wider}) == pytest.approx(model.score({"snip": nodes}), abs=0.05)
