from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from gennas.errors import ConfigError, UnknownNameError
from gennas.generators.conditions import ConditionScale, ask, describe, draw_conditions

ACC = ConditionScale("acc", "max", (0.5, 0.6, 0.6, 0.8))
MS = ConditionScale("ms", "min", (1.0, 2.0, 4.0, 8.0, 16.0))
RANK = ConditionScale("utility", "max")


@given(st.lists(st.integers(-5, 5), min_size=1), st.sampled_from(["max", "min"]))
def test_quantiles_are_middle_ranks(values: list[int], direction) -> None:
    v = np.array(values, dtype=float)
    expected = (rankdata(v if direction == "max" else -v) - 0.5) / len(v)
    np.testing.assert_allclose(ConditionScale.of("m", direction, v).quantiles(v), expected, atol=1e-12)


@given(st.lists(st.integers(-5, 5), min_size=1), st.sampled_from(["max", "min"]), st.integers(-6, 6))
def test_a_bound_asks_for_the_quantiles_of_those_that_keep_it(values: list[int], direction, bound: int) -> None:
    v = np.array(values, dtype=float)
    scale = ConditionScale.of("m", direction, v)
    keeps = v >= bound if direction == "max" else v <= bound
    least, quantiles = scale.share_beyond(bound), scale.quantiles(v)
    assert (quantiles[keeps] > least).all() and (quantiles[~keeps] < least).all()


def test_unknown_values_are_left_out_and_stay_unknown() -> None:
    scale = ConditionScale.of("acc", "max", np.array([0.7, np.nan, 0.5]))
    assert scale.values == (0.5, 0.7)
    assert scale.quantiles(np.array([np.nan, 0.7]))[1] == 0.75
    assert np.isnan(scale.quantiles(np.array([np.nan]))).all()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [None, None, None]),
        ("acc>=0.9q", [0.9, None, None]),
        ("ms<=0.25q", [None, 0.75, None]),
        ("ms<=5", [None, 0.4, None]),
        (" ms <= 4e0 ,acc >= 0.6 ", [0.25, 0.4, None]),
        ("utility>=1q,", [None, None, 1.0]),
        ("acc>=0.9", [1.0, None, None]),  # better than anything seen: the very best is asked for
        ("acc>=0.2, ms<=100", [None, None, None]),  # all keep it
    ],
)
def test_texts(text: str, expected: list[float | None]) -> None:
    found = ask(text, [ACC, MS, RANK])
    assert [None if np.isnan(q) else round(float(q), 12) for q in found] == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("acc>0.9q", "like 'accuracy>=0.9q'"),
        ("acc>=", "like 'accuracy>=0.9q'"),
        ("acc>=1.2.3", "like 'accuracy>=0.9q'"),
        ("acc>=90%", "like 'accuracy>=0.9q'"),
        ("acc 0.9", "like 'accuracy>=0.9q'"),
        ("acc<=0.9q", "acc>="),
        ("ms>=5", "better when lower"),
        ("acc>=1.5q", "0q to 1q"),
        ("acc>=0.5, acc>=0.6", "once"),
        ("utility>=3", "utility>=0.9q"),
    ],
)
def test_what_cannot_be_asked_is_explained(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        ask(text, [ACC, MS, RANK])


def test_an_unknown_metric_names_the_near_ones() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean acc"):
        ask("accu>=0.9q", [ACC, MS])


def test_conditions_are_spread_over_what_is_asked_for() -> None:
    drawn = draw_conditions(np.array([0.6, np.nan]), 1000, np.random.default_rng(0))
    assert drawn.shape == (1000, 2) and np.isnan(drawn[:, 1]).all()
    assert drawn[:, 0].min() >= 0.6 and drawn[:, 0].max() <= 1
    assert drawn[:, 0].mean() == pytest.approx(0.8, abs=0.01)


def test_description() -> None:
    assert describe(np.array([0.9, np.nan, np.nan]), [ACC, MS, RANK]) == "acc in its best 10%"
    assert describe(np.full(3, np.nan), [ACC, MS, RANK]) == "no condition"


def test_scales_survive_json() -> None:
    assert ConditionScale.from_dict({"metric": "ms", "direction": "min", "values": [1, 2]}) == ConditionScale(
        "ms", "min", (1.0, 2.0)
    )
