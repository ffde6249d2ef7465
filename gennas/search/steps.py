"""The steps that a search is made of: ask, evaluate, archive, tell, save."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from gennas.errors import ArchiveError, ConfigError, EvaluationError
from gennas.eval.base import Fidelity
from gennas.eval.stopping import EarlyStopping
from gennas.graph import Architecture
from gennas.search.archive import Archive
from gennas.search.objectives import Objectives
from gennas.search.progress import Listener, Progress, commonest_error, failures
from gennas.search.strategy import Strategy
from gennas.search.trial import ENQUEUED, WARM, Origin, Proposal, Status, Trial

if TYPE_CHECKING:
    from gennas.search.executor import Executor

__all__ = ["Steps"]


@dataclass
class Steps:
    """What :class:`gennas.search.Search` is told, its counters, and its steps; it says what they mean."""

    strategy: Strategy
    executor: Executor
    archive: Archive
    objectives: Objectives
    budget: int
    seed: int = 0
    fidelity: Fidelity | None = None
    listeners: Sequence[Listener] = ()
    asynchronous: bool = False
    max_failures: int = 20
    snapshot_every_s: float = 5.0
    target: float | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    retry: Sequence[Status] = ()
    stopping: EarlyStopping | None = None
    upfront: Mapping[str, float] = field(default_factory=dict)

    _enqueued: list[tuple[Architecture, Origin]] = field(default_factory=list, init=False)
    _measured: list[tuple[Architecture, str, Mapping[str, float]]] = field(default_factory=list, init=False)
    _asked: int = field(default=0, init=False)  # places, in the order of proposals
    _told: int = field(default=0, init=False)
    _failing: list[int] = field(default_factory=list, init=False)  # numbers of the last trials, all of which failed
    _blocks: dict[int, tuple[int, Proposal]] = field(default_factory=dict, init=False)  # a person's points, by number
    _running: int = field(default=0, init=False)
    _snapshot_at: int = field(default=0, init=False)
    _order: list[int] = field(default_factory=list, init=False)  # numbers by place, as far as they differ
    _known_rounds: set[int] = field(default_factory=set, init=False)
    _former_cost: dict[int, dict[str, float]] = field(default_factory=dict, init=False)
    _whole_batches: bool = field(default=True, init=False)
    _is_paid: bool = field(default=False, init=False)  # whether what was spent upfront is charged

    def __post_init__(self) -> None:
        if self.budget < 1:
            raise ConfigError(f"Expected a budget of at least one evaluation, got {self.budget}.")
        if any(not limit > 0 for limit in self.limits.values()):
            raise ConfigError(f"Expected positive limits, got {dict(self.limits)}.")
        self._progress = Progress(self.objectives, self.budget, self.limits, self.target, self.listeners)

    def _ask(self, n: int) -> list[Proposal]:
        asked = self.strategy.ask(n)
        proposals = [self._numbered(p, self._number(self._asked + i)) for i, p in enumerate(asked)]
        for p in proposals:
            found = self._progress.trials.get(p.id)
            if found is not None and found.arch != p.arch:
                self._refuse(p.id, found.arch, p.arch)
        self._asked += len(proposals)
        spent = self.strategy.spent()
        if spent and proposals:
            proposals[0] = replace(proposals[0], spent=spent)
        return proposals

    def _refuse(self, number: int, found: Architecture, proposed: Architecture) -> None:
        raise ArchiveError(
            f"{self.archive.path}: trial {number} is {found}, but this strategy and seed propose {proposed}: "
            "the archive belongs to another version or run. Use a new --out."
        )

    def _numbered(self, proposal: Proposal, number: int) -> Proposal:
        seed = int(np.random.SeedSequence((self.seed, number)).generate_state(1)[0])
        return replace(proposal, id=number, seed=seed, fidelity=self.fidelity or proposal.fidelity)

    def _number(self, place: int) -> int:
        """Number of the trial at a place in the order of proposals: first those told at once, then the free ones."""
        return self._order[place] if place < len(self._order) else place

    def _submit(self, proposal: Proposal, told: int | None = None) -> None:
        """Hand a proposal to the executor, with the bars that follow from what was ``told`` when it was asked for."""
        if self.stopping is not None and proposal.origin.source not in (ENQUEUED, WARM):
            curves = self._finished_curves(proposal.fidelity, self._told if told is None else told)
            proposal = replace(proposal, bars=self.stopping.bars(curves, self.objectives.primary.direction))
        if owed := self._owed():
            proposal = replace(proposal, spent={**owed, **{k: v + owed.get(k, 0.0) for k, v in proposal.spent.items()}})
            self._is_paid = True
        self.executor.submit(proposal)
        self._running += 1

    def _owed(self) -> Mapping[str, float]:
        """What was spent before the search and is charged with no trial yet."""
        if not self._is_paid and self.upfront:
            own = self.upfront.keys() - {"seconds"}
            costs = [*(t.cost for t in self._progress.trials.values()), *self._former_cost.values()]
            self._is_paid = any(own & cost.keys() for cost in costs)
        return {} if self._is_paid else self.upfront

    def _finished_curves(self, fidelity: Fidelity, told: int) -> list[Sequence[float]]:
        """The primary objective's curves of whole trainings of one fidelity among the first trials that were told."""
        metric, trials = self.objectives.primary.metric, self._progress.trials
        numbers = list(trials)[:told] if self.asynchronous else [self._number(place) for place in range(told)]
        found = [trials[number] for number in numbers]
        return [t.curves[metric] for t in found if t.ok and metric in t.curves and t.proposal.fidelity == fidelity]

    def _collect(self, replaced: bool = False) -> Trial:
        """Wait for a trial, archive it, and tell the listeners."""
        trial = self.executor.wait_any()
        self._running -= 1
        for more in (trial.proposal.spent, self._former_cost.get(trial.proposal.id, {})):  # of attempts before this one
            for name, spent in more.items():
                trial = replace(trial, cost={**trial.cost, name: trial.cost.get(name, 0.0) + spent})
        if trial.proposal.bars or trial.proposal.spent:  # they are no part of what is kept
            trial = replace(trial, proposal=replace(trial.proposal, bars=(), spent={}))
        (self.archive.replace if replaced else self.archive.add)(trial)
        if self.asynchronous:
            self.archive.commit()  # it is told at once
        self._failing = [] if trial.status in ("ok", "stopped") else [*self._failing, trial.proposal.id]
        self._progress.note(trial)
        if len(self._failing) >= self.max_failures:
            self.archive.set_meta("failing", json.dumps(self._failing))
            self._give_up()
        return trial

    def _give_up(self) -> None:
        failed = [self._progress.trials[number] for number in self._failing]
        error, count = commonest_error(failed)
        every = "All" if len(failed) == len(self._progress) else "The last"
        raise EvaluationError(
            f"{failures(len(failed), count, every)}: {error}. Mend the cause and run the same command again: these "
            "trials are then evaluated again."
        )

    def _tell(self, trials: Sequence[Trial], whole: bool = True, replayed: bool = False) -> None:
        """Tell the strategy; the first part of a batch is told for its figures only, when the search is at its end."""
        before, after = self._told, self._told + len(trials)
        self.strategy.tell([self._visible(t) for t in trials])
        if not replayed:
            record = self.strategy.records()
            if record:
                self.archive.add_round(after, record, before)
                if after not in self._known_rounds:
                    self._progress.note_round(after, record)
        if whole:
            self._told = after
            if not replayed and time.perf_counter() - self._last_snapshot > self.snapshot_every_s:
                self._save_snapshot()

    def _visible(self, trial: Trial) -> Trial:
        """The trial without metrics that are merely reported, and without curves."""
        names = self.objectives.metric_names
        return replace(trial, metrics={n: v for n, v in trial.metrics.items() if n in names}, curves={})

    def _save_snapshot(self) -> None:
        if self._told == self._snapshot_at:
            return
        with self.archive.together():
            self.archive.set_meta("snapshot_of", self._identity)
            self.archive.set_meta("snapshot_asked", str(self._asked))
            self.archive.save_snapshot(self._told, self.strategy.state_dict())
        self._last_snapshot, self._snapshot_at = time.perf_counter(), self._told

    @property
    def _identity(self) -> str:
        return f"{type(self.strategy).__qualname__} seed {self.strategy.seed}"
