from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap as reference

from gennas.errors import ConfigError
from gennas.models.llm.audit import bootstrap


def test_the_interval_of_many_is_that_of_scipy() -> None:
    x = np.random.default_rng(0).normal(3, 2, 400)
    found = bootstrap(x, 0.95)
    theirs = reference((x,), np.mean, method="percentile", rng=np.random.default_rng(1)).confidence_interval
    assert found.mean == pytest.approx(x.mean()) and found.n == 400 and found.is_above_zero
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)


def test_the_interval_of_few_holds_the_mean_as_often_as_it_says() -> None:
    samples = np.random.default_rng(1).normal(size=(400, 8))
    missed = [not (found.low <= 0 <= found.high) for found in (bootstrap(x, 0.9) for x in samples)]
    assert 0.06 < np.mean(missed) < 0.15


def test_equal_values_leave_nothing_open_and_one_is_no_sample() -> None:
    found = bootstrap([0.0, 0.0, 0.0])
    assert (found.low, found.high, found.is_above_zero, str(found)) == (0, 0, False, "+0.0 [+0.0, +0.0]")
    with pytest.raises(ConfigError, match="at least two seeds"):
        bootstrap([1.0])
