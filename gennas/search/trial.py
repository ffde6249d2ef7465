"""Proposals and trials: what a strategy asks for, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gennas.eval.base import FULL_FIDELITY, Fidelity
from gennas.graph import Architecture

__all__ = ["COSTS", "ENQUEUED", "GIVEN", "INGESTED", "WARM", "Origin", "Proposal", "Status", "Trial"]

# Sources of what no strategy proposed: a person's points, their measured ones, and those that are not charged; and
# the best of other runs.
ENQUEUED, INGESTED, GIVEN, WARM = "enqueued", "ingested", "given", "other runs"

COSTS = ("seconds", "llm_tokens", "llm_usd", "llm_calls")
"""Costs of trials that a search may be limited by, beside metrics that add up."""

Status = Literal["ok", "failed", "infeasible", "timeout", "lost", "stopped"]


@dataclass(frozen=True)
class Origin:
    """Where a proposal came from: the source's name, parents' keys, the generator round, details."""

    source: str
    parents: tuple[str, ...] = ()
    round: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Proposal:
    """An architecture that a strategy wants evaluated; ``id`` and ``seed`` are set by the loop.

    Args:
        arch: a valid, canonical architecture.
        origin: what proposed it, for lineage and credit.
        fidelity: how much to spend on it.
        id: position in the order of proposals, from 0.
        seed: seed of the evaluation, a function of the run's seed and ``id`` alone.
        bars: what its training must have reached by each epoch, set by a loop that stops trainings early.
        spent: what it cost to be proposed, by name of a cost, set by the loop; it joins the trial's cost.
    """

    arch: Architecture
    origin: Origin
    fidelity: Fidelity = FULL_FIDELITY
    id: int = -1
    seed: int = 0
    bars: tuple[float, ...] = ()
    spent: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """The outcome of one proposal.

    Args:
        proposal: what was evaluated.
        status: ``ok``; ``failed`` (user code raised or returned no finite number); ``infeasible``;
            ``timeout``; ``lost`` (the worker died); ``stopped`` (its training was ended early, because it was worse
            than former ones: no failure, but no value either, since it would not compare with whole trainings).
        metrics: measured values; empty unless ``ok``.
        cost: seconds (and later joules, tokens) spent, by name.
        error: one line saying what went wrong.
        curves: what was measured after every epoch of a training, by name.
    """

    proposal: Proposal
    status: Status
    metrics: Mapping[str, float] = field(default_factory=dict)
    cost: Mapping[str, float] = field(default_factory=dict)
    error: str = ""
    curves: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def arch(self) -> Architecture:
        """The architecture that was evaluated."""
        return self.proposal.arch

    @property
    def charged(self) -> bool:
        """Whether it counts towards the budget; what was measured elsewhere may be declared as given."""
        return self.proposal.origin.source != GIVEN

    @property
    def ok(self) -> bool:
        """Whether it was evaluated successfully."""
        return self.status == "ok"
