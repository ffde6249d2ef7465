"""What comes of scoring a network: a value, the worst one with a reason, or a refusal."""

from __future__ import annotations

from dataclasses import dataclass

from gennas.errors import EvaluationError

__all__ = ["BEYOND_FLOAT64", "WORST", "NotApplicableError", "Score", "TooLargeError", "UndefinedError"]

WORST = 1e8
BEYOND_FLOAT64 = "the flow exceeds float64: the network is too deep or too wide for this proxy"


class NotApplicableError(EvaluationError):
    """The proxy has no meaning for this kind of network or batch; the message says why."""


class UndefinedError(EvaluationError):
    """The formula has no value for this network; it scores the worst value, with this reason."""


class TooLargeError(EvaluationError):
    """The value lies beyond floating point: it is unknown, and not the worst one."""


@dataclass(frozen=True)
class Score:
    """A proxy's value; ``reason`` says why it is the worst one, or NaN because the proxy failed, where it is."""

    value: float
    reason: str = ""
