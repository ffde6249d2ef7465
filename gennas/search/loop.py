"""The search loop: ask, evaluate, archive, tell."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from gennas.errors import ArchiveError, ConfigError, EvaluationError
from gennas.eval.base import Fidelity
from gennas.search.archive import Archive
from gennas.search.objectives import Objectives
from gennas.search.strategy import Strategy
from gennas.search.trial import Proposal, Trial

if TYPE_CHECKING:
    from gennas.search.executor import Executor

__all__ = ["Listener", "Result", "Search"]


class Listener(Protocol):
    """Hears what happens: progress bars, trackers. It must not raise and cannot change the search."""

    def on_trial(self, trial: Trial, n_evals: int, incumbent: Trial | None) -> None:
        """Called after each trial is archived and told, in the order of tells."""
        ...

    def on_round(self, n_evals: int, record: Mapping[str, float]) -> None:
        """Called when a strategy ended a round that it keeps figures of."""
        ...


@dataclass(frozen=True)
class Result:
    """What a search found.

    Args:
        trials: every trial, in the order of proposals.
        best: the incumbent, or None if no trial was feasible.
        pareto: the non-dominated feasible trials.
        wall_s: seconds spent, earlier parts of a resumed run included.
        stopped: why it ended: ``budget``, ``exhausted``, ``target``, ``limit``.
    """

    trials: Sequence[Trial]
    best: Trial | None
    pareto: Sequence[Trial]
    wall_s: float
    stopped: str


@dataclass
class Search:
    """Runs a strategy against an executor until the budget is spent; continues what an archive holds.

    A batch of the strategy's own size is asked for, evaluated (in parallel if the executor can) and
    told in the order of its proposals, so that the outcome does not depend on the number of workers.
    ``asynchronous=True`` gives that up for speed: the executor is kept full and every trial is told
    as it finishes.

    Continuing replays: the strategy starts from its last snapshot (or from scratch), is asked again,
    and told the archived outcomes; only what is missing is evaluated. A run that was killed thus
    ends in the same archive as one that was not.

    Args:
        strategy: proposes.
        executor: evaluates.
        archive: keeps; the same archive with the same strategy and seed continues.
        objectives: what is better; only its metrics are shown to the strategy.
        budget: number of evaluations, every one counted, failed ones too.
        seed: the run's seed; trial ``i`` is evaluated under a seed made of it and ``i`` alone.
        fidelity: replaces the default fidelity of proposals.
        listeners: told of every trial and round.
        asynchronous: keep the executor full instead of working in batches.
        max_failures: consecutive failed trials that end the search.
        snapshot_every_s: least seconds between two snapshots of the strategy.
        target: value of the first objective at which a feasible trial ends the search.
        limits: most that may be spent in all, by name: a cost of trials (``seconds``) or a metric that adds up, such as
            joules or tabulated training seconds. The search ends with the trial that reaches one; so that little is
            spent beyond it, batches are then no larger than the executor's capacity, and depend on that.

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

    _done: dict[int, Trial] = field(default_factory=dict, init=False)
    _told: list[Trial] = field(default_factory=list, init=False)
    _incumbent: Trial | None = field(default=None, init=False)
    _asked: int = field(default=0, init=False)
    _failures: int = field(default=0, init=False)
    _asked_anything: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        if self.budget < 1:
            raise ConfigError(f"Expected a budget of at least one evaluation, got {self.budget}.")
        if any(not limit > 0 for limit in self.limits.values()):
            raise ConfigError(f"Expected positive limits, got {dict(self.limits)}.")

    def run(self) -> Result:
        """Search until the budget is spent or the space exhausted."""
        start = self._last_snapshot = time.perf_counter()
        spent_before = float(self.archive.meta("wall_s") or 0)
        try:
            self._restore()
            stopped = self._run_asynchronously() if self.asynchronous else self._run_in_batches()
            if self._asked_anything and not self.asynchronous:
                self._save_snapshot()  # running again is quick
        finally:
            self.archive.commit()
            wall_s = spent_before + time.perf_counter() - start
            self.archive.set_meta("wall_s", str(wall_s))
        trials = sorted(self._told, key=lambda t: t.proposal.id)
        return Result(trials, self._incumbent, self.objectives.pareto(trials), wall_s, stopped)

    def _run_in_batches(self) -> str:
        while not self._ended:
            most = self.executor.capacity if self.limits else self.budget
            proposals = self._ask(min(most, self.strategy.batch_size))  # 1. ask
            if not proposals:
                return "exhausted"
            for proposal in proposals:  # 2. evaluate what the archive does not hold yet
                if proposal.id not in self._done:
                    self.executor.submit(proposal)
            while any(p.id not in self._done for p in proposals):
                self._record(self.executor.wait_any())  # 3. archive, durably
            self.archive.commit()
            self._tell([self._done.pop(p.id) for p in proposals])  # 4. tell, in the order of proposals
        return self._ended

    def _run_asynchronously(self) -> str:
        running = 0
        while not self._ended:
            if running < self.executor.capacity and self._asked < self.budget:
                proposals = self._ask(1)
                for proposal in proposals:
                    self.executor.submit(proposal)
                running += len(proposals)
                if not proposals and not running:
                    return "exhausted"
                if proposals:
                    continue
            trial = self.executor.wait_any()
            running -= 1
            self._record(trial)
            self.archive.commit()
            self._tell([self._done.pop(trial.proposal.id)])
        return self._ended

    @property
    def _ended(self) -> str:
        """Why nothing more is asked for: ``target``, ``budget``, ``limit``, or empty while the search goes on."""
        goal, best = self.objectives.primary, self._incumbent
        return self._end(self._told, -np.inf if best is None else goal.signed(best.metrics[goal.metric]))

    def _end(self, trials: Sequence[Trial], best: float) -> str:
        """Why a search with these trials, of which the best feasible one has this signed value, is at its end."""
        if self.target is not None and best >= self.objectives.primary.signed(self.target) - 1e-12:
            return "target"
        if len(trials) >= self.budget:
            return "budget"
        return "limit" if exceeds(trials, self.limits) else ""

    # ------------------------------------------------------------------ the steps

    def _ask(self, n: int) -> list[Proposal]:
        self._asked_anything = True
        asked = self.strategy.ask(max(1, min(n, self.budget - self._asked)))
        proposals = [self._numbered(p, self._asked + i) for i, p in enumerate(asked)]
        for p in proposals:
            if p.id in self._done and self._done[p.id].arch != p.arch:
                raise ArchiveError(
                    f"{self.archive.path}: trial {p.id} is {self._done[p.id].arch}, but this strategy and seed "
                    f"propose {p.arch}: the archive belongs to another version or run. Use a new --out."
                )
        self._asked += len(proposals)
        return proposals

    def _numbered(self, proposal: Proposal, number: int) -> Proposal:
        seed = int(np.random.SeedSequence((self.seed, number)).generate_state(1)[0])
        return replace(proposal, id=number, seed=seed, fidelity=self.fidelity or proposal.fidelity)

    def _record(self, trial: Trial) -> None:
        self._failures = 0 if trial.ok else self._failures + 1
        self.archive.add(trial)
        self._done[trial.proposal.id] = trial
        if self._failures >= self.max_failures:
            raise EvaluationError(
                f"{self._failures} trials in a row failed, the last with: {trial.error or trial.status}. "
                "Mend the cause and run the same command again to continue."
            )

    def _tell(self, trials: Sequence[Trial], replayed: bool = False) -> None:
        self.strategy.tell([self._visible(t) for t in trials])
        for trial in trials:
            self._note(trial)
        if replayed:
            return
        record = self.strategy.records()
        if record:
            self.archive.add_round(len(self._told), record)
            self._announce_round(record)
        if time.perf_counter() - self._last_snapshot > self.snapshot_every_s:
            self._save_snapshot()

    def _save_snapshot(self) -> None:
        self.archive.set_meta("snapshot_of", self._identity)
        self.archive.save_snapshot(len(self._told), self.strategy.state_dict())
        self._last_snapshot = time.perf_counter()

    @property
    def _identity(self) -> str:
        return f"{type(self.strategy).__qualname__} seed {self.strategy.seed}"

    def _note(self, trial: Trial) -> None:
        self._told.append(trial)
        if self.objectives.is_feasible(trial) and self._improves(trial):
            self._incumbent = trial
        for listener in self.listeners:
            listener.on_trial(trial, len(self._told), self._incumbent)

    def _announce_round(self, record: Mapping[str, float]) -> None:
        for listener in self.listeners:
            listener.on_round(len(self._told), record)

    def _visible(self, trial: Trial) -> Trial:
        """The trial without metrics that are merely reported."""
        names = self.objectives.metric_names
        return replace(trial, metrics={n: v for n, v in trial.metrics.items() if n in names})

    def _improves(self, trial: Trial) -> bool:
        if self._incumbent is None:
            return True
        goal = self.objectives.primary
        return goal.signed(trial.metrics[goal.metric]) > goal.signed(self._incumbent.metrics[goal.metric])

    # ------------------------------------------------------------------ continuing

    def _restore(self) -> None:
        """Bring strategy and counters to where the archive's last snapshot left them."""
        found = self.archive.trials()
        if self.asynchronous:  # order of tells was the order of finishing: continue from the outcomes alone
            self._asked = max((t.proposal.id + 1 for t in found), default=0)
            if found:
                self._tell(found, replayed=True)
            return
        n_told = self._restore_strategy(found)
        rounds = {int(r["n_evals"]): {k: v for k, v in r.items() if k != "n_evals"} for r in self.archive.rounds()}
        for trial in found[:n_told]:
            self._note(trial)
            if len(self._told) in rounds:
                self._announce_round(rounds[len(self._told)])
        self._asked = n_told
        self._done = {t.proposal.id: t for t in found[n_told:]}

    def _restore_strategy(self, found: Sequence[Trial]) -> int:
        """Load the last snapshot into the strategy; how many trials need not be told to it again."""
        snapshot, owner = self.archive.snapshot(), self.archive.meta("snapshot_of")
        if snapshot is None:
            return 0
        if owner not in (None, self._identity):
            raise ArchiveError(
                f"{self.archive.path} holds a snapshot of {owner}, but this is {self._identity}: the archive "
                "belongs to another version or run. Use a new --out."
            )
        n_told, state = snapshot
        if [t.proposal.id for t in found[:n_told]] != list(range(n_told)):
            raise ArchiveError(f"{self.archive.path}: trials before the snapshot at {n_told} are missing.")
        if owner is not None and self._is_complete(found):
            return len(found)  # nothing will be asked: no state is needed
        try:
            self.strategy.load_state_dict(state)
        except (KeyError, TypeError, ValueError) as error:
            raise ArchiveError(
                f"{self.archive.path} holds a snapshot that {type(self.strategy).__name__} cannot read ({error!r}): it "
                "was written by another version of gennas. Use a new --out, or the version that wrote it."
            ) from error
        return n_told

    def _is_complete(self, found: Sequence[Trial]) -> bool:
        goal, ids = self.objectives.primary, [t.proposal.id for t in found]
        if ids != list(range(len(found))):
            return False
        feasible = (goal.signed(t.metrics[goal.metric]) for t in found if self.objectives.is_feasible(t))
        return bool(self._end(found, max(feasible, default=-np.inf)))


def exceeds(trials: Sequence[Trial], limits: Mapping[str, float]) -> bool:
    """Whether the trials together spent one of the limits; a trial spends its costs, and metrics of the same names."""
    spent = {name: sum(t.cost.get(name, t.metrics.get(name, 0.0)) for t in trials) for name in limits}
    return any(spent[name] >= limit for name, limit in limits.items())
