"""From weights of labels to architectures: the best legal one, and the next best in order."""

from __future__ import annotations

from collections import Counter
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.spaces.base import Space

__all__ = ["discretise"]

_LEAST = 64  # prefixes of one future that are kept at least: some turn out to be one architecture


def discretise(
    strengths: Tensor | NDArray[np.floating],
    space: Space,
    n: int = 1,
    beam: int = 20_000,
    absent: Literal["weigh", "ignore", "auto"] = "auto",
) -> tuple[Population, NDArray[np.float64]]:
    r"""The ``n`` legal architectures with the largest :math:`\sum_t \log w_{t, a_t}`, best first.

    Prefixes of decisions grow one decision at a time among what is legal. Those whose futures are the same compete with
    one another, and the best ``n`` of them go on; futures count as the same where :meth:`Space.legal` and
    :meth:`Space.completions` say the same about the next decision. So the result is exact where decisions are
    independent, where nodes take a fixed number of edges (DARTS), and where what is left depends on a depth. In spaces
    without completions it is a beam search, a heuristic. Equal architectures come once.

    Args:
        strengths: weights ``(d, L)``, such as :meth:`Relaxation.strengths`; they need not add up to 1.
        space: says what is legal.
        n: how many; fewer come where there are not so many, or the beam holds no more.
        beam: prefixes that are kept in all.
        absent: whether the weight of leaving an edge out counts. ``auto`` ignores it where all architectures leave out
            the same number, so that only the chosen edges' weights are compared: the rule of DARTS, which
            keeps the two edges of a node whose best operation is strongest.

    Returns:
        The architectures, and their values.

    Raises:
        ConfigError: the weights have another shape or are negative or not finite, or no legal architecture has weight.
    """
    schema = space.schema
    w = np.asarray(strengths.detach().cpu() if isinstance(strengths, Tensor) else strengths, dtype=np.float64)
    if w.shape != schema.decision_mask.shape or not np.isfinite(w).all() or (w < 0).any() or n < 1:
        raise ConfigError(
            f"Expected n >= 1 and finite weights {schema.decision_mask.shape}, none below 0, for {schema.name}; got "
            f"n={n} and {w.shape} with {int((~np.isfinite(w)).sum())} not finite, {int((w < 0).sum())} below 0."
        )
    with np.errstate(divide="ignore"):
        values = np.log(w)
    if absent == "ignore" or (absent == "auto" and _leaves_out_as_many(space)):
        edges = np.array([not slot.is_node for slot in schema.slots])
        values[edges, 0] = 0.0
    D, scores = _grow(values, space, max(n, _LEAST), beam)
    if not len(D):
        raise ConfigError(f"No legal architecture of {schema.name} has weights above 0 for all of its labels.")
    population = space.canonical(Population.from_decisions(schema, D))
    _, first = np.unique(population.keys, return_index=True)
    order = np.sort(first)[:n]
    return population[order], scores[order]


def _grow(
    values: NDArray[np.float64], space: Space, same: int, beam: int
) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """The best full rows of decisions, best first; ties in the order of labels."""
    D, scores = np.zeros((1, len(values)), dtype=np.int16), np.zeros(1)
    for t in range(len(values)):
        legal, counts = space.legal(D, t), space.completions(D, t)
        kept = _best_of_each(_futures(legal, counts), same)
        D, scores, legal = D[kept], scores[kept], legal[kept]
        grown = np.where(legal, scores[:, None] + values[t], -np.inf)
        flat = grown.reshape(-1)
        best = np.argsort(-flat, kind="stable")[:beam]
        best = best[np.isfinite(flat[best])]
        row, symbol = np.divmod(best, grown.shape[1])
        D, scores = D[row], flat[best]
        D[:, t] = symbol
    return D, scores


def _futures(legal: NDArray[np.bool_], counts: NDArray[np.generic] | None) -> list[object]:
    """What can follow each prefix, as far as the space says."""
    if counts is None:
        return [row.tobytes() for row in legal]
    return [(a.tobytes(), tuple(b)) for a, b in zip(legal, counts.tolist(), strict=True)]


def _best_of_each(futures: list[object], same: int) -> NDArray[np.intp]:
    """The first ``same`` places of every future, in order."""
    seen: Counter[object] = Counter()
    kept = []
    for place, future in enumerate(futures):
        seen[future] += 1
        if seen[future] <= same:
            kept.append(place)
    return np.array(kept, dtype=np.intp)


def _leaves_out_as_many(space: Space) -> bool:
    """Whether all architectures, judged by 64 of them, have the same number of absent edges, at least one."""
    edges = np.array([not slot.is_node for slot in space.schema.slots], dtype=bool)
    if not edges.any():
        return False
    absent = (space.sample(64, np.random.default_rng(0)).decisions[:, edges] == 0).sum(1)
    return bool(absent.min() == absent.max() > 0)
