"""Strategy states survive the way through bytes."""

from __future__ import annotations

import numpy as np
import pytest

from gennas.errors import ArchiveError, InvalidArchitectureError
from gennas.search import Origin, Proposal, Trial
from gennas.search.packing import (
    pack_proposals,
    pack_state,
    pack_trials,
    unpack_proposals,
    unpack_state,
    unpack_trials,
)
from gennas.spaces import NASBench201


def test_round_trip() -> None:
    rng = np.random.default_rng(3)
    rng.normal(size=5)
    state = {
        "rng": rng.bit_generator.state,
        "weights": {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array(True)},
        "list": [1, 2.5, None, "text", [np.int64(3)]],
        "empty": {},
    }
    found = unpack_state(pack_state(state))
    assert found["rng"] == rng.bit_generator.state
    np.testing.assert_array_equal(found["weights"]["a"], state["weights"]["a"])
    assert found["weights"]["a"].dtype == np.float32
    assert found["list"] == [1, 2.5, None, "text", [3]]
    assert found["empty"] == {}


def test_damaged_bytes() -> None:
    with pytest.raises(ArchiveError, match="cannot be read"):
        unpack_state(pack_state({"a": 1})[:-20])


def test_trials_and_proposals_as_plain_values() -> None:
    space = NASBench201()
    archs = space.sample(2, np.random.default_rng(0))
    expected = Origin("mutation", ("ab",), 3, {"predicted": 0.5, "predicted_sd": 1.25})
    proposals = [Proposal(archs[0], expected), Proposal(archs[1], Origin("random"))]
    assert unpack_proposals(space, unpack_state(pack_state({"p": pack_proposals(proposals)}))["p"]) == proposals
    trials = [Trial(proposals[0], "ok", {"score": 0.5}), Trial(proposals[1], "failed")]
    found = unpack_trials(space, unpack_state(pack_state({"t": pack_trials(trials)}))["t"])
    assert [(t.arch, t.status, t.metrics) for t in found] == [(t.arch, t.status, t.metrics) for t in trials]
    assert {t.proposal.origin.source for t in found} == {"restored"}


def test_trials_of_version_0_1_are_read() -> None:
    space = NASBench201()
    archs = space.sample(2, np.random.default_rng(0))
    records = [
        {"arch": archs[0].decisions.tolist(), "metrics": {"score": 0.5, "cost": float("nan")}, "status": "ok"},
        {"arch": archs[1].decisions.tolist(), "metrics": {}, "status": "lost"},
    ]
    found = unpack_trials(space, unpack_state(pack_state({"t": records}))["t"])
    assert [(t.arch, t.status) for t in found] == [(archs[0], "ok"), (archs[1], "lost")]
    assert found[0].metrics["score"] == 0.5 and np.isnan(found[0].metrics["cost"]) and not found[1].metrics
    assert unpack_trials(space, []) == []


@pytest.mark.parametrize("statuses", [[], ["failed", "lost"]])
def test_trials_without_any_metric(statuses: list[str]) -> None:
    space = NASBench201()
    archs = space.sample(2, np.random.default_rng(0))
    trials = [Trial(Proposal(a, Origin("restored")), s) for a, s in zip(archs, statuses, strict=False)]
    assert unpack_trials(space, unpack_state(pack_state({"t": pack_trials(trials)}))["t"]) == trials


def test_decisions_of_nothing_valid_are_refused() -> None:
    space = NASBench201()
    packed = pack_trials([Trial(Proposal(space.sample(1, np.random.default_rng(0))[0], Origin("random")), "failed")])
    packed["decisions"][0, 2] = 99
    with pytest.raises(InvalidArchitectureError, match="no valid architecture"):
        unpack_trials(space, packed)


def test_proposals_of_before_details_were_kept_are_read() -> None:
    record = {"arch": [0] * 6, "origin": ["mutation", ["ab"], 3]}
    (found,) = unpack_proposals(NASBench201(), [record])
    assert found.origin == Origin("mutation", ("ab",), 3)
