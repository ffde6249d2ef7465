"""What a generator is asked for: metrics as quantiles in [0, 1], and texts like ``accuracy>=0.9q, latency_ms<=5``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, UnknownNameError, shown
from gennas.eval.base import Direction
from gennas.eval.naming import unquoted

__all__ = ["ConditionScale", "ask", "draw_conditions"]

FloatArray = NDArray[np.float64]

_BOUND = r"\s*+(<=|>=)\s*+([-+]?[\d.]++(?:[eE][-+]?\d++)?)\s*+(q?)\s*+(?:,\s*+|$)"
_NAME = r'"[^"]++"|[^,"<>]++'


@dataclass(frozen=True)
class ConditionScale:
    r"""How a metric becomes a condition: its quantile among training values, turned so that 1 is best.

    .. math:: q(v) = \frac{\#\{u \text{ worse than } v\} + \frac12 \#\{u = v\}}{\#\{u\}}

    Args:
        metric: its name.
        direction: which way is better.
        values: what the generator was trained on, sorted; none: absolute bounds cannot be asked for.

    Example:
        >>> latency = ConditionScale("latency_ms", "min", (1.0, 2.0, 4.0, 9.0))
        >>> latency.quantiles(np.array([1.0, 5.0])).tolist()  # faster than all but itself; slower than three
        [0.875, 0.25]
        >>> latency.share_beyond(4.0)  # one of four is slower than 4 ms
        0.25
    """

    metric: str
    direction: Direction
    values: tuple[float, ...] = ()

    @classmethod
    def of(cls, metric: str, direction: Direction, values: FloatArray) -> ConditionScale:
        """The scale of measured values ``(b,)``; NaN, which is unknown, is left out."""
        return cls(metric, direction, tuple(np.sort(values[~np.isnan(values)]).tolist()))

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> ConditionScale:
        """The scale with these fields, as read from JSON."""
        return cls(str(record["metric"]), record["direction"], tuple(float(v) for v in record["values"]))

    @property
    def better(self) -> str:
        """The comparison that asks for good values."""
        return ">=" if self.direction == "max" else "<="

    def quantiles(self, values: FloatArray) -> FloatArray:
        """Quantile of each value among the training values, 1 best, ``(b,)``; NaN stays NaN."""
        known = np.array(self.values)
        below, up_to = (np.searchsorted(known, values, side) for side in ("left", "right"))
        upward = (below + up_to) / (2 * max(1, len(known)))
        quantiles: FloatArray = np.where(np.isnan(values), np.nan, upward if self.direction == "max" else 1 - upward)
        return quantiles

    def share_beyond(self, bound: float) -> float:
        """Share of the training values that are worse than ``bound``."""
        known = np.array(self.values)
        return float((known < bound).mean() if self.direction == "max" else (known > bound).mean())


def ask(text: str, scales: Sequence[ConditionScale]) -> FloatArray:
    """Read conditions joined by commas: for each scale the least quantile that is asked for, ``(c,)``.

    ``accuracy>=0.9q`` asks for the best tenth, ``latency_ms<=0.1q`` for the fastest tenth (both ``0.9``), and
    ``latency_ms<=5`` for what is as fast as those training architectures that took at most 5 ms. What is not
    mentioned is NaN, "any"; so is a bound that every training architecture keeps. Names with other characters may
    stand in double quotes.

    Raises:
        ConfigError: malformed, a metric twice, the wrong direction, or a number where only quantiles are known.
        UnknownNameError: no such condition.

    Example:
        >>> scales = [ConditionScale("acc", "max", (0.5, 0.6, 0.7, 0.8)), ConditionScale("ms", "min", (1.0, 2.0))]
        >>> ask("acc>=0.7, ms<=0.25q", scales).tolist()
        [0.5, 0.75]
        >>> ask("acc >= 0.9q", scales).tolist()
        [0.9, nan]
    """
    names = [scale.metric for scale in scales]
    asked = np.full(len(scales), np.nan)
    seen = set()
    for part, metric, sense, number, is_quantile in _split(text, names):
        if metric not in names:
            raise UnknownNameError("condition of this generator", metric, names)
        if metric in seen:
            raise ConfigError(f"Expected each metric once, got {metric!r} again in {part!r}.")
        seen.add(metric)
        i = names.index(metric)
        _check(part, sense, number, is_quantile, scales[i])
        least = _least_quantile(number, scales[i]) if is_quantile else scales[i].share_beyond(number)
        asked[i] = least if least > 0 else np.nan
    return asked


def _split(text: str, names: Sequence[str]) -> Iterator[tuple[str, str, str, float, bool]]:
    """Each condition with its parts; a name may hold anything, in double quotes or as it is known."""
    exact = [re.escape(name) for name in sorted(names, key=len, reverse=True)]
    form, place = re.compile(rf"[\s,]*+({'|'.join([*exact, _NAME])}){_BOUND}"), 0
    while text[place:].strip(" ,"):
        match = form.match(text, place)
        part = text[place:].partition(",")[0].strip() if match is None else match[0].strip(" ,")
        try:
            if match is None:
                raise ValueError("no such form")
            yield part, unquoted(match[1], names), match[2], float(match[3]), bool(match[4])
        except ValueError as error:
            raise ConfigError(
                f"Expected a condition like 'accuracy>=0.9q' (a quantile) or 'latency_ms<=5' (a value), "
                f"got {shown(part)}."
            ) from error
        place = match.end()


def _check(part: str, sense: str, number: float, is_quantile: bool, scale: ConditionScale) -> None:
    if sense != scale.better:
        wish = "higher" if scale.direction == "max" else "lower"
        raise ConfigError(
            f"Wrong direction in {part!r}: this generator knows {scale.metric!r} as better when {wish}; "
            f"ask for {scale.metric}{scale.better}…"
        )
    if is_quantile and not 0 <= number <= 1:
        raise ConfigError(f"Expected a quantile from 0q to 1q, got {part!r}.")
    if not is_quantile and not scale.values:
        raise ConfigError(
            f"{part!r}: only quantiles of {scale.metric!r} are known to this generator; "
            f"ask for one, such as {scale.metric}{scale.better}{0.9 if scale.direction == 'max' else 0.1}q."
        )


def _least_quantile(number: float, scale: ConditionScale) -> float:
    return number if scale.direction == "max" else 1 - number


def draw_conditions(asked: FloatArray, n: int, rng: np.random.Generator) -> FloatArray:
    """Conditions for ``n`` samples: each uniform from the least quantile that is asked for to 1, ``(n, c)``.

    Quantiles of training architectures are uniform, so these are what "at least" means of one condition.
    NaN stays NaN.
    """
    drawn: FloatArray = asked + (1 - asked) * rng.random((n, len(asked)))
    return drawn


def describe(asked: FloatArray, scales: Sequence[ConditionScale]) -> str:
    """What is asked for, for a person."""
    parts = [f"{s.metric} in its best {1 - q:.0%}" for s, q in zip(scales, asked, strict=True) if not math.isnan(q)]
    return ", ".join(parts) or "no condition"
