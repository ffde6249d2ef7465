"""How a search is brought to where its archive left it: replayed, restarted, or evaluated again."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gennas.errors import ArchiveError, shown
from gennas.search.steps import Steps
from gennas.search.trial import Proposal, Trial

__all__ = ["Restoring"]


@dataclass
class Restoring(Steps):
    """Steps that continue: see :class:`gennas.search.Search`."""

    def _restore(self) -> None:
        """Bring strategy and counters to where the archive's last snapshot left them."""
        archive = self.archive
        self.strategy.keep_in(archive)
        if not len(archive):
            archive.set_meta("batches", "whole")
        self._whole_batches = archive.meta("batches") == "whole"
        self._forget_failures()
        self._former_cost = self._costs_of_attempts()
        self._evaluate_again()
        at_once: list[int] = archive.meta_value("at_once", list[int]())
        arrivals = archive.trials(by_arrival=True)
        self._progress.check(arrivals, archive.path)
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
            self._failing = [] if trial.status in ("ok", "stopped") else [*self._failing, trial.proposal.id]
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
                f"{self.archive.path} holds a snapshot that {type(self.strategy).__name__} cannot read "
                f"({shown(error)}): it was written by another version of gennas. Use a new --out, "
                "or the version that wrote it."
            ) from error
        self._told = self._snapshot_at = told

    def _replay(self, arrivals: Sequence[Trial], rows: Sequence[tuple[int, Proposal]], at_once: set[int]) -> None:
        """Ask and tell an asynchronous run as it was, from the snapshot on; submit what was in flight."""
        places = {number: place for place, number in enumerate(self._order)}
        rows = sorted(rows, key=lambda row: places.get(row[1].id, row[1].id))
        later = [t for t in arrivals if t.proposal.id not in at_once]
        begun = int(self.archive.meta_value("snapshot_asked", 0.0)) if self._snapshot_at else len(at_once)
        base, self._asked = len(at_once), begun
        spent: dict[int, Mapping[str, float]] = {}  # once more, on what is in flight
        for place, (told, asked) in enumerate(rows, start=base):
            if told < 0 or place < begun:
                continue
            for trial in later[self._told - base : told - base]:
                self._tell([trial])
            self._asked = place
            for proposal in self._ask(1):
                if proposal.arch != asked.arch:
                    self._refuse(asked.id, asked.arch, proposal.arch)
                spent[asked.id] = proposal.spent
        for trial in later[self._told - base :]:
            self._tell([trial])
        self._asked = base + len(rows)
        for told, proposal in rows:
            if proposal.id not in self._progress:
                self._submit(replace(proposal, spent=spent.get(proposal.id, {})), told)

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
        numbers: list[int] = self.archive.meta_value("failing", list[int]())
        first, at_once = min(numbers, default=0), self.archive.meta_value("at_once", list[int]())
        if not numbers:
            return
        with self.archive.together():
            self.archive.drop_meta("failing")
            if self.asynchronous or set(numbers) & set(at_once):
                waiting = self.archive.meta_value("again", list[int]())
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
        waiting: list[int] = self.archive.meta_value("again", list[int]())
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
