"""What all combinations share: columns, labels, budgets, quantiles."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import percentileofscore

from gennas.errors import ConfigError
from gennas.eval.proxies.combine import (
    Combination,
    EvolvedExpression,
    LogRank,
    MeanRank,
    OperatorPrior,
    ParametricProxy,
)
from gennas.eval.proxies.combine.base import Quantiles, pairwise_signs

ALL: list[Combination] = [
    LogRank(),
    MeanRank(),
    ParametricProxy(steps=20),
    EvolvedExpression(population=20, generations=2),
    OperatorPrior(trees=5),
]


@pytest.fixture
def scores(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {"a": rng.normal(size=40), "b": rng.exponential(size=40), "c": np.round(rng.normal(size=40))}


@pytest.mark.parametrize("model", ALL, ids=lambda m: m.name)
def test_the_interface(model: Combination, scores: dict[str, np.ndarray]) -> None:
    labels = scores["a"] + scores["b"]
    labels[25:] = np.nan
    assert model.fit(scores, labels) is model
    assert model.n_labels == (25 if model.needs_labels else 0)
    found = model.score({**scores, "unused": np.zeros(40)})
    assert found.shape == (40,) and np.isfinite(found).all()
    assert np.array_equal(found, model.fit(scores, labels).score(scores))  # seeded
    changed = labels.copy()
    changed[:25] = -labels[:25]
    assert np.array_equal(found, model.fit(scores, changed).score(scores)) != model.needs_labels


@pytest.mark.parametrize("model", ALL, ids=lambda m: m.name)
def test_bad_input(model: Combination, scores: dict[str, np.ndarray]) -> None:
    labels = scores["a"]
    with pytest.raises(ConfigError, match="at least one"):
        model.fit({}, labels)
    with pytest.raises(ConfigError, match=r"finite scores, got others in b"):
        model.fit({**scores, "b": np.full(40, np.nan)}, labels)
    with pytest.raises(ConfigError, match="none of c"):
        model.fit(scores, labels).score({"a": scores["a"], "b": scores["b"]})
    with pytest.raises(ConfigError, match="shape"):
        model.fit(scores, labels[:5])
    if model.needs_labels:
        with pytest.raises(ConfigError, match="got none"):
            model.fit(scores)
        with pytest.raises(ConfigError, match="labels or more"):
            model.fit(scores, np.where(np.arange(40) < 3, labels, np.nan))


def test_scoring_before_fitting_says_so() -> None:
    with pytest.raises(ConfigError, match="not fitted"):
        LogRank().score({"a": [1.0]})


def test_quantiles_are_percentiles(rng: np.random.Generator) -> None:
    table = np.round(rng.normal(size=(50, 2)), 1)
    others = np.round(rng.normal(size=(7, 2)), 1)
    found = Quantiles(table)(others)
    for j in range(2):
        expected = [percentileofscore(table[:, j], v, "mean") / 100 for v in others[:, j]]
        assert found[:, j] == pytest.approx(np.clip(expected, 0.01, 0.99))
    far = Quantiles(table)(np.array([[-1e9, 1e9]]))
    assert far.tolist() == [[0.01, 0.99]]


def test_pairs_leave_out_ties() -> None:
    better, worse = pairwise_signs(np.array([1.0, 3.0, 1.0, 2.0]))
    assert set(zip(better.tolist(), worse.tolist(), strict=True)) == {(1, 0), (1, 2), (1, 3), (3, 0), (3, 2)}
