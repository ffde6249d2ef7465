"""What a worker anywhere says of one trial, in plain values: the machine that carries it needs no numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gennas.search.trial import Proposal, Status, Trial

__all__ = ["Outcome", "trial_of"]


@dataclass(frozen=True)
class Outcome:
    """A trial without its proposal, which the driver has.

    Args:
        status: of the trial; ``unopened`` where the worker has not got the parcel yet.
        metrics: measured values.
        cost: spent, by name.
        error: one line.
        curves: what was measured after every epoch.
        log: last lines of what a failed trial wrote to its standard error.
        killed: its process was killed by the system, which does so when memory is short.
    """

    status: Status | str
    metrics: Mapping[str, float] = field(default_factory=dict)
    cost: Mapping[str, float] = field(default_factory=dict)
    error: str = ""
    curves: Mapping[str, Sequence[float]] = field(default_factory=dict)
    log: str = ""
    killed: bool = False

    @classmethod
    def of(cls, trial: Trial) -> Outcome:
        """A trial's outcome."""
        cost = {name: float(spent) for name, spent in trial.cost.items()}
        return cls(trial.status, dict(trial.metrics), cost, trial.error, dict(trial.curves))

    @property
    def out_of_memory(self) -> bool:
        """Whether more memory may help."""
        words = ("out of memory", "OutOfMemoryError", "CUDA out of memory")
        return self.killed or (self.status == "failed" and self.error.startswith(words[:2])) or words[2] in self.error


def trial_of(outcome: Outcome, proposal: Proposal) -> Trial:
    """The trial, with the end of its log where it failed."""
    from gennas.search.trial import Trial

    log = f" (last lines of its log: {outcome.log})" if outcome.log and outcome.status != "ok" else ""
    status: Status = outcome.status  # type: ignore[assignment]  # an unopened one never comes here
    return Trial(proposal, status, outcome.metrics, outcome.cost, outcome.error + log, outcome.curves)
