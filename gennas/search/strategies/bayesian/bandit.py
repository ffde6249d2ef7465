"""Shares of a pool by source, moved towards what turned out well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ShareBandit"]

FloatArray = NDArray[np.float64]


class ShareBandit:
    r"""Shares of the pool by source; adaptive ones follow the yield.

    A source's yield is its hits per place that it was given, both decayed by ``decay`` per round. Places that it leaves
    empty count as filled ones do: a source that fills few of them and never hits loses its share to those that use it.

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
        >>> bandit = ShareBandit({"diffusion": 0.5, "mutation": 0.5, "random": 0.0}, adaptive=True)
        >>> bandit.offer({"diffusion": 10, "mutation": 10})
        >>> bandit.note(["mutation"], np.array([True]))
        >>> {source: round(share, 2) for source, share in bandit.shares().items()}
        {'diffusion': 0.37, 'mutation': 0.63, 'random': 0.0}
    """

    def __init__(
        self, shares: Mapping[str, float], adaptive: bool = False, decay: float = 0.9, least: float = 0.1
    ) -> None:
        self.sources, self.start = tuple(shares), np.array(list(shares.values()), dtype=float)
        self.adaptive, self.decay, self.least = adaptive, decay, least
        self._hits, self._offered = np.zeros(len(shares)), np.zeros(len(shares))

    def offer(self, counts: Mapping[str, float]) -> None:
        """A round begins with that many places for each source, or with what its candidates cost."""
        self._hits *= self.decay
        self._offered = self._offered * self.decay + np.array([counts.get(s, 0) for s in self.sources], dtype=float)

    def note(self, sources: Sequence[str], hits: NDArray[np.bool_] | FloatArray) -> None:
        """Credit the sources of evaluated proposals with their hits, or with parts of a hit in [0, 1]."""
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
