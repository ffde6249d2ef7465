"""How well outcomes were foreseen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

__all__ = ["RoundFigures"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_RECENT_ROUNDS = 3
_REMEMBERED = 30  # outcomes over which coverage is taken
_Z90 = 1.6448536269514722


class RoundFigures:
    """What was expected of proposals against what came of them.

    ``record`` holds, once outcomes are known: ``hit_rate``, the share of the last tell's outcomes above
    the archive's 90th percentile before it; ``surrogate_tau``, Kendall's tau between prediction and
    outcome over the last three rounds; ``coverage_90``, the share of the last 30 outcomes inside their
    central 90 % predictive intervals; and whatever figures the strategy adds.
    """

    def __init__(self) -> None:
        self.record: dict[str, float] = {}
        self.expected: dict[str, tuple[float, float]] = {}
        self._round = 0
        self._outcomes: list[list[float]] = []  # round, expected score, outcome's utility, whether inside

    def expect(self, expected: Mapping[str, tuple[float, float]]) -> None:
        """A round begins; mean and predictive standard deviation of its proposals, by key."""
        self.expected = dict(expected)
        self._round += 1

    def note(self, keys: Sequence[str], before: FloatArray, after: FloatArray, hits: BoolArray) -> None:
        """Compare outcomes ``after (k,)`` of expected keys, some of them ``hits (k,)``, with those ``before (b,)``."""
        from scipy.stats import kendalltau

        rank = (before[None] < after[:, None]).sum(1) + 0.5 * (before[None] == after[:, None]).sum(1)
        scores = ndtri((rank + 0.5) / (len(before) + 1))
        for key, outcome, score in zip(keys, after, scores, strict=True):
            mean, std = self.expected[key]
            self._outcomes.append([self._round, mean, float(outcome), float(abs(score - mean) <= _Z90 * std)])
        self._outcomes = self._outcomes[-max(_REMEMBERED, len(keys)) :]
        self.record["hit_rate"] = float(hits.mean())
        self.record["coverage_90"] = float(np.mean([inside for *_, inside in self._outcomes]))
        recent = np.array([o for o in self._outcomes if o[0] > self._round - _RECENT_ROUNDS])
        if len(recent) > 2:
            tau = kendalltau(recent[:, 1], recent[:, 2]).statistic
            self.record["surrogate_tau"] = float(tau) if np.isfinite(tau) else 0.0

    def state_dict(self) -> dict[str, Any]:
        """Everything noted."""
        return {
            "record": dict(self.record),
            "expected": {key: list(values) for key, values in self.expected.items()},
            "round": self._round,
            "outcomes": [list(o) for o in self._outcomes],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore it."""
        self.record, self._round = dict(state["record"]), state["round"]
        self.expected = {key: (values[0], values[1]) for key, values in state["expected"].items()}
        self._outcomes = [list(o) for o in state["outcomes"]]
