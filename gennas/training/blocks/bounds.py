"""Bounds on what a network costs, as a share of its parent's or as a number."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from gennas.errors import ConfigError, UnknownNameError, shown

__all__ = ["COSTS", "Bound"]

COSTS = ("params", "flops", "latency_ms")
"""What can be bounded: parameters, multiply-accumulates of one example, milliseconds of one example."""
_ALIASES = {"latency": "latency_ms"}


@dataclass(frozen=True)
class Bound:
    """A largest cost.

    Args:
        metric: one of :data:`COSTS`.
        value: the number.
        is_relative: whether it is a share of the parent's cost.

    Raises:
        UnknownNameError: no such cost.
        ConfigError: the number is not positive, or a share is above 1.

    Example:
        >>> Bound.parse("params<=0.6x"), Bound.parse("latency<=2").value
        (Bound(metric='params', value=0.6, is_relative=True), 2.0)
    """

    metric: str
    value: float
    is_relative: bool = True

    def __post_init__(self) -> None:
        if self.metric not in COSTS:
            raise UnknownNameError("cost", self.metric, COSTS)
        if not (0 < self.value < math.inf):
            raise ConfigError(f"Expected a positive bound of {self.metric}, got {self.value:g}.")
        if self.is_relative and self.value > 1:
            raise ConfigError(
                f"Expected a share of the parent's {self.metric} of at most 1x, got {self.value:g}x: a network is made "
                "smaller, not larger."
            )

    @classmethod
    def parse(cls, text: str) -> Bound:
        """Read ``params<=0.6x``, a share, or ``params<=120000``.

        Raises:
            ConfigError: the text has another form, or as the class.
            UnknownNameError: no such cost.
        """
        match = re.fullmatch(r"\s*([^<>=]*?)\s*<=\s*([^<>=]*?)\s*([xX]?)\s*", text)
        try:
            if match is None:
                raise ValueError
            name, number, share = match.groups()
            value = float(number)
        except ValueError as error:
            raise ConfigError(f"Expected a bound like 'params<=0.6x' or 'flops<=1e6', got {shown(text)}.") from error
        return cls(_ALIASES.get(name, name), value, bool(share))

    def limit(self, parent: float) -> float:
        """The bound as a number.

        Args:
            parent: what the parent costs.

        Raises:
            ConfigError: it is above what the parent costs.
        """
        if not self.is_relative and self.value > parent:
            raise ConfigError(
                f"Expected a bound of at most the parent's {self.metric}, {parent:,.6g}, got {self.value:,.6g}: there "
                "is nothing to make smaller."
            )
        return self.value * parent if self.is_relative else self.value

    def __str__(self) -> str:
        return f"{self.metric}<={self.value:g}{'x' if self.is_relative else ''}"
