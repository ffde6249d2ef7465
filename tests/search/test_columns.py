"""Columns that need no label: ranks, what is missing, what is computed and charged once."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

import numpy as np
import pytest
from scipy.special import ndtri

from gennas.errors import EvaluationError
from gennas.graph import Architecture
from gennas.models.surrogate import normal_scores
from gennas.search.columns import CheapFeatures, CountedColumns, KnownColumns, MeasuredColumns, scores_among
from gennas.spaces import NASBench201

SPACE = NASBench201()
ARCHS = SPACE.sample(12, np.random.default_rng(0)).unique()


def test_scores_of_the_reference_are_its_normal_scores() -> None:
    y = np.array([3.0, 1.0, 1.0, 1e30, -5.0])
    found = scores_among(y[:, None], y[:, None])
    np.testing.assert_allclose(found[:, 0], normal_scores(y))
    assert not found[:, 1].any()


def test_what_is_beyond_the_reference_counts_as_its_outermost() -> None:
    found = scores_among(np.array([[-9.0], [9.0]]), np.array([[0.0], [1.0]]))
    np.testing.assert_allclose(found[:, 0], ndtri([0.25, 0.75]))


def test_what_is_missing_takes_the_median_and_says_so() -> None:
    values = np.array([[np.nan, 1.0], [2.0, np.inf], [4.0, 3.0]])
    found = scores_among(values, values)
    np.testing.assert_allclose(found[:, 0], [0.0, *ndtri([0.25, 0.75])])
    assert found[:, 2:].tolist() == [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]


def test_a_column_without_any_value_is_all_median() -> None:
    nothing = np.full((2, 1), np.nan)
    assert scores_among(nothing, nothing).tolist() == [[0.0, 1.0], [0.0, 1.0]]


def test_known_columns_are_found_by_key_and_others_are_missing() -> None:
    columns = KnownColumns("mine", ARCHS.keys[:3], np.array([[3.0], [1.0], [2.0]]))
    assert columns(ARCHS[:4]).round(3).tolist() == [[0.967, 0.0], [-0.967, 0.0], [0.0, 0.0], [0.0, 1.0]]


def test_a_count_is_a_logarithm() -> None:
    columns = CountedColumns("ones", lambda archs: (archs.decisions == 1).sum(1))
    np.testing.assert_allclose(columns(ARCHS)[:, 0], np.log1p((ARCHS.decisions == 1).sum(1)))


class _Measure:
    """Counts calls; every third architecture has no value."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __call__(self, arch: Architecture) -> Mapping[str, float]:
        self.calls.append(arch.key)
        if ARCHS.keys.index(arch.key) % 3 == 2:
            raise EvaluationError("no path")
        return {"sum": float(arch.decisions.sum())}


def ticking(step: float) -> MeasuredColumns:
    """A clock that goes on by ``step`` with every look."""
    ticks = count()
    return MeasuredColumns(("sum",), _Measure(), clock=lambda: step * next(ticks))


def test_each_is_computed_once_and_failures_are_missing() -> None:
    measure = _Measure()
    columns = MeasuredColumns(("sum",), measure)
    columns.compute(ARCHS[:6])
    columns.compute(ARCHS)
    assert measure.calls == ARCHS.keys and len(columns) == len(ARCHS)
    assert columns.failed == len(ARCHS) // 3
    assert np.isnan(columns.raw(ARCHS)[2, 0])
    assert columns(ARCHS)[2].tolist() == [0.0, 1.0]


def test_seconds_are_told_once_and_survive() -> None:
    columns = ticking(2.0)
    columns.compute(ARCHS[:3])
    assert (columns.take_seconds(), columns.take_seconds()) == (6.0, 0.0)
    twin = ticking(2.0)
    twin.load_state_dict(columns.state_dict())
    assert (twin.seconds, twin.take_seconds(), len(twin)) == (6.0, 0.0, 3)
    np.testing.assert_array_equal(twin(ARCHS), columns(ARCHS))
    twin.compute(ARCHS[:4])
    assert twin.take_seconds() == 2.0


def test_features_say_what_they_cost() -> None:
    features = CheapFeatures((KnownColumns("mine", ARCHS.keys, np.zeros((len(ARCHS), 1))),), ticking(1.0))
    assert features.spent() == {}
    assert features.paid is not None
    features.paid.compute(ARCHS[:3])
    assert features.spent() == {"seconds": 3.0, "feature_seconds": 3.0}
    assert features.records() == {"features": 3, "features_missing": 1, "feature_s": 3.0}
    assert CheapFeatures().records() == {}


@pytest.mark.parametrize("number", [0, 5])
def test_state_of_features_is_restored(number: int) -> None:
    features, twin = CheapFeatures(paid=ticking(1.0)), CheapFeatures(paid=ticking(1.0))
    assert features.paid is not None and twin.paid is not None
    features.paid.compute(ARCHS[:number])
    twin.load_state_dict(features.state_dict())
    np.testing.assert_array_equal(twin.paid.raw(ARCHS), features.paid.raw(ARCHS))
