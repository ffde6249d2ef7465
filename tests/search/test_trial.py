"""Proposals and trials are values."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, replace
from typing import get_args

import pytest

from gennas.eval.base import FULL_FIDELITY, Fidelity
from gennas.search import Origin, Proposal, Trial
from gennas.search.trial import Status
from gennas.spaces import NASBench201

ARCH = NASBench201().architecture([0, 1, 2, 3, 4, 0])


def test_defaults() -> None:
    proposal = Proposal(ARCH, Origin("random"))
    assert (proposal.id, proposal.seed, proposal.fidelity) == (-1, 0, FULL_FIDELITY)
    assert (proposal.origin.parents, proposal.origin.round, proposal.origin.details) == ((), None, {})
    trial = Trial(proposal, "failed")
    assert (trial.metrics, trial.cost, trial.error) == ({}, {}, "")


@pytest.mark.parametrize("status", get_args(Status))
def test_only_ok_is_ok(status: Status) -> None:
    assert Trial(Proposal(ARCH, Origin("x")), status).ok == (status == "ok")


def test_the_kinds_of_outcome() -> None:
    assert get_args(Status) == ("ok", "failed", "infeasible", "timeout", "lost", "stopped")


def test_a_trial_is_about_the_proposed_architecture() -> None:
    assert Trial(Proposal(ARCH, Origin("x")), "ok").arch is ARCH


def test_values_do_not_change() -> None:
    trial = Trial(Proposal(ARCH, Origin("x")), "ok", {"a": 1.0})
    for thing, name in ((trial, "status"), (trial.proposal, "id"), (trial.proposal.origin, "source")):
        with pytest.raises(FrozenInstanceError):
            setattr(thing, name, "other")


def test_equality_is_of_all_parts() -> None:
    trial = Trial(Proposal(ARCH, Origin("x", ("p",), 1, {"a": 1}), Fidelity(epochs=2), 3, 4), "ok", {"a": 1.0})
    assert trial == replace(trial) == pickle.loads(pickle.dumps(trial))
    for other in (
        replace(trial, status="failed"),
        replace(trial, metrics={"a": 2.0}),
        replace(trial, error="no"),
        replace(trial, proposal=replace(trial.proposal, id=4)),
        replace(trial, proposal=replace(trial.proposal, fidelity=FULL_FIDELITY)),
        replace(trial, proposal=replace(trial.proposal, origin=Origin("x", ("q",), 1, {"a": 1}))),
    ):
        assert other != trial


def test_origins_do_not_share_their_details() -> None:
    one, other = Origin("a"), Origin("a")
    assert one.details is not other.details
