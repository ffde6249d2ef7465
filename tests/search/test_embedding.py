"""An encoder that is pre-trained inside of a search."""

from __future__ import annotations

import numpy as np

from gennas.search.columns import MeasuredColumns
from gennas.search.embedding import EncoderColumns
from gennas.spaces import NASBench201

SPACE = NASBench201()
ARCHS = SPACE.sample(6, np.random.default_rng(1))
SMALL = {"unlabelled": 20, "measured": 5, "steps": 2, "dim": 8}


def test_it_is_trained_once_and_learns_of_paid_columns() -> None:
    paid = MeasuredColumns(("sum",), lambda arch: {"sum": float(arch.decisions.sum())})
    columns = EncoderColumns(SPACE, 3, paid, **SMALL)
    first = columns(ARCHS)
    assert first.shape == (6, 8) and len(paid) == 5
    np.testing.assert_array_equal(columns(ARCHS), first)
    assert columns.state_dict()["properties"][-1] == "sum"
    np.testing.assert_array_equal(EncoderColumns(SPACE, 3, paid, **SMALL)(ARCHS), first)
    assert not np.array_equal(EncoderColumns(SPACE, 4, None, **SMALL)(ARCHS), first)


def test_weights_are_restored() -> None:
    columns, twin = EncoderColumns(SPACE, 0, **SMALL), EncoderColumns(SPACE, 0, **SMALL)
    twin.load_state_dict(columns.state_dict())
    assert twin.state_dict() == {}  # nothing was learned yet
    found = columns(ARCHS)
    twin.load_state_dict(columns.state_dict())
    np.testing.assert_array_equal(twin(ARCHS), found)
