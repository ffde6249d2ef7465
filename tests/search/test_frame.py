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


def test_decisions_are_columns_where_they_are_wished() -> None:
    arch = SPACE.from_text("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|none~1|avg_pool_3x3~2|")
    trial = Trial(Proposal(arch, Origin("random"), id=0), "ok", {"accuracy": 0.5, "edge 0-1": 7.0})
    frame = trials_frame([trial], SPACE, decisions=True)
    assert list(frame)[-7:] == [
        "error",
        "edge 0-1 (decision)",
        "edge 0-2",
        "edge 1-2",
        "edge 0-3",
        "edge 1-3",
        "edge 2-3",
    ]
    assert frame.iloc[0, -6:].tolist() == [
        "nor_conv_3x3", "none", "skip_connect", "nor_conv_1x1", "none", "avg_pool_3x3",
    ]  # fmt: skip
    assert frame["edge 0-1"][0] == 7.0
    assert list(trials_frame([], SPACE, decisions=True))[-6:-4] == ["edge 0-1", "edge 0-2"]
