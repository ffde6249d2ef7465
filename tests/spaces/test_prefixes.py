"""Prefix counts against counting by hand."""

from __future__ import annotations

import numpy as np

from gennas.spaces.prefixes import PrefixIndex


def test_counts_equal_counting_rows() -> None:
    rng = np.random.default_rng(0)
    widths = [2, 1, 3, 1]
    rows = np.unique(np.stack([rng.integers(2**w, size=30) for w in widths], axis=1), axis=0)
    weights = rng.random(len(rows))
    index = PrefixIndex(rng.permutation(rows), widths)
    weighted = PrefixIndex(rows, widths, weights)
    prefixes = np.stack([rng.integers(2**w, size=20) for w in widths], axis=1)
    for t, width in enumerate(widths):
        match = (rows[None, :, :t] == prefixes[:, None, :t]).all(2)
        by_label = match[:, None] & (rows[:, t] == np.arange(2**width)[:, None])
        assert np.array_equal(index.counts(prefixes, t), by_label.sum(2))
        np.testing.assert_allclose(weighted.counts(prefixes, t), by_label @ weights, atol=1e-12)


def test_no_prefixes_give_no_counts() -> None:
    index = PrefixIndex(np.array([[0], [1]]), [1])
    assert index.counts(np.zeros((0, 1), dtype=np.int16), 0).shape == (0, 2)
