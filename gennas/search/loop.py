"""The search loop: ask, evaluate, archive, tell."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gennas.errors import ConfigError
from gennas.graph import Architecture
from gennas.search.progress import Listener
from gennas.search.restoring import Restoring
from gennas.search.trial import ENQUEUED, GIVEN, INGESTED, Origin, Proposal, Trial

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
class Search(Restoring):
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
        stopping: ends trainings early, by the curve of the first objective: a training is judged by the whole trainings
            of its fidelity that the strategy had been told of when it was proposed, whatever else runs. What a person
            enqueued, and what is evaluated again, is trained to its end. The evaluator must be a
            :class:`gennas.eval.stopping.StoppableEvaluator`. A trial so ended is ``stopped``: one evaluation of the
            budget, with its true cost, no value, and no failure.
        upfront: what was spent before the search, such as the ``seconds`` and ``supernet_seconds`` of a supernet's
            training: charged with the first trial that is evaluated, once.

    Raises:
        ConfigError: the budget or a limit is not positive.
        EvaluationError: too many trials in a row failed.
        ArchiveError: the archive's proposals are not those of this strategy and seed.
    """

    def enqueue(self, archs: Iterable[Architecture], origin: Origin | None = None) -> None:
        """Evaluate these first, or next in a search that is continued; those in the archive already are passed over.

        Args:
            archs: in this order.
            origin: where they come from; by default a person enqueued them.
        """
        self._enqueued.extend((arch, origin or Origin(ENQUEUED)) for arch in archs)

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
        spent_before = self.archive.meta_value("wall_s", 0.0)
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
            self._numbered(Proposal(arch, origin), self._number(place + i))
            for i, (arch, origin) in enumerate(fresh.values())
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

    def _fresh(
        self,
    ) -> tuple[dict[str, tuple[Architecture, str, Mapping[str, float]]], dict[str, tuple[Architecture, Origin]]]:
        """What is ingested and enqueued and not in the archive yet, by key."""
        known = {t.arch.key for t in self._progress.trials.values()} | {p.arch.key for _, p in self._blocks.values()}
        measured = {a.key: (a, source, m) for a, source, m in self._measured if a.key not in known}
        fresh: dict[str, tuple[Architecture, Origin]] = {}
        for arch, origin in self._enqueued:
            if arch.key not in known and arch.key not in measured:
                fresh.setdefault(arch.key, (arch, origin))
        return measured, fresh
