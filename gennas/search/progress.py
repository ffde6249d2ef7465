"""What has arrived of a search: trials, incumbent, budget; and who is told of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np

from gennas.errors import ArchiveError
from gennas.search.objectives import Objectives
from gennas.search.trial import Trial

__all__ = [
    "Listener",
    "Progress",
    "StartListener",
    "TrainingListener",
    "commonest_error",
    "commonest_reason",
    "failures",
]


class Listener(Protocol):
    """Hears what happens: progress bars, trackers. It must not raise and cannot change the search."""

    def on_trial(self, trial: Trial, n_evals: int, incumbent: Trial | None) -> None:
        """Called as soon as a trial is archived, in the order of arrivals; ``n_evals`` were charged so far."""
        ...

    def on_round(self, n_evals: int, record: Mapping[str, float]) -> None:
        """Called when a strategy ended a round that it keeps figures of."""
        ...


@runtime_checkable
class StartListener(Protocol):
    """A listener that wants to know which trials were in the archive before."""

    def on_start(self, n_evals: int) -> None:
        """Called once, when the archived trials, ``n_evals`` of them charged, were told, before one is evaluated."""
        ...


@runtime_checkable
class TrainingListener(Protocol):
    """A listener that wants to know how a strategy's own training goes, such as that of a supernet."""

    def on_training(self, epoch: int, values: Mapping[str, float]) -> None:
        """Called after every epoch, counted from 1, with its figures; those of an interrupted training come again."""
        ...


@dataclass
class Progress:
    """The trials that are archived, and why a search with them is at its end.

    Args:
        objectives: what is better.
        budget: evaluations that may be charged.
        limits: most that trials may spend together, by name of a cost or metric.
        target: value of the first objective at which the search ends.
        listeners: told of every arrival.
    """

    objectives: Objectives
    budget: int
    limits: Mapping[str, float] = field(default_factory=dict)
    target: float | None = None
    listeners: Sequence[Listener] = ()
    trials: dict[int, Trial] = field(default_factory=dict, init=False)  # by number
    incumbent: Trial | None = field(default=None, init=False)
    n_evals: int = field(default=0, init=False)
    _has_started: bool = field(default=False, init=False)
    _spent: dict[str, float] = field(default_factory=dict, init=False)

    def __contains__(self, number: int) -> bool:
        return number in self.trials

    def __len__(self) -> int:
        return len(self.trials)

    @property
    def n_given(self) -> int:
        """Trials that were given and are not charged."""
        return len(self.trials) - self.n_evals

    def start(self) -> None:
        """Tell listeners that what follows is evaluated now; once."""
        if not self._has_started:
            self._has_started = True
            for listener in self.listeners:
                if isinstance(listener, StartListener):
                    listener.on_start(self.n_evals)

    def check(self, trials: Sequence[Trial], where: str) -> None:
        """Refuse successful trials of an archive that lack what is optimised or bounded.

        Raises:
            ArchiveError: one does.
        """
        for trial in trials:
            missing = [name for name in self.objectives.metric_names if trial.ok and name not in trial.metrics]
            if missing:
                raise ArchiveError(f"{where}: trial {trial.proposal.id} has no {', '.join(missing)}; restore the file.")

    def note(self, trial: Trial) -> None:
        """Count a trial that was archived, and tell the listeners."""
        self.trials[trial.proposal.id] = trial
        self.n_evals += trial.charged
        for name in self.limits if trial.charged else ():
            self._spent[name] = self._spent.get(name, 0.0) + trial.cost.get(name, trial.metrics.get(name, 0.0))
        if self.objectives.is_feasible(trial) and self._improves(trial):
            self.incumbent = trial
        for listener in self.listeners:
            listener.on_trial(trial, self.n_evals, self.incumbent)

    def note_round(self, n_evals: int, record: Mapping[str, float]) -> None:
        """Tell the listeners of a round."""
        for listener in self.listeners:
            listener.on_round(n_evals, record)

    def _improves(self, trial: Trial) -> bool:
        return self.incumbent is None or self._signed(trial) > self._signed(self.incumbent)

    def _signed(self, trial: Trial) -> float:
        goal = self.objectives.primary
        return goal.signed(trial.metrics[goal.metric])

    @property
    def ended(self) -> str:
        """Why nothing more is evaluated: ``target``, ``budget``, ``limit``, or empty while the search goes on."""
        best = -np.inf if self.incumbent is None else self._signed(self.incumbent)
        if self.target is not None and best >= self.objectives.primary.signed(self.target) - 1e-12:
            return "target"
        if self.n_evals >= self.budget:
            return "budget"
        return "limit" if any(self._spent.get(name, 0.0) >= limit for name, limit in self.limits.items()) else ""


def failures(n: int, alike: int, whose: str = "All") -> str:
    """The beginning of a sentence about ``n`` failed trials, ``alike`` of which give the reason that follows.

    Example:
        >>> failures(20, 20), failures(1, 1), failures(20, 3, "The last")
        ('All 20 trials failed with', 'The only trial failed with', 'The last 20 trials failed, 3 of them with')
    """
    if n == 1 and whose == "All":
        return "The only trial failed with"
    return f"{whose} {n} trials failed" + (" with" if alike == n else f", {alike} of them with")


def commonest_error(trials: Sequence[Trial]) -> tuple[str, int]:
    """The reason that most failed trials give, and how many give it; ``("", 0)`` where none failed.

    Reasons that differ in numbers and keys only count as one; the first of them is returned.
    """
    return commonest_reason([t.error or t.status for t in trials if not t.ok])


def commonest_reason(reasons: Sequence[str]) -> tuple[str, int]:
    """The commonest of some reasons and how often it is given; ``("", 0)`` of none.

    Those that differ in numbers and keys only count as one; the first of them is returned.

    Example:
        >>> commonest_reason(["no disk for 3", "out of memory", "no disk for 17"])
        ('no disk for 3', 2)
    """
    kinds = [re.sub(r"[0-9a-f]{8,}|\d+", "#", reason) for reason in reasons]
    if not reasons:
        return "", 0
    kind, count = Counter(kinds).most_common(1)[0]
    return reasons[kinds.index(kind)], count
