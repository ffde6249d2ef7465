"""Fidelities: ranges, and the text that archives are bound to."""

from __future__ import annotations

import pytest

from gennas.errors import ConfigError
from gennas.eval.base import Fidelity


@pytest.mark.parametrize("field", ["data_fraction", "resolution", "width", "depth"])
@pytest.mark.parametrize("value", [0.0, -0.5, 1.5, float("nan")])
def test_shares_are_in_the_unit_interval(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"Expected {field} in \(0, 1\]"):
        Fidelity(**{field: value})


def test_text_of_earlier_archives_is_unchanged() -> None:
    assert str(Fidelity(epochs=2)) == "Fidelity(epochs=2, data_fraction=1.0, resolution=1.0, width=1.0)"
    assert str(Fidelity(depth=0.5)).endswith("width=1.0, depth=0.5)")


def test_a_context_is_written_where_it_is_a_share_alone() -> None:
    assert "context" not in Fidelity().to_dict() and "context" not in str(Fidelity(depth=0.5))
    half = Fidelity(context=0.5)
    assert Fidelity(**half.to_dict()) == half and "context=0.5" in str(half)
    with pytest.raises(ConfigError, match=r"context in \(0, 1\], got 0"):
        Fidelity(context=0)
