"""Whether a model remembers single values of a table: the true one among others that are nearly as good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gennas.errors import ConfigError
from gennas.models.base import FloatArray
from gennas.models.llm.alphabet import plain
from gennas.models.llm.audit.conditions import Values
from gennas.models.llm.audit.intervals import Interval, bootstrap
from gennas.models.llm.audit.prompt import card
from gennas.models.llm.backend import Backend, Question
from gennas.models.llm.decisions import Decisions
from gennas.models.llm.propose import completed

__all__ = ["OPTIONS", "Verbatim", "verbatim_probe"]

OPTIONS = 5
"""Values that are shown in each question: the true one, and others."""
_WINDOW = 0.05  # of the table's ranks, around the true value, from which the others are drawn


@dataclass(frozen=True, eq=False)
class Verbatim:
    """What the probe found.

    Args:
        right: probability of the true value in each question that was answered, ``(answered,)``.
        asked: how many questions.
    """

    right: FloatArray
    asked: int

    @property
    def excess(self) -> Interval:
        """Percentage points of the true value's probability above chance; all zero where nothing was answered."""
        points = 100 * (self.right - 1 / OPTIONS)
        return bootstrap(points) if len(points) > 1 else Interval(0.0, 0.0, 0.0, len(points))

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {"asked": self.asked, "answered": len(self.right), "excess": vars(self.excess)}


def verbatim_probe(
    decisions: Decisions,
    backend: Backend,
    values: Values,
    reference: FloatArray,
    metric: str,
    subject: str = "",
    questions: int = 40,
    seed: int = 0,
) -> Verbatim:
    """Ask which of five values of the table random architectures have; nothing else is shown.

    The others come from within 2.5 % of the table's ranks on either side, so that to know what is good does not help.

    Raises:
        ConfigError: the table has too few different values.
    """
    rng = np.random.default_rng([seed, 2])
    D = completed(decisions, np.zeros((questions, len(decisions)), np.int16), 0, rng)
    distinct = np.unique([_written(v) for v in reference.tolist()])
    numbers = np.sort(distinct.astype(np.float64))
    if len(numbers) < OPTIONS:
        raise ConfigError(f"Expected at least {OPTIONS} different values of {metric}, got {len(numbers)}.")
    asked, places = [], []
    for text, value in zip(decisions.write(D), values(D).tolist(), strict=True):
        options = _options(numbers, float(_written(value)), rng)
        places.append(options.index(_written(value)))
        asked.append(Question(f"Architecture {text}: which {plain(metric)} was measured?", tuple(options)))
    answers = backend.choose(card(decisions, names=True, subject=subject), asked)
    known = [a.probabilities[i] for a, i in zip(answers, places, strict=True) if a.probabilities is not None]
    return Verbatim(np.array(known, dtype=np.float64), questions)


def _options(numbers: FloatArray, true: float, rng: np.random.Generator) -> list[str]:
    """The true value and others near it, in random order."""
    place = int(np.searchsorted(numbers, true))
    reach = max(OPTIONS, round(_WINDOW / 2 * len(numbers)))
    near = numbers[max(0, place - reach) : place + reach + 1]
    others = rng.choice(near[near != true], OPTIONS - 1, replace=False).tolist()
    return [_written(v) for v in rng.permutation([true, *others]).tolist()]


def _written(value: float) -> str:
    """A value as questions show it."""
    return f"{value:.6g}"
