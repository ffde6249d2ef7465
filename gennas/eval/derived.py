"""Weighted sums of metrics, such as accuracy minus a price for latency, as metrics of their own."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gennas.errors import ConfigError, UnknownNameError, shown
from gennas.eval.base import CheckedEvaluator, Evaluator, Fidelity, Measured, Metric
from gennas.eval.naming import quoted, split_last, unquoted
from gennas.graph import Architecture

__all__ = ["DerivedEvaluator", "WeightedSum", "read_goal"]

_NUMBER = r"[0-9]++(?:\.[0-9]*+)?(?:[eE][+-]?[0-9]++)?|\.[0-9]++"
_WEIGHT = rf"(?:({_NUMBER})\s*+\*\s*+)?"
_NAME = r'"[^"]+"|[A-Za-z_][\w.]*'


@dataclass(frozen=True)
class WeightedSum:
    r"""The metric :math:`\sum_i c_i m_i`: one number out of several, as in :math:`V - \lambda C`.

    Args:
        terms: weights and the names of metrics.

    Example:
        >>> price = WeightedSum.parse("val_accuracy - 0.01 * latency_ms")
        >>> price.name, round(price({"val_accuracy": 0.9, "latency_ms": 5.0}), 3)
        ('val_accuracy-0.01*latency_ms', 0.85)
    """

    terms: tuple[tuple[float, str], ...]

    def __post_init__(self) -> None:
        wrong = [f"{weight}*{name}" for weight, name in self.terms if not math.isfinite(weight)]
        if wrong:
            raise ConfigError(f"Expected finite weights in a sum of metrics, got {', '.join(wrong)}.")

    @classmethod
    def parse(cls, text: str, known: Collection[str] = ()) -> WeightedSum:
        """Read ``a - 0.5 * b + c``: names, each with an optional weight in front.

        Args:
            text: the sum; a name with other characters stands in double quotes.
            known: names that exist; they need no quotes, and the longest that fits wins.

        Raises:
            ConfigError: the text has another form, or names a metric twice.
        """
        terms, place = list[tuple[float, str]](), 0
        term = _term(known)
        while place < len(text):
            match = term.match(text, place)
            if match is None or (terms and match[1] is None):
                raise ConfigError(f"Expected a sum like 'val_accuracy - 0.01 * latency_ms', got {shown(text)}.")
            terms.append(((-1.0 if match[1] == "-" else 1.0) * float(match[2] or 1.0), unquoted(match[3], known)))
            place = match.end()
        if not terms or len({name for _, name in terms}) < len(terms):
            raise ConfigError(f"Expected a sum of different metrics, got {shown(text)}.")
        return cls(tuple(terms))

    @property
    def name(self) -> str:
        """The sum as it is written without spaces."""
        parts = [("-" if weight < 0 else "+") + _factor(abs(weight)) + quoted(name) for weight, name in self.terms]
        return "".join(parts).removeprefix("+")

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that are summed."""
        return tuple(name for _, name in self.terms)

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """The sum of numbers, or of columns."""
        return sum(weight * values[name] for weight, name in self.terms)


def _term(known: Collection[str]) -> re.Pattern[str]:
    """One summand: sign, weight, and a name that exists, that is quoted, or that is plain."""
    exact = [re.escape(name) + r"(?=\s*(?:[+-]|$))" for name in sorted(known, key=len, reverse=True)]
    return re.compile(rf"\s*+(?:([+-])\s*+)?{_WEIGHT}({'|'.join([*exact, _NAME])})\s*+")


def _factor(weight: float) -> str:
    """A positive weight in front of a metric: ``2*``, ``0.01*``, nothing for 1; reading it gives the same number."""
    if weight == 1:
        return ""
    return f"{weight:.0f}*" if weight < 1e6 and weight == int(weight) else f"{weight!r}*"


class DerivedEvaluator:
    """An evaluator with weighted sums beside the metrics of another one.

    Args:
        base: what evaluates.
        sums: further metrics; all of them are to be maximised.

    Raises:
        UnknownNameError: a sum needs a metric that ``base`` does not have.
    """

    def __init__(self, base: Evaluator, sums: Sequence[WeightedSum]) -> None:
        for name in [name for found in sums for name in found.metrics]:
            if name not in base.metrics:
                raise UnknownNameError("metric", name, base.metrics)
        self.base, self.sums = base, tuple(sums)
        added = {s.name: Metric(s.name, "max", "", "a weighted sum of metrics") for s in sums}
        self.metrics: Mapping[str, Metric] = {**base.metrics, **added}
        self.cost_class: Literal["cheap", "expensive"] = base.cost_class
        self.protocol = base.protocol
        self.cheap_metrics: tuple[str, ...] = getattr(base, "cheap_metrics", ())
        self.may_lack: frozenset[str] = frozenset(getattr(base, "may_lack", ()))

    @property
    def imports(self) -> tuple[str, ...]:
        """Those of ``base``."""
        return tuple(getattr(self.base, "imports", ()))

    def evaluate(self, arch: Architecture, fidelity: Fidelity, seed: int) -> Mapping[str, float]:
        """Evaluate, and add the sums."""
        values = self.base.evaluate(arch, fidelity, seed)
        sums = {s.name: float(s(values)) for s in self.sums}
        return Measured({**values, **sums}, getattr(values, "curves", {}), getattr(values, "reasons", {}))

    def check(self, arch: Architecture, fidelity: Fidelity) -> None:
        """As ``base`` does, where it does."""
        if isinstance(self.base, CheckedEvaluator):
            self.base.check(arch, fidelity)

    def cheap(self, arch: Architecture, fidelity: Fidelity) -> Mapping[str, float]:
        """The cheap metrics of ``base``."""
        found: Mapping[str, float] = self.base.cheap(arch, fidelity)  # type: ignore[attr-defined]
        return found


def read_goal(text: str, known: Collection[str] = ()) -> tuple[str, WeightedSum | None]:
    """An objective with the name of its metric, and the sum where it is one, such as ``accuracy - 0.1 * latency_ms``.

    A name that exists, or one in double quotes, is no sum.

    Raises:
        ConfigError: it looks like a sum and is none.
    """
    name, colon, direction = split_last(text, r":(?=\s*(?:max|min)\s*$)", known)
    is_whole = unquoted(name, known) in known or text.strip().startswith(f'"{name}"')
    if is_whole or not re.search(r"[*+]| - ", name):
        return text, None
    found = WeightedSum.parse(name, known)
    return f"{found.name}{colon}{direction}", found
