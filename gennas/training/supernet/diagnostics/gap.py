"""What a relaxed network loses when its choices are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["DiscretisationGap", "discretisation_gap"]

R = TypeVar("R")


@dataclass(frozen=True)
class DiscretisationGap:
    """Scores of the same shared weights with the mixture and with one path, on the same data."""

    relaxed: float
    discrete: float

    @property
    def gap(self) -> float:
        """How much the score falls; negative where the path is better than the mixture."""
        return self.relaxed - self.discrete


def discretisation_gap(score: Callable[[R], float], relaxed: R, discrete: R) -> DiscretisationGap:
    """Score a relaxed and a discrete route.

    Args:
        score: of a route, more is better, such as the validation accuracy.
        relaxed: the route of the mixture.
        discrete: the route of the discretised architecture.
    """
    return DiscretisationGap(score(relaxed), score(discrete))
