"""What a report shows: the record of one run, and figures derived from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gennas.graph import Architecture
from gennas.search.language_summary import LanguageSummary
from gennas.search.objectives import Objectives
from gennas.search.trial import ENQUEUED, GIVEN, INGESTED, WARM, Trial

if TYPE_CHECKING:
    from gennas.report.supernet import SupernetStory

__all__ = ["WARM_START", "RunData", "SourceSummary"]

WARM_START = "warm start"
_PARTS = {
    "fit_s": "fitting surrogates",
    "sample_s": "fitting and sampling generators",
    "rank_s": "drawing, evolving and ranking candidates",
}
OF_A_PERSON = (ENQUEUED, INGESTED, GIVEN, WARM)


@dataclass(frozen=True)
class SourceSummary:
    """What one source of proposals brought.

    Args:
        source: its name.
        count: trials that it proposed.
        ok: those that were evaluated successfully.
        best: its best feasible value of the primary objective.
        improvements: how often a trial of it became the incumbent.
        share: its share of all improvements after the warm start, in [0, 1]; None for the warm start itself.
    """

    source: str
    count: int
    ok: int
    best: float | None
    improvements: int
    share: float | None


@dataclass(frozen=True)
class RunData:
    """The record of one search, as its archive holds it.

    Args:
        config: the resolved configuration, nested mappings of plain values.
        trials: in the order of tells.
        objectives: what was optimised.
        report_metric: a metric that is shown but was not seen by the search, such as test accuracy.
        rounds: figures of every generator round (``round``, ``n_evals``, ``validity``, …).
        optimum: the best value of the primary objective that exists, where it is known.
        texts: text form of an architecture.
        wall_s: seconds the search took.
        version: version of gennas that ran it.
        defaults: the configuration of a run that says nothing; settings that equal it are folded away.
        curves: by proposal's id, what was measured after every epoch of its training, by name.
        other_labels: how many labels of other runs the search was given, by run.
        language: what a language model was asked, where there is one.
        supernets: those that it scored by or trained.
    """

    config: Mapping[str, Any]
    trials: Sequence[Trial]
    objectives: Objectives
    report_metric: str | None = None
    rounds: Sequence[Mapping[str, float]] = ()
    optimum: float | None = None
    texts: Callable[[Architecture], str] = repr
    wall_s: float = 0.0
    version: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    curves: Mapping[int, Mapping[str, Sequence[float]]] = field(default_factory=dict)
    other_labels: Mapping[str, int] = field(default_factory=dict)
    language: LanguageSummary | None = None
    supernets: Sequence[SupernetStory] = ()

    @cached_property
    def incumbents(self) -> list[tuple[int, Trial]]:
        """Each improvement: the evaluation, counted from 1, at which a trial became the incumbent."""
        found: list[tuple[int, Trial]] = []
        for n_evals, trial in enumerate(self.trials, 1):
            leaders = [t for _, t in found[-1:]]
            if self.objectives.best([*leaders, trial]) is trial:
                found.append((n_evals, trial))
        return found

    @property
    def best(self) -> Trial | None:
        """The last incumbent, or None if no trial was feasible."""
        return self.incumbents[-1][1] if self.incumbents else None

    def value(self, trial: Trial) -> float:
        """The primary objective of a successful trial."""
        return float(trial.metrics[self.objectives.primary.metric])

    def regret(self, trial: Trial) -> float:
        """Distance of a trial's primary objective from the optimum, at least 0.

        Requires :attr:`optimum`.
        """
        sign = self.objectives.primary.signed
        return max(0.0, sign(self.optimum or 0.0) - sign(self.value(trial)))

    def best_trials(self, n: int) -> list[tuple[int, Trial]]:
        """The ``n`` best distinct feasible trials with their evaluation's number, best first."""
        utilities = self.objectives.utilities(self.trials)
        chosen: dict[str, tuple[int, Trial]] = {}
        for i in sorted(range(len(self.trials)), key=lambda i: -utilities[i]):
            trial = self.trials[i]
            if len(chosen) < n and self.objectives.is_feasible(trial):
                chosen.setdefault(trial.arch.key, (i + 1, trial))
        return list(chosen.values())

    @cached_property
    def num_warm(self) -> int:
        """Trials of the warm start: those before the first that a round or parents led to; 0 where none did."""
        origins = (t.proposal.origin for t in self.trials)
        return next((i for i, o in enumerate(origins) if o.parents or (o.round or 0) > 0), 0)

    def source(self, number: int) -> str:
        """The source of the trial with this number, from 1, or :data:`WARM_START`."""
        source = self.trials[number - 1].proposal.origin.source
        return WARM_START if number <= self.num_warm and source not in OF_A_PERSON else source

    @cached_property
    def guided(self) -> list[int]:
        """Numbers of the improvements after the warm start."""
        return [n for n, t in self.incumbents if n > self.num_warm and t.proposal.origin.source not in OF_A_PERSON]

    def credits(self) -> list[SourceSummary]:
        """What every source of proposals brought: the warm start, then the most frequent first.

        The warm start has a row of its own and no share: whatever comes first improves on nothing. Neither have a
        person's own points, enqueued, ingested or given, nor the best of other runs.
        """
        by_source: dict[str, list[Trial]] = {}
        for number, trial in enumerate(self.trials, 1):
            by_source.setdefault(self.source(number), []).append(trial)
        improvements = [self.source(n) for n, _ in self.incumbents]
        rows = []
        for source, trials in by_source.items():
            best = self.objectives.best(trials)
            gained = improvements.count(source)
            share = None if source in (WARM_START, *OF_A_PERSON) else gained / max(1, len(self.guided))
            value = None if best is None else self.value(best)
            rows.append(SourceSummary(source, len(trials), sum(t.ok for t in trials), value, gained, share))
        return sorted(rows, key=lambda row: (row.share is not None, -row.count, row.source))

    def failures(self) -> list[tuple[int, Trial]]:
        """Trials that failed to give a value, with their number; those that were stopped early did not fail."""
        return [(n, t) for n, t in enumerate(self.trials, 1) if t.status not in ("ok", "stopped")]

    @property
    def stopped(self) -> int:
        """Trials whose training was ended early."""
        return sum(t.status == "stopped" for t in self.trials)

    def costs(self) -> dict[str, float]:
        """Sum of every kind of cost over trials, such as ``seconds``."""
        total: dict[str, float] = {}
        for trial in self.trials:
            for name, spent in trial.cost.items():
                total[name] = total.get(name, 0.0) + spent
        return total

    def ledger(self) -> list[tuple[str, float]]:
        """Seconds by part: evaluations, features, surrogates, generators, the pool, and the rest of the wall time.

        Features are computed while candidates are ranked, so that their seconds are taken off that part.
        """
        costs = self.costs()
        features, supernet = costs.get("feature_seconds", 0.0), costs.get("supernet_seconds", 0.0)
        parts = [("evaluating architectures", costs.get("seconds", 0.0) - features - supernet)]
        parts += [("computing features of candidates", features)] if features else []
        for key, label in _PARTS.items():
            if any(key in record for record in self.rounds):
                seconds = float(sum(record.get(key, 0.0) for record in self.rounds))
                parts.append((label, max(0.0, seconds - features) if key == "rank_s" else seconds))
        rest = self.wall_s - sum(seconds for _, seconds in parts)
        parts += [("everything else", rest)] if rest > 0 else []
        return [("training the supernet, before the search", supernet), *parts] if supernet else parts

    def settings(self) -> Iterator[tuple[str, Any]]:
        """The configuration with dotted names."""
        return _flat(self.config, "")

    def changed_settings(self) -> tuple[list[tuple[str, Any]], list[tuple[str, Any]]]:
        """The settings that differ from the defaults, and those that do not."""
        default, unset = dict(_flat(self.defaults, "")), object()
        changed: list[tuple[str, Any]] = []
        usual: list[tuple[str, Any]] = []
        for name, value in self.settings():
            (usual if default.get(name, unset) == value else changed).append((name, value))
        return changed, usual


def _flat(config: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
