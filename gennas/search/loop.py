"""The search loop: ask, evaluate, archive, tell."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from gennas.errors import ArchiveError, ConfigError, EvaluationError
from gennas.eval.base import Fidelity
from gennas.graph import Architecture
from gennas.search.archive import Archive
from gennas.search.objectives import Objectives
from gennas.search.progress import Listener, Progress, commonest_error
from gennas.search.strategy import Strategy
from gennas.search.trial import ENQUEUED, GIVEN, INGESTED, Origin, Proposal, Status, Trial

if TYPE_CHECKING:
    from gennas.search.executor import Executor

__all__ = ["Listener", "Result", "Search"]


@dataclass(frozen=True)
class Result:
    """What a search found.

    Args:
        trials: every trial, in the order of proposals.
        best: the incumbent, or None if no trial was feasible.
        pareto: the non-dominated feasible trials.
        wall_s: seconds spent, earlier parts of a resumed run included.
        stopped: why it ended: ``budget``, ``exhausted``, ``target``, ``limit``; ``unfinished`` of a run that is read.
    """

    trials: Sequence[Trial]
    best: Trial | None
    pareto: Sequence[Trial]
    wall_s: float
    stopped: str

    @property
    def n_evals(self) -> int:
        """Trials that were charged to the budget."""
        return sum(t.charged for t in self.trials)


@dataclass
class Search:
    """Runs a strategy against an executor until the budget is spent; continues what an archive holds.

    A batch of the strategy's own size is asked for, evaluated (in parallel if the executor can) and
    told in the order of its proposals, so that the proposals depend neither on the number of workers nor on the
    budget, target or limits: these only say where it ends. ``asynchronous=True`` gives that up for speed: the executor
    is kept full and every trial is told as it finishes.

    Continuing replays: the strategy starts from its last snapshot (or from scratch), is asked again,
    and told the archived outcomes; only what is missing is evaluated. A run that was killed, or that is given more
    budget, thus ends in the same archive as one that was not. Asynchronous runs remember what was asked after
    how many tells, and go on from the same state, with the same trials in flight.

    Trials that are evaluated again (:attr:`retry`) keep their number, architecture and seed. The strategy cannot be
    asked again for what it proposed in the light of their failure; it then starts afresh from all outcomes.

    Args:
        strategy: proposes; nothing was asked of it yet.
        executor: evaluates.
        archive: keeps; the same archive with the same strategy and seed continues.
        objectives: what is better; only its metrics are shown to the strategy.
        budget: number of evaluations, every one counted, failed ones too; one that is evaluated again counts once.
        seed: the run's seed; trial ``i`` is evaluated under a seed made of it and ``i`` alone.
        fidelity: replaces the default fidelity of proposals.
        listeners: told of every trial as it arrives, archived ones first, and of every round.
        asynchronous: keep the executor full instead of working in batches.
        max_failures: consecutive failed trials that end the search; the next run evaluates them again.
        snapshot_every_s: least seconds between two snapshots of the strategy.
        target: value of the first objective at which a feasible trial ends the search.
        limits: most that may be spent in all, by name: a cost of trials (``seconds``) or a metric that adds up, such as
            joules or tabulated training seconds. The search ends with the trial that reaches one; trials that run then
            are waited for.
        retry: archived trials that ended so are evaluated again first.

    Raises:
        ConfigError: the budget or a limit is not positive.
        EvaluationError: too many trials in a row failed.
        ArchiveError: the archive's proposals are not those of this strategy and seed.
    """

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

    _enqueued: list[Architecture] = field(default_factory=list, init=False)
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

    def __post_init__(self) -> None:
        if self.budget < 1:
            raise ConfigError(f"Expected a budget of at least one evaluation, got {self.budget}.")
        if any(not limit > 0 for limit in self.limits.values()):
            raise ConfigError(f"Expected positive limits, got {dict(self.limits)}.")
        self._progress = Progress(self.objectives, self.budget, self.limits, self.target, self.listeners)

    def enqueue(self, archs: Iterable[Architecture]) -> None:
        """Evaluate these first, or next in a search that is continued; those in the archive already are passed over."""
        self._enqueued.extend(archs)

    def ingest(self, measured: Iterable[tuple[Architecture, Mapping[str, float]]], charged: bool = True) -> None:
        """Learn from architectures that were measured elsewhere; those in the archive already are passed over.

        Args:
            measured: architectures with their metrics, all of the objectives' and constraints' among them.
            charged: count each as an evaluation. Otherwise they are declared as given: not counted, and marked so.

        Raises:
            ConfigError: a metric is missing or not finite.
        """
        source = INGESTED if charged else GIVEN
        for arch, metrics in measured:
            bad = [name for name in self.objectives.metric_names if not np.isfinite(metrics.get(name, np.nan))]
            if bad:
                raise ConfigError(f"Expected a finite value of {', '.join(bad)} for the measured {arch}.")
            self._measured.append((arch, source, metrics))

    def run(self) -> Result:
        """Search until the budget is spent or the space exhausted."""
        start = self._last_snapshot = time.perf_counter()
        spent_before = float(self.archive.meta("wall_s") or 0)
        try:
            stopped = self._continue()
        finally:
            self.archive.commit()
            wall_s = spent_before + time.perf_counter() - start
            self.archive.set_meta("wall_s", str(wall_s))
        trials = [self._progress.trials[number] for number in sorted(self._progress.trials)]
        return Result(trials, self.objectives.best(trials), self.objectives.pareto(trials), wall_s, stopped)

    def _continue(self) -> str:
        self._restore()
        self._progress.start()
        if self._progress.ended and any(self._fresh()):
            raise ConfigError(
                f"The search is at its end ({self._progress.ended}), so that nothing more can be enqueued or ingested: "
                "give it more --budget, or use a new --out."
            )
        stopped = self._run_asynchronously() if self.asynchronous else self._run_in_batches()
        self.archive.set_meta("complete", str(len(self._progress)))  # running again is quick
        self.archive.set_meta("stopped", stopped)
        return stopped

    # ------------------------------------------------------------------ batches

    def _run_in_batches(self) -> str:
        progress = self._progress
        while not progress.ended or self._told < len(progress):
            self._add_known()
            batch = self._ask_batch()  # 1. ask
            if not batch:
                return "exhausted"
            self._evaluate(deque(p for p in batch if p.id not in progress))  # 2. evaluate what the archive lacks
            self.archive.commit()  # 3. archive, durably
            arrived = [progress.trials[p.id] for p in batch if p.id in progress]
            self._tell(arrived, whole=len(arrived) == len(batch))  # 4. tell, in the order of proposals
            if len(arrived) < len(batch):
                break
        else:
            self._save_snapshot()
        return progress.ended

    def _ask_batch(self) -> list[Proposal]:
        first = self._number(self._asked)
        if first in self._blocks:  # a person's points, block by block as they came
            block = [p for start, p in self._blocks.values() if start == self._blocks[first][0]]
            self._asked += len(block)
            return block
        left = self.budget + self._progress.n_given - self._asked
        size = self.strategy.batch_size
        if self._whole_batches:
            if left < size:
                self._save_snapshot()  # with more budget, this batch is asked for again
        else:  # an archive of version 0.1.0
            size = max(1, min(size, left, self.executor.capacity if self.limits else left))
        return self._ask(size)

    def _evaluate(self, missing: deque[Proposal]) -> None:
        """Evaluate until nothing is missing or the search is at its end; what runs then is waited for."""
        progress = self._progress
        while missing or self._running:
            while missing and self._running < self.executor.capacity and not progress.ended:
                if progress.n_evals + self._running >= self.budget:
                    missing.clear()
                    break
                self._submit(missing.popleft())
            if not self._running:
                return
            self._collect()

    # ------------------------------------------------------------------ asynchronous

    def _run_asynchronously(self) -> str:
        progress = self._progress
        while not progress.ended:
            for proposal in self._add_known():
                self._submit(proposal)
            room = self._running < self.executor.capacity and progress.n_evals + self._running < self.budget
            proposals = self._ask(1) if room else []
            self.archive.add_asked(proposals, self._told)
            for proposal in proposals:
                self._submit(proposal)
            if proposals:
                continue
            if not self._running:
                return "exhausted"
            self._tell([self._collect()])
        while self._running:  # every second that was spent is charged
            self._tell([self._collect()])
        self._save_snapshot()
        return progress.ended

    # ------------------------------------------------------------------ the steps

    def _ask(self, n: int) -> list[Proposal]:
        asked = self.strategy.ask(n)
        proposals = [self._numbered(p, self._number(self._asked + i)) for i, p in enumerate(asked)]
        for p in proposals:
            found = self._progress.trials.get(p.id)
            if found is not None and found.arch != p.arch:
                self._refuse(p.id, found.arch, p.arch)
        self._asked += len(proposals)
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

    def _submit(self, proposal: Proposal) -> None:
        self.executor.submit(proposal)
        self._running += 1

    def _collect(self, replaced: bool = False) -> Trial:
        """Wait for a trial, archive it, and tell the listeners."""
        trial = self.executor.wait_any()
        self._running -= 1
        for name, spent in self._former_cost.get(trial.proposal.id, {}).items():  # of attempts before this one
            trial = replace(trial, cost={**trial.cost, name: trial.cost.get(name, 0.0) + spent})
        (self.archive.replace if replaced else self.archive.add)(trial)
        if self.asynchronous:
            self.archive.commit()  # it is told at once
        self._failing = [] if trial.ok else [*self._failing, trial.proposal.id]
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
            f"{every} {len(failed)} trials failed, {count} of them with: {error}. Mend the cause and run the same "
            "command again: these trials are then evaluated again."
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

    # ------------------------------------------------------------------ what a person knows

    def _add_known(self) -> list[Proposal]:
        """Number what is enqueued and ingested, once the archive holds nothing that was not told; what to evaluate."""
        if not (self._enqueued or self._measured) or self._told != len(self._progress):
            return []
        measured, fresh = self._fresh()
        self._measured, self._enqueued = [], []
        place, block = self._asked, self._number(self._asked)
        trials = [
            Trial(self._numbered(Proposal(arch, Origin(source)), self._number(place + i)), "ok", metrics)
            for i, (arch, source, metrics) in enumerate(measured.values())
        ]
        place += len(trials)
        proposals = [
            self._numbered(Proposal(arch, Origin(ENQUEUED)), self._number(place + i))
            for i, arch in enumerate(fresh.values())
        ]
        with self.archive.together():
            self.archive.add_asked([*(t.proposal for t in trials), *proposals], -1 - block)
            self.archive.add_many(trials)
        for trial in trials:
            self._progress.note(trial)
        if self.asynchronous:
            self._asked += len(trials) + len(proposals)
            for trial in trials:
                self._tell([trial])
        else:
            self._blocks |= {p.id: (block, p) for p in (*(t.proposal for t in trials), *proposals)}
        return proposals

    def _fresh(self) -> tuple[dict[str, tuple[Architecture, str, Mapping[str, float]]], dict[str, Architecture]]:
        """What is ingested and enqueued and not in the archive yet, by key."""
        known = {t.arch.key for t in self._progress.trials.values()} | {p.arch.key for _, p in self._blocks.values()}
        measured = {a.key: (a, source, m) for a, source, m in self._measured if a.key not in known}
        return measured, {a.key: a for a in self._enqueued if a.key not in known and a.key not in measured}

    # ------------------------------------------------------------------ continuing

    def _restore(self) -> None:
        """Bring strategy and counters to where the archive's last snapshot left them."""
        archive = self.archive
        if not len(archive):
            archive.set_meta("batches", "whole")
        self._whole_batches = archive.meta("batches") == "whole"
        self._forget_failures()
        self._former_cost = self._costs_of_attempts()
        self._evaluate_again()
        at_once: list[int] = json.loads(archive.meta("at_once") or "[]")
        arrivals = archive.trials(by_arrival=True)
        rows = archive.asked()
        if self.asynchronous and {t.proposal.id for t in arrivals} - {p.id for _, p in rows} - set(at_once):
            at_once = self._restart_from(
                [t.proposal.id for t in arrivals]
            )  # of version 0.1.0: what was asked is unknown
            rows = []
        self._order = _with_gaps(at_once)
        self._note_found(arrivals)
        self._blocks = {p.id: (-1 - told, p) for told, p in rows if told < 0}
        told, state = self._snapshot(len(at_once))
        if self._progress.ended and not self.asynchronous and told == len(arrivals):
            self._told = self._asked = self._snapshot_at = told
            return  # nothing will be asked: no state is needed
        if archive.meta("complete") == str(len(arrivals)) and self._progress.ended:
            self._told = self._asked = self._snapshot_at = len(arrivals)
            return
        self._load(told, state)
        if at_once and state is None:
            self._tell([self._progress.trials[number] for number in at_once], replayed=True)
        if self.asynchronous:
            self._replay(arrivals, rows, set(at_once))
        else:
            self._asked = self._told

    def _note_found(self, arrivals: Sequence[Trial]) -> None:
        """Tell the listeners what happened before."""
        rounds = {int(r["n_evals"]): {k: v for k, v in r.items() if k != "n_evals"} for r in self.archive.rounds()}
        self._known_rounds = set(rounds)
        for count, trial in enumerate(arrivals, 1):
            self._failing = [] if trial.ok else [*self._failing, trial.proposal.id]
            if trial.proposal.id not in self._progress:  # those evaluated again were noted as they arrived
                self._progress.note(trial)
            if count in rounds:
                self._progress.note_round(count, rounds[count])

    def _snapshot(self, least: int) -> tuple[int, Mapping[str, object] | None]:
        """The last snapshot, checked: how many trials need not be told again, and the strategy's state."""
        found, owner = self.archive.snapshot(), self.archive.meta("snapshot_of")
        if found is None:
            return 0, None
        if owner not in (None, self._identity):
            raise ArchiveError(
                f"{self.archive.path} holds a snapshot of {owner}, but this is {self._identity}: the archive "
                "belongs to another version or run. Use a new --out."
            )
        told, state = found
        missing = not self.asynchronous and any(self._number(place) not in self._progress for place in range(told))
        if missing or told > len(self._progress) or told < least:
            raise ArchiveError(f"{self.archive.path}: trials before the snapshot at {told} are missing.")
        return told, state

    def _load(self, told: int, state: Mapping[str, object] | None) -> None:
        if state is None:
            return
        try:
            self.strategy.load_state_dict(state)
        except (KeyError, TypeError, ValueError) as error:
            raise ArchiveError(
                f"{self.archive.path} holds a snapshot that {type(self.strategy).__name__} cannot read ({error!r}): it "
                "was written by another version of gennas. Use a new --out, or the version that wrote it."
            ) from error
        self._told = self._snapshot_at = told

    def _replay(self, arrivals: Sequence[Trial], rows: Sequence[tuple[int, Proposal]], at_once: set[int]) -> None:
        """Ask and tell an asynchronous run as it was, from the snapshot on; submit what was in flight."""
        places = {number: place for place, number in enumerate(self._order)}
        rows = sorted(rows, key=lambda row: places.get(row[1].id, row[1].id))
        later = [t for t in arrivals if t.proposal.id not in at_once]
        begun = int(self.archive.meta("snapshot_asked") or 0) if self._snapshot_at else len(at_once)
        base, self._asked = len(at_once), begun
        for place, (told, asked) in enumerate(rows, start=base):
            if told < 0 or place < begun:
                continue
            for trial in later[self._told - base : told - base]:
                self._tell([trial])
            self._asked = place
            for proposal in self._ask(1):
                if proposal.arch != asked.arch:
                    self._refuse(asked.id, asked.arch, proposal.arch)
        for trial in later[self._told - base :]:
            self._tell([trial])
        self._asked = base + len(rows)
        for _, proposal in rows:
            if proposal.id not in self._progress:
                self._submit(proposal)

    # ------------------------------------------------------------------ evaluating again

    def _costs_of_attempts(self) -> dict[int, dict[str, float]]:
        costs: dict[int, dict[str, float]] = {}
        for attempt in self.archive.attempts():
            known = costs.setdefault(attempt.id, {})
            for name, spent in attempt.cost.items():
                # The cost of an attempt holds that of the attempts before it.
                known[name] = max(known.get(name, 0.0), spent)
        return costs

    def _forget_failures(self) -> None:
        """Set aside the failed trials that ended the last run, so that the search goes on as if they had not failed."""
        numbers: list[int] = json.loads(self.archive.meta("failing") or "[]")
        first, at_once = min(numbers, default=0), json.loads(self.archive.meta("at_once") or "[]")
        if not numbers:
            return
        with self.archive.together():
            self.archive.drop_meta("failing")
            if self.asynchronous or set(numbers) & set(at_once):
                waiting = json.loads(self.archive.meta("again") or "[]")
                self.archive.set_meta("again", json.dumps(sorted({*waiting, *numbers})))
                return
            place = _with_gaps(at_once).index(first) if first < len(_with_gaps(at_once)) else first
            snapshot = self.archive.snapshot()
            if snapshot is not None and snapshot[0] > place:
                self.archive.drop_snapshot()
            self.archive.set_aside(numbers)
            self.archive.drop_rounds(place)

    def _evaluate_again(self) -> None:
        """Evaluate the trials of :attr:`retry` again, and those that a run which did so was killed before."""
        waiting: list[int] = json.loads(self.archive.meta("again") or "[]")
        wanted = [t for t in self.archive.trials() if t.status in self.retry or t.proposal.id in waiting]
        if not wanted:
            return
        numbers = {t.proposal.id for t in wanted}
        with self.archive.together():
            self.archive.set_meta("again", json.dumps(sorted(numbers)))
            self._restart_from([t.proposal.id for t in self.archive.trials()])
        for trial in self.archive.trials(by_arrival=True):
            if trial.proposal.id not in numbers:
                self._progress.note(trial)
        self._progress.start()
        queue = deque(t.proposal for t in wanted)
        while queue or self._running:
            while queue and self._running < self.executor.capacity:
                self._submit(queue.popleft())
            number = self._collect(replaced=True).proposal.id
            numbers.discard(number)
            self.archive.set_meta("again", json.dumps(sorted(numbers)))
        self.archive.drop_meta("again")

    def _restart_from(self, numbers: Sequence[int]) -> list[int]:
        """From now on the strategy starts with these trials, told at once."""
        at_once = sorted(numbers)
        self.archive.set_meta("at_once", json.dumps(at_once))
        self.archive.drop_meta("complete")
        self.archive.drop_snapshot()
        self.archive.drop_asked()
        return at_once


def _with_gaps(numbers: Sequence[int]) -> list[int]:
    """The numbers, then those below the largest that are free."""
    known = set(numbers)
    return [*numbers, *(n for n in range(max(numbers, default=-1)) if n not in known)]
