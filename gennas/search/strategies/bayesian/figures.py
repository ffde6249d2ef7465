"""Where proposals come from, what each source earned, and how well outcomes were foreseen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import kendalltau

__all__ = ["RoundFigures", "SourceCredit"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_RECENT_ROUNDS = 3
_REMEMBERED = 30  # outcomes over which coverage is taken
_Z90 = 1.6448536269514722


class SourceCredit:
    r"""Shares of the pool by source; adaptive ones follow the yield.

    A source's yield is its hits per candidate offered, both decayed by ``decay`` per round:

    .. math:: s_i = f + (1 - a f) \frac{y_i}{\sum_j y_j}, \quad
              y_i = p_i \, \frac{1 + \mathrm{hits}_i}{1 + H \, \mathrm{offered}_i / \sum_j \mathrm{offered}_j}

    with ``H`` all hits, ``p`` the shares at the start, ``a`` the number of sources that are on, and the
    least share ``f``. A source that starts with share 0 stays off.

    Args:
        shares: at the start, by source.
        adaptive: False keeps them.
        decay: of the memory, per round.
        least: least share of every source that is on.

    Example:
        >>> credit = SourceCredit({"diffusion": 0.5, "mutation": 0.5, "random": 0.0}, adaptive=True)
        >>> credit.offer({"diffusion": 10, "mutation": 10})
        >>> credit.note(["mutation"], np.array([True]))
        >>> {source: round(share, 2) for source, share in credit.shares().items()}
        {'diffusion': 0.37, 'mutation': 0.63, 'random': 0.0}
    """

    def __init__(
        self, shares: Mapping[str, float], adaptive: bool = False, decay: float = 0.9, least: float = 0.1
    ) -> None:
        self.sources, self.start = tuple(shares), np.array(list(shares.values()), dtype=float)
        self.adaptive, self.decay, self.least = adaptive, decay, least
        self._hits, self._offered = np.zeros(len(shares)), np.zeros(len(shares))

    def offer(self, counts: Mapping[str, int]) -> None:
        """A round begins with that many candidates from each source."""
        self._hits *= self.decay
        self._offered = self._offered * self.decay + np.array([counts.get(s, 0) for s in self.sources], dtype=float)

    def note(self, sources: Sequence[str], hits: BoolArray) -> None:
        """Credit the sources of evaluated proposals with their hits."""
        for source, hit in zip(sources, hits, strict=True):
            if source in self.sources:
                self._hits[self.sources.index(source)] += hit

    def shares(self) -> dict[str, float]:
        """Parts of the pool, which sum to 1."""
        if not self.adaptive:
            return dict(zip(self.sources, self.start.tolist(), strict=True))
        offered = self._offered / max(self._offered.sum(), 1.0)
        gain = self.start * (1 + self._hits) / (1 + self._hits.sum() * offered)
        on = self.start > 0
        shares = np.where(on, self.least + (1 - self.least * on.sum()) * gain / gain.sum(), 0.0)
        return dict(zip(self.sources, shares.tolist(), strict=True))

    def state_dict(self) -> dict[str, Any]:
        """The memory."""
        return {"hits": self._hits.copy(), "offered": self._offered.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the memory."""
        self._hits, self._offered = np.array(state["hits"]), np.array(state["offered"])


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
