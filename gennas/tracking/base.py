"""Trackers: listeners that follow a search, live or replayed from its archive."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from gennas.graph import Architecture
from gennas.search.objectives import Objectives
from gennas.search.trial import Trial

__all__ = ["Guard", "NullTracker", "RunInfo", "SafeTracker", "Tracker", "replay"]


@dataclass(frozen=True)
class RunInfo:
    """What a tracker is told about a search before its first trial.

    Args:
        config: the resolved configuration, nested mappings of plain values.
        config_hash: identity of the configuration; with ``seed`` it names the run.
        seed: the search's seed.
        objectives: what is better, for the incumbent.
        text: text form of an architecture.
        group: what runs that differ in the seed only have in common.
        name: how a person tells the run.
    """

    config: Mapping[str, Any]
    config_hash: str
    seed: int
    objectives: Objectives
    text: Callable[[Architecture], str] = repr
    group: str = ""
    name: str = ""


@runtime_checkable
class Tracker(Protocol):
    """Follows one search.

    It is a listener of the search loop with a start and an end: :meth:`start` is called once, then
    :meth:`on_trial` for every trial in the order of tells and :meth:`on_round` after every generator
    round, and :meth:`finish` once. A tracker changes nothing; what it is told can be told again from
    the archive (:func:`replay`). An attribute ``place`` that says where the run is found is printed at the end.
    """

    def start(self, info: RunInfo) -> None:
        """Begin, or continue, the run."""
        ...

    def on_trial(self, trial: Trial, n_evals: int, incumbent: Trial | None) -> None:
        """Take note of a trial: the ``n_evals``-th, counted from 1, after which ``incumbent`` leads."""
        ...

    def on_round(self, n_evals: int, record: Mapping[str, float]) -> None:
        """Take note of a generator round that ended after ``n_evals`` trials were told."""
        ...

    def finish(self, summary: Mapping[str, Any]) -> None:
        """End the run."""
        ...


class NullTracker:
    """Tracks nothing: the default."""

    def start(self, info: RunInfo) -> None:
        """Do nothing."""

    def on_trial(self, trial: Trial, n_evals: int, incumbent: Trial | None) -> None:
        """Do nothing."""

    def on_round(self, n_evals: int, record: Mapping[str, float]) -> None:
        """Do nothing."""

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Do nothing."""


class Guard:
    """Calls what may fail: the first exception warns, and later calls do nothing.

    Args:
        consolation: what goes on in spite of it, a sentence.
    """

    def __init__(self, consolation: str) -> None:
        self.consolation = consolation
        self.failed = False

    def __call__(self, action: Callable[[], None]) -> None:
        """Do it, or warn."""
        if self.failed:
            return
        try:
            action()
        except Exception as error:
            self.failed = True
            warnings.warn(
                f"Tracking stopped ({type(error).__name__}: {error}). {self.consolation}", RuntimeWarning, stacklevel=4
            )


class SafeTracker:
    """Keeps a search alive when its tracker fails: the first exception warns, later calls do nothing.

    Args:
        tracker: what may fail.

    Example:
        >>> SafeTracker(NullTracker()).failed
        False
    """

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self._guard = Guard("The search goes on and its archive is complete; track it later from the archive.")

    @property
    def failed(self) -> bool:
        """Whether the tracker has failed."""
        return self._guard.failed

    @property
    def place(self) -> str:
        """Where a person finds what was tracked, in a line or two; empty where the tracker does not say."""
        return str(getattr(self.tracker, "place", ""))

    def start(self, info: RunInfo) -> None:
        """Begin the run, or warn."""
        self._guard(lambda: self.tracker.start(info))

    def on_trial(self, trial: Trial, n_evals: int, incumbent: Trial | None) -> None:
        """Pass a trial on, or warn."""
        self._guard(lambda: self.tracker.on_trial(trial, n_evals, incumbent))

    def on_round(self, n_evals: int, record: Mapping[str, float]) -> None:
        """Pass a generator round on, or warn."""
        self._guard(lambda: self.tracker.on_round(n_evals, record))

    def on_training(self, epoch: int, values: Mapping[str, float]) -> None:
        """Pass an epoch of a strategy's own training on to a tracker that wants it, or warn."""
        tell = getattr(self.tracker, "on_training", None)
        if tell is not None:
            self._guard(lambda: tell(epoch, values))

    def finish(self, summary: Mapping[str, Any]) -> None:
        """End the run, or warn."""
        self._guard(lambda: self.tracker.finish(summary))


def replay(
    tracker: Tracker,
    trials: Sequence[Trial],
    rounds: Sequence[Mapping[str, float]],
    info: RunInfo,
    summary: Mapping[str, Any],
) -> None:
    """Tell a tracker a finished (or interrupted) search from its archive, in the order of the live calls.

    Args:
        tracker: who is told.
        trials: in the order of tells.
        rounds: figures of the generator rounds in order, each with the ``n_evals`` after which it ended.
        info: the run.
        summary: how it ended.
    """
    tracker.start(info)
    incumbent: Trial | None = None
    ended: dict[int, list[dict[str, float]]] = {}
    for record in rounds:
        figures = {name: value for name, value in record.items() if name != "n_evals"}
        ended.setdefault(int(record["n_evals"]), []).append(figures)
    for n_evals, trial in enumerate(trials, 1):
        incumbent = info.objectives.best([t for t in (incumbent, trial) if t is not None])
        tracker.on_trial(trial, n_evals, incumbent)
        for figures in ended.get(n_evals, []):
            tracker.on_round(n_evals, figures)
    tracker.finish(summary)
