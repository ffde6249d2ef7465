r"""The audit of a language model: what it owes to names that it knows, and what to feedback."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gennas.errors import ConfigError, UnknownNameError
from gennas.models.base import FloatArray
from gennas.models.llm.audit.conditions import CONDITIONS, Asked, Outcome, Values, search
from gennas.models.llm.audit.intervals import Interval, bootstrap
from gennas.models.llm.audit.meanings import labels_of, meanings_of
from gennas.models.llm.audit.verbatim import Verbatim, verbatim_probe
from gennas.models.llm.backend import Backend
from gennas.models.llm.decisions import Decisions

__all__ = ["GAPS", "Audit", "audit"]

GAPS: Mapping[str, tuple[str, str]] = {
    "contamination": ("named", "anonymised"),
    "recall": ("recall", "recall, anonymised"),
    "semantics": ("semantics", "anonymised"),
    "feedback, shuffled": ("named", "shuffled"),
    "feedback, inverted": ("named", "inverted"),
}
"""Gaps by name, each a difference of two conditions: what names add, with feedback and without; what meanings add; what
true values add over shuffled ones; what the goal changes."""


@dataclass(frozen=True, eq=False)
class Audit:
    """What an audit found.

    Args:
        model: its name.
        rows: one for each condition and seed: ``condition``, ``seed``, ``percentile`` (mean over the proposals),
            ``best_percentile``, ``best`` (in the table's unit), ``new`` (share that was neither shown nor proposed
            before), ``repaired``, ``labels`` (of the table that the search used), ``tokens``.
        verbatim: what it remembers of single values; None if it was not asked.
        notes: what was left out, and why.
    """

    model: str
    rows: Sequence[Mapping[str, Any]]
    verbatim: Verbatim | None = None
    notes: tuple[str, ...] = ()

    def of(self, condition: str, what: str = "percentile") -> FloatArray:
        """A figure of a condition, one for each seed in order."""
        return np.array([row[what] for row in self.rows if row["condition"] == condition], dtype=np.float64)

    @property
    def conditions(self) -> list[str]:
        """Those that were run, in order."""
        return list(dict.fromkeys(row["condition"] for row in self.rows))

    @cached_property
    def gaps(self) -> dict[str, Interval]:
        """Differences of mean percentiles in points, paired over seeds, with 99 % bootstrap intervals."""
        return {
            name: bootstrap(self.of(a) - self.of(b)) for name, (a, b) in GAPS.items() if {a, b} <= {*self.conditions}
        }

    @property
    def has_memorised(self) -> bool:
        """Whether names help: the contamination gap, that of recall, or single values lie above what is by chance."""
        found = [self.gaps[name] for name in ("contamination", "recall") if name in self.gaps]
        return any(gap.is_above_zero for gap in [*found, *([self.verbatim.excess] if self.verbatim else [])])

    @property
    def follows_feedback(self) -> bool:
        """Whether true values help over shuffled ones, and the goal changes what is proposed."""
        found = [self.gaps[name] for name in ("feedback, shuffled", "feedback, inverted") if name in self.gaps]
        return bool(found) and all(gap.is_above_zero for gap in found)

    @property
    def verdict(self) -> str:
        """Both in a sentence."""
        names = "knows this table by its names" if self.has_memorised else "shows no sign of knowing this table"
        return f"{names}; {'follows feedback' if self.follows_feedback else 'shows no sign of following feedback'}"

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        gaps = {name: vars(gap) for name, gap in self.gaps.items()}
        verbatim = None if self.verbatim is None else self.verbatim.to_dict()
        return {
            "model": self.model, "verdict": self.verdict, "gaps": gaps, "verbatim": verbatim,
            "rows": [dict(row) for row in self.rows], "notes": list(self.notes),
        }  # fmt: skip


def audit(
    decisions: Decisions,
    backend: Backend,
    values: Values,
    reference: FloatArray,
    *,
    metric: str = "accuracy",
    maximise: bool = True,
    subject: str = "",
    seeds: int = 10,
    first_seed: int = 0,
    budget: int = 20,
    batch: int = 5,
    start: int = 10,
    asked: Asked = "choices",
    conditions: Sequence[str] = tuple(CONDITIONS),
    meanings: Mapping[str, str] | None = None,
    questions: int = 40,
    on_search: Callable[[str, int], None] = lambda condition, seed: None,
) -> Audit:
    """Run the same searches in every condition, at equal budget and seeds, and ask for single values.

    A search's score is the mean percentile of its proposals among ``reference``, whatever it was asked for: 100 is the
    table's best, and 50 what random architectures have. Labels are charged: ``start`` and every new proposal.

    Args:
        decisions: of the space, or of the rows of a table.
        backend: the model.
        values: what the table says, in its own unit.
        reference: all values of the table.
        metric: what they are.
        maximise: whether more is better.
        subject: what is named beside the space where names are shown, such as the data set.
        seeds: searches in each condition.
        first_seed: of them.
        budget: proposals of each.
        batch: proposals before the next feedback.
        start: random architectures that are shown at first.
        asked: for ``choices`` (probabilities of options) or ``texts`` (under a grammar).
        conditions: which of :data:`CONDITIONS`.
        meanings: descriptions of operations by their names; where there is none, it is made of the name.
        questions: of the verbatim probe; 0: none.
        on_search: is told of each search that begins.

    Raises:
        ConfigError: fewer than two seeds, or sizes that are not positive.
        UnknownNameError: no such condition.
    """
    _check(seeds, budget, batch, start, conditions)
    known, without = meanings_of(labels_of(decisions), meanings)
    notes = []
    if without and "semantics" in conditions:
        conditions = [name for name in conditions if name != "semantics"]
        notes.append(
            f"semantics: not measured, {len(without)} operations have no description: {', '.join(without[:5])}."
        )
    ranked = np.sort(reference if maximise else -reference)

    def percentiles(found: FloatArray) -> FloatArray:
        signed = found if maximise else -found
        places = np.searchsorted(ranked, signed, "left") + np.searchsorted(ranked, signed, "right")
        return np.asarray(50.0 * places / len(ranked))

    rows = []
    for name in conditions:
        for seed in range(first_seed, first_seed + seeds):
            on_search(name, seed)
            found = search(
                decisions, backend, values, CONDITIONS[name], seed, metric=metric, maximise=maximise, subject=subject,
                budget=budget, batch=batch, start=start, asked=asked, meanings=known,
            )  # fmt: skip
            rows.append({"condition": name, "seed": seed, **_figures(found, percentiles(found.values), start, name)})
    verbatim = None
    if questions:
        on_search("verbatim", first_seed)
        verbatim = verbatim_probe(decisions, backend, values, reference, metric, subject, questions, first_seed)
    return Audit(backend.name, rows, verbatim, tuple(notes))


def _figures(found: Outcome, percentiles: FloatArray, start: int, condition: str) -> dict[str, Any]:
    shown = start if CONDITIONS[condition].feedback != "none" else 0
    return {
        "percentile": float(percentiles.mean()),
        "best_percentile": float(percentiles.max()),
        "best": float(found.values[int(percentiles.argmax())]),
        "new": float(found.new.mean()),
        "repaired": found.repaired,
        "labels": shown + int(found.new.sum()),
        "tokens": found.usage.input_tokens + found.usage.output_tokens,
    }


def _check(seeds: int, budget: int, batch: int, start: int, conditions: Sequence[str]) -> None:
    if seeds < 2 or min(budget, batch, start) < 1:
        raise ConfigError(
            "Expected at least two seeds and positive sizes, got "
            f"seeds={seeds}, budget={budget}, batch={batch}, start={start}."
        )
    for name in conditions:
        if name not in CONDITIONS:
            raise UnknownNameError("condition of an audit", name, CONDITIONS)
