"""Bounds as texts and as numbers."""

from __future__ import annotations

import pytest

from gennas.errors import ConfigError, UnknownNameError
from gennas.training.blocks import Bound


def test_texts() -> None:
    assert Bound.parse("params<=0.6x") == Bound("params", 0.6)
    assert Bound.parse(" latency <= 3e2 ") == Bound("latency_ms", 300.0, False)
    assert str(Bound.parse("flops<=0.5X")) == "flops<=0.5x" and Bound.parse("flops<=12").limit(20) == 12
    assert Bound.parse("params<=0.6x").limit(1000) == 600


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("params<=1.2x", "at most 1x, got 1.2x"),
        ("params<=0x", "positive bound"),
        ("params<=-3", "positive bound"),
        ("params<=nan", "positive bound"),
        ("params>=0.6x", "like 'params<=0.6x'"),
        ("params", "like 'params<=0.6x'"),
        ("params<=small", "like 'params<=0.6x'"),
        ("<=0.6x", "Unknown cost ''"),
        ("parms<=0.6x", "Did you mean params"),
    ],
)
def test_bad_texts(text: str, message: str) -> None:
    with pytest.raises((ConfigError, UnknownNameError), match=message):
        Bound.parse(text)


def test_an_absolute_bound_above_the_parent() -> None:
    with pytest.raises(ConfigError, match="at most the parent's params, 1,000, got 2,000"):
        Bound.parse("params<=2000").limit(1000)
