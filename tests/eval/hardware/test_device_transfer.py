"""A new device from few labels: what other devices say is used where it helps."""

from __future__ import annotations

import numpy as np
import pytest

from gennas.errors import ConfigError
from gennas.eval.hardware import (
    LookupPredictor,
    TransferPredictor,
    prediction_quality,
)


def test_a_device_that_mixes_two_others_is_learned_from_ten_labels(archs, additive, source) -> None:
    y = 1.5 * additive(archs, 1) + 0.5 * additive(archs, 2)
    transfer = TransferPredictor([source(1), source(2)])
    transfer.fit(archs[200:210], y[200:210])
    assert transfer.chosen == "ridge"
    assert prediction_quality(y, transfer.predict(archs)[0]).within_5 > 0.95


def test_sources_that_do_not_help_are_left_alone(archs, source) -> None:
    y = 1.0 + np.array([0.0, 0.3, 1.0, 2.0, 0.5])[archs.decisions].sum(1)
    transfer = TransferPredictor([source(1), source(2)])
    transfer.fit(archs[200:212], y[200:212])
    mean, std = transfer.predict(archs)
    assert transfer.chosen == "table"
    np.testing.assert_allclose(mean, y, rtol=1e-9)
    assert std.max() < 1e-6


def test_transfer_needs_sources_and_labels(archs, source) -> None:
    with pytest.raises(ConfigError, match="fitted predictors of other devices, got 1"):
        TransferPredictor([LookupPredictor()])
    with pytest.raises(ConfigError, match="among table, ridge, got \\['forest'\\]"):
        TransferPredictor([source(1)], candidates=["forest"])  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="at least three labels"):
        TransferPredictor([source(1)]).fit(archs[:2], np.ones(2))
