"""Tests of low fidelities of layered networks."""

from __future__ import annotations

import numpy as np
import pytest

from gennas.spaces.scaling import rounded_to, stretched, stretched_layers


def test_widths_are_positive_multiples() -> None:
    assert [rounded_to(x, 4) for x in (0.1, 5, 6, 100)] == [4, 4, 8, 100]


@pytest.mark.parametrize("factor", [0.1, 0.5, 1.0, 1.5, 2.0])
def test_both_forms_stretch_alike(factor: float) -> None:
    depths = np.array([1, 2, 5])
    rows = [[i for i in row if i >= 0] for row in stretched_layers(depths, factor).tolist()]
    assert rows == [stretched(range(d), factor) for d in depths.tolist()]
