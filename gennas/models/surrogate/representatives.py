"""Which of many measured architectures a surrogate is conditioned on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gennas.graph import Population, decision_one_hot
from gennas.models.base import FloatArray

__all__ = ["representatives"]

_THINNED = 2000  # of the rest, among which the spread ones are looked for


def representatives(archs: Population, scores: FloatArray, size: int) -> NDArray[np.intp]:
    """Rows of ``size`` architectures that stand for all, ascending: all rows where there are no more.

    Half are the best; two fifths are the latest of the others, whose contrast to the best tells good edits from bad
    ones; a tenth is spread over the rest, each as many decisions away from those chosen as can be (Gonzalez 1985),
    so that what lies far from the best is not forgotten. They depend on the arguments alone, and on no seed. The
    spread ones are looked for among 2,000 rows, evenly taken in the order of arrival, so that the cost does not grow.

    Args:
        archs: ``b``, in the order in which they were measured.
        scores: of each, more is better, ``(b,)``.
        size: how many, at least 4.

    Example:
        >>> from gennas.spaces.nasbench201.space import NASBench201
        >>> archs = NASBench201().sample(100, np.random.default_rng(0))
        >>> rows = representatives(archs, np.arange(100.0), 20)
        >>> len(rows), rows[-18:].tolist() == list(range(82, 100))
        (20, True)
    """
    b = len(archs)
    if b <= size:
        return np.arange(b)
    best = np.argsort(-scores, kind="stable")[: size // 2]
    others = np.setdiff1d(np.arange(b), best)
    old = len(others) - 2 * size // 5
    latest, rest = others[old:], others[:old]
    chosen = np.concatenate([best, latest])
    thinned = rest[np.unique(np.linspace(0, len(rest) - 1, min(len(rest), max(_THINNED, size))).round().astype(int))]
    spread = _far_from(archs, chosen, thinned, size - len(chosen))
    return np.sort(np.concatenate([chosen, spread]))


def _far_from(archs: Population, chosen: NDArray[np.intp], candidates: NDArray[np.intp], n: int) -> NDArray[np.intp]:
    """The ``n`` of ``candidates`` that are always farthest from what was chosen before, in decisions that differ."""
    there, here = decision_one_hot(archs[chosen]), decision_one_hot(archs[candidates])
    alike = (here @ there.T).max(1)  # equal decisions with the nearest that is chosen
    found = []
    for _ in range(n):
        i = int(alike.argmin())
        found.append(i)
        alike = np.maximum(alike, here @ here[i])
        alike[i] = np.inf
    return candidates[found]
