"""Draws in proportion to weights: frequencies, zeros, integers of any size."""

from __future__ import annotations

import numpy as np
import pytest

from gennas.graph import draw_labels


@pytest.mark.parametrize("weights", [[1.0, 0.0, 2.0, 1.0], [2**60, 0, 2**61, 2**60]])
def test_frequencies_are_in_proportion(weights: list[float]) -> None:
    kind = np.float64 if isinstance(weights[0], float) else object
    drawn = draw_labels(np.array([weights] * 20_000, dtype=kind), np.random.default_rng(0))
    assert np.bincount(drawn, minlength=4) / 20_000 == pytest.approx([0.25, 0, 0.5, 0.25], abs=0.015)
    assert drawn.dtype == np.int16 and not (drawn == 1).any()


def test_a_mask_draws_uniformly_among_what_it_allows() -> None:
    mask = np.tile([False, True, False, True], (20_000, 1))
    drawn = draw_labels(mask, np.random.default_rng(1))
    assert np.bincount(drawn, minlength=4) / 20_000 == pytest.approx([0, 0.5, 0, 0.5], abs=0.015)


def test_one_random_number_decides_a_row() -> None:
    """The label in whose part of the row the number falls: proposals of former versions depend on it."""
    weights = np.array([[0.0, 3.0, 1.0], [1.0, 1.0, 2.0], [5.0, 0.0, 5.0]])
    u = np.random.default_rng(3).random(3)
    expected = [
        int(np.searchsorted(np.cumsum(row), x * row.sum(), side="right")) for row, x in zip(weights, u, strict=True)
    ]
    assert draw_labels(weights, np.random.default_rng(3)).tolist() == expected
