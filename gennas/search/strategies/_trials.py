"""Trials and proposals as plain values, for the state of strategies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gennas.search.trial import Origin, Proposal, Trial
from gennas.spaces.base import Space

__all__ = ["pack_proposals", "pack_trials", "unpack_proposals", "unpack_trials"]


def pack_trials(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """Architecture, metrics and status of each."""
    return [{"arch": t.arch.decisions.tolist(), "metrics": dict(t.metrics), "status": t.status} for t in trials]


def unpack_trials(space: Space, records: Sequence[Mapping[str, Any]]) -> list[Trial]:
    """What :func:`pack_trials` was given, without origins."""
    return [
        Trial(Proposal(space.architecture(np.array(r["arch"])), Origin("restored")), r["status"], r["metrics"])
        for r in records
    ]


def pack_proposals(proposals: Sequence[Proposal]) -> list[dict[str, Any]]:
    """Architecture and origin of each."""
    return [
        {"arch": p.arch.decisions.tolist(), "origin": [p.origin.source, list(p.origin.parents), p.origin.round]}
        for p in proposals
    ]


def unpack_proposals(space: Space, records: Sequence[Mapping[str, Any]]) -> list[Proposal]:
    """What :func:`pack_proposals` was given."""
    found = []
    for record in records:
        source, parents, number = record["origin"]
        found.append(Proposal(space.architecture(np.array(record["arch"])), Origin(source, tuple(parents), number)))
    return found
