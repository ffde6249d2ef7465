"""Recipes refuse what cannot be meant."""

from __future__ import annotations

import pytest

from gennas.errors import ConfigError
from gennas.training import TrainConfig


@pytest.mark.parametrize(
    "wrong",
    [{"epochs": 0}, {"lr": 0.0}, {"optimizer": "adam"}, {"label_smoothing": 1.0}, {"warmup": 1.0}, {"grad_clip": 0.0}],
)
def test_out_of_range(wrong):
    name, value = next(iter(wrong.items()))
    with pytest.raises(ConfigError, match=f"{name}={value!r}"):
        TrainConfig(**wrong)


def test_patience_needs_selection_by_validation():
    with pytest.raises(ConfigError, match="select='best'"):
        TrainConfig(patience=3)
    assert TrainConfig(patience=3, select="best").to_dict()["patience"] == 3
