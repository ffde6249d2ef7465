from __future__ import annotations

import numpy as np
import pytest

from gennas.errors import ConfigError
from gennas.models.curves.base import (
    SCHEDULE_GAIN,
    CurveModel,
    LastValue,
    check_curves,
    check_prefix,
    schedule_deviation,
)


def test_the_last_value_stays_as_far_as_earlier_curves_went() -> None:
    model = LastValue()
    assert isinstance(model, CurveModel)
    alone = np.hypot(0.01, SCHEDULE_GAIN * 0.6 * 7 / 9)
    assert model.predict(np.array([0.2, 0.4]), 9) == (0.4, pytest.approx(alone))
    model.fit([np.array([0.1, 0.3, 0.6, 0.7]), np.array([0.2, 0.5, 0.9]), np.array([0.1, 0.2])])
    mean, std = model.predict(np.array([0.2, 0.4]), 4)
    assert (mean, std) == (0.4, pytest.approx(0.4)), "steps from epoch 2 to 4, or to the end: .4 and .4"
    assert model.predict(np.array([0.2]), 2)[1] == pytest.approx(np.sqrt((0.2**2 + 0.3**2 + 0.1**2) / 3))
    assert model.predict(np.array([0.2, 0.4]), 8)[1] == pytest.approx(np.hypot(0.4, SCHEDULE_GAIN * 0.6 / 2))
    alone = np.hypot(0.01, SCHEDULE_GAIN * 0.5 * 4 / 9)
    assert model.predict(np.full(5, 0.5), 9)[1] == pytest.approx(alone), "no earlier curve is that long"


def test_the_part_of_a_schedule_that_is_left() -> None:
    assert schedule_deviation(0.6, 10, 40) == pytest.approx(0.4 * 0.75)
    assert schedule_deviation(0.6, 40, 40) == schedule_deviation(0.6, 50, 40) == schedule_deviation(1.0, 1, 40) == 0


def test_what_was_learned_before_is_replaced() -> None:
    model = LastValue()
    model.fit([np.array([0.0, 1.0])])
    model.fit([np.array([0.5, 0.6])])
    assert model.predict(np.array([0.5]), 2)[1] == pytest.approx(0.1)


@pytest.mark.parametrize("bad", [[], [[0.5]], [1.2], [-0.1], [np.nan]])
def test_values_that_are_no_accuracies_are_refused(bad) -> None:
    with pytest.raises(ConfigError, match="Expected a prefix"):
        check_prefix(np.array(bad), 5)
    with pytest.raises(ConfigError, match="Expected an earlier curve"):
        check_curves([np.array([0.1]), np.array(bad)], 1)


def test_horizons_and_numbers_of_curves_are_checked() -> None:
    assert check_prefix([0, 1], 3).dtype == np.float64
    with pytest.raises(ConfigError, match="after the 2 epochs that are known, got 2"):
        check_prefix(np.array([0.1, 0.2]), 2)
    with pytest.raises(ConfigError, match="at least 2 earlier curves, got 1"):
        check_curves([np.array([0.1])], 2)
