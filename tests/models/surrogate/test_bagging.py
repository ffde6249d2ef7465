from __future__ import annotations

import numpy as np
import pytest

from gennas.errors import ConfigError
from gennas.models.surrogate import BoostingSurrogate
from gennas.models.surrogate._bagging import _calibrate


def test_noise_and_spread_are_found_from_what_was_left_out() -> None:
    """The mean misses the outcome by four times the members' variance, plus noise of variance .05."""
    rng = np.random.default_rng(0)
    width = rng.uniform(0.1, 1.0, size=4000)
    votes = width * rng.standard_normal((60, 4000))
    outcome = votes.mean(0) + rng.standard_normal(4000) * np.sqrt(4 * width**2 + 0.05)
    spread, noise = _calibrate(votes, np.ones((60, 4000), dtype=bool), outcome)
    assert spread == pytest.approx(4, rel=0.1) and noise == pytest.approx(0.05, abs=0.03)
    quiet, loud = _calibrate(votes, np.ones((60, 4000), dtype=bool), votes.mean(0) + rng.standard_normal(4000))
    assert loud > 0.7 and quiet < 1


def test_nothing_left_out_leaves_the_prior() -> None:
    assert _calibrate(np.zeros((3, 5)), np.zeros((3, 5), dtype=bool), np.arange(5.0)) == (1.0, 0.1)


def test_one_member_has_no_spread() -> None:
    with pytest.raises(ConfigError, match="at least two members"):
        BoostingSurrogate(num_members=1)
