"""What a language model is shown of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gennas.graph import IntArray
from gennas.models.base import FloatArray
from gennas.models.llm.decisions import Decisions
from gennas.models.llm.methods.prompt import Ours, quoted

__all__ = ["Belief", "Candidate", "Result", "SharedState", "Situation", "card"]

_MOST_NAMES = 6  # names of decisions with the same options that are spelled out


@dataclass(frozen=True)
class Result:
    """What came of an evaluation.

    Args:
        text: its decisions, one symbol each.
        values: what was measured, by name; empty where it failed.
        scores: what is known of it without an evaluation, by name, such as zero-cost proxies.
        error: why it failed; empty where it did not.
    """

    text: str
    values: Mapping[str, float] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True)
class Belief:
    """What a surrogate believes of one decision: the mean it predicts of architectures with each option, best first."""

    decision: str
    options: Sequence[tuple[str, float]]


@dataclass(frozen=True)
class Candidate:
    """A candidate that a surrogate puts first: its text, predicted mean and deviation, as normal scores."""

    text: str
    mean: float
    deviation: float


@dataclass(frozen=True)
class SharedState:
    """The state of a classical strategy.

    Args:
        marginals: for each decision, how often the elites take each option, most often first.
        beliefs: what the surrogate believes of each decision, the most decisive first; empty without a surrogate.
        candidates: what its acquisition function puts first; empty without one.
    """

    marginals: Sequence[Belief] = ()
    beliefs: Sequence[Belief] = ()
    candidates: Sequence[Candidate] = ()


@dataclass(frozen=True, eq=False)
class Situation:
    """A search as it stands.

    Args:
        space: name of the space.
        goals: what is wanted, such as ``val_accuracy, more is better``.
        constraints: such as ``params<=1e6``.
        results: every evaluation, in order.
        utility: ``(results,)`` more is better; -inf of what failed.
        D: ``(results, d)`` their decisions.
        round: number of this request, from 0.
        shared: state of a classical strategy beside the model, where there is one.
    """

    space: str
    goals: Sequence[str]
    constraints: Sequence[str] = ()
    results: Sequence[Result] = ()
    utility: FloatArray = field(default_factory=lambda: np.zeros(0))
    D: IntArray = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int16))
    round: int = 0
    shared: SharedState | None = None

    @property
    def order(self) -> NDArray[np.intp]:
        """Places of what did not fail, the best first."""
        places = np.argsort(-self.utility, kind="stable")
        return places[np.isfinite(self.utility[places])]

    def best(self, n: int) -> list[Result]:
        """The best ``n``, the best first."""
        return [self.results[i] for i in self.order[:n]]

    def recent(self, n: int) -> list[Result]:
        """The last ``n`` that did not fail, and are not among the best ``n``, in order."""
        best = set(self.order[:n].tolist())
        kept = [i for i, r in enumerate(self.results) if not r.error and i not in best]
        return [self.results[i] for i in kept[-n:]] if n else []

    def failures(self, n: int) -> list[Result]:
        """The last ``n`` that failed, in order."""
        return [r for r in self.results if r.error][-n:] if n else []


def card(decisions: Decisions, most: int = 8000) -> Ours:
    """The decisions of a space with their options and symbols, those alike in one line.

    Args:
        decisions: of the space.
        most: letters, beyond which decisions are left out.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> space = NASBench201()
        >>> print(card(Decisions(space.schema, space.legal)))  # doctest: +ELLIPSIS
        1 to 6 (edge 0 to 1, edge 0 to 2, ..., edge 2 to 3): 0=none, 1=skip_connect, 2=nor_conv_1x1, ...
    """
    runs: list[tuple[int, int, str]] = []
    for t in range(len(decisions)):
        names = decisions.shown(t)
        options = ", ".join(f"{decisions.symbols[t, s]}={quoted(names[int(s)])}" for s in decisions.labels[t])
        if runs and runs[-1][2] == options:
            runs[-1] = runs[-1][0], t, options
        else:
            runs.append((t, t, options))
    lines, size = [], 0
    for first, last, options in runs:
        places = range(first, last + 1) if last - first < _MOST_NAMES else (first, first + 1, last)
        names_of = [quoted(decisions.name(t)) for t in places]
        if last - first >= _MOST_NAMES:
            names_of.insert(2, "…")
        number = f"{first + 1}" if first == last else f"{first + 1} to {last + 1}"
        line = f"{number} ({', '.join(names_of)}): {options}"
        if size + len(line) > most:
            lines.append(f"… and {len(decisions) - first} more decisions")
            break
        lines.append(line)
        size += len(line)
    return Ours("\n".join(lines))
