"""Trials as a table: columns in one order, whatever came first."""

from __future__ import annotations

import numpy as np

from gennas.search import Origin, Proposal, Trial, trials_frame
from gennas.spaces import NASBench201

SPACE = NASBench201()


def test_columns_and_missing_values() -> None:
    a, b = SPACE.sample(2, np.random.default_rng(0))
    failed = Trial(Proposal(a, Origin("random"), id=0), "failed", {}, {"seconds": 1.0}, "no")
    fine = Trial(
        Proposal(b, Origin("diffusion", round=2), id=1), "ok", {"accuracy": 0.5}, {"seconds": 2.0, "joules": 3.0}
    )
    frame = trials_frame([failed, fine], SPACE)
    assert list(frame) == [
        "id", "arch", "key", "status", "source", "round", "accuracy", "cost_seconds", "cost_joules", "error",
    ]  # fmt: skip
    assert frame["arch"].tolist() == [SPACE.to_text(a), SPACE.to_text(b)] and frame["key"].tolist() == [a.key, b.key]
    assert np.isnan(frame["accuracy"][0]) and frame["accuracy"][1] == 0.5 and frame["error"].tolist() == ["no", ""]


def test_no_trials_are_an_empty_table() -> None:
    assert list(trials_frame([], SPACE)) == ["id", "arch", "key", "status", "source", "round", "error"]
