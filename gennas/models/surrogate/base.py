"""The interface of surrogates, the rank warp, and the features they use by default."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from gennas.errors import ConfigError
from gennas.graph import GraphSchema, Population
from gennas.graph.features import graph_features, subtree_bag
from gennas.models.generator import FloatArray

__all__ = [
    "Features",
    "Surrogate",
    "graph_statistics",
    "live_one_hot",
    "live_subtrees",
    "normal_scores",
    "path_statistics",
]

BoolArray = NDArray[np.bool_]

Features = Callable[[Population], FloatArray]
"""Label-free features of a population, ``(b, f)``."""


@runtime_checkable
class Surrogate(Protocol):
    """Predicts how good architectures are, with a standard deviation.

    Surrogates learn from ranks: ``y`` (higher is better) is warped to :func:`normal_scores` of the
    architectures they were fitted on, and predictions are on that scale, where 0 is the median of
    these and 1.28 their upper tenth. No unit or outlier of ``y`` matters. A surrogate may also offer
    ``covariance(archs) -> (b, b)``, with which batches are spread.

    Attributes:
        noise: variance of what is measured around the value that is predicted.
    """

    noise: float

    def fit(self, archs: Population, y: FloatArray) -> None:
        """Learn from scored architectures, ``y (b,)``; what was learned before is replaced.

        Raises:
            ConfigError: fewer than two architectures, or values that are not finite.
        """
        ...

    def predict(self, archs: Population) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of the noise-free normal score, each ``(b,)``."""
        ...


def normal_scores(y: FloatArray) -> FloatArray:
    r"""Warp values to :math:`\Phi^{-1}((r - 1/2) / b)` of their ranks ``r``; ties share their mean rank.

    Raises:
        ConfigError: fewer than two values, or values that are not finite.

    Example:
        >>> normal_scores(np.array([0.3, 100.0, 0.2])).round(2).tolist()
        [0.0, 0.97, -0.97]
    """
    y = np.asarray(y, dtype=np.float64)
    if y.ndim != 1 or len(y) < 2 or not np.isfinite(y).all():
        raise ConfigError(f"Expected at least two finite values in one dimension, got shape {y.shape}: {y[:5]}.")
    scores: FloatArray = ndtri((rankdata(y) - 0.5) / len(y))
    return scores


def live_one_hot(archs: Population) -> FloatArray:
    """One-hot labels of the decisions, zero where the slot lies on no path from input to output, ``(b, d L)``.

    What is on no path computes nothing, so two architectures that differ there alone look equal.
    """
    schema, D = archs.schema, archs.decisions
    through_nodes, through_edges = _paths_through(archs)
    live = np.concatenate([through_nodes[:, None], through_edges], 1) > 0  # (b, 1 + n, n)
    rows = np.array([0 if slot.source is None else 1 + slot.source for slot in schema.slots])
    on = live[:, rows, [slot.target for slot in schema.slots]]
    one_hot = np.eye(schema.num_symbols)[D] * on[..., None]
    kept: FloatArray = one_hot[:, schema.decision_mask]
    return kept


def live_subtrees(archs: Population) -> FloatArray:
    """Weisfeiler-Lehman neighbourhoods of every node, one edge deep, without edges on no path, ``(b, 256)``.

    See :func:`gennas.graph.features.subtree_bag`; the order of the nodes does not matter.
    """
    _, through = _paths_through(archs)
    E = np.where(through > 0, archs.E, 0).astype(archs.E.dtype)
    return subtree_bag(replace(archs, E=E))


def path_statistics(archs: Population) -> FloatArray:
    """Counts over the paths from input to output, for every node and edge label, ``(b, 3 (k + l - 1) + 1)``.

    Per label: how many live slots carry it, how often it occurs summed over all paths, and the most
    that one path has; at last the number of paths. Sums are logarithmic, ``log(1 + count)``.
    """
    k, m = len(archs.schema.node_labels), len(archs.schema.edge_labels)
    through_nodes, through_edges = _paths_through(archs)
    nodes = np.eye(k)[archs.X]
    edges = np.eye(m)[archs.E][..., 1:]
    counts = [_total(nodes, through_nodes > 0), _total(edges, through_edges > 0)]
    sums = [_total(nodes, through_nodes), _total(edges, through_edges)]
    total = through_nodes[:, _ends(archs.schema)[0]].sum(1, keepdims=True)
    longest = _most_on_a_path(archs.schema, nodes * (through_nodes > 0)[..., None], edges, through_edges > 0)
    return np.concatenate([*counts, *(np.log1p(s) for s in sums), longest, np.log1p(total)], axis=1)


def graph_statistics(archs: Population) -> FloatArray:
    """The columns of :func:`gennas.graph.features.graph_features`, ``(b, f)``."""
    return graph_features(archs)[0]


def _ends(schema: GraphSchema) -> tuple[BoolArray, BoolArray]:
    """Node slots that no edge may enter, and those that no edge may leave, each ``(n,)``."""
    possible = schema.edge_mask[..., 1:].any(axis=-1)
    entered, left = (np.asarray(np.any(possible, axis=axis)) for axis in (0, 1))
    return ~entered, ~left


def _paths_through(archs: Population) -> tuple[FloatArray, FloatArray]:
    """How many input-to-output paths use each node ``(b, n)`` and each edge ``(b, n, n)``."""
    sources, sinks = _ends(archs.schema)
    A = (archs.E > 0).astype(np.float64)
    b, n = archs.X.shape
    before, after = np.tile(sources * 1.0, (b, 1)), np.tile(sinks * 1.0, (b, 1))
    for v in range(n):
        before[:, v] += (before[:, :v] * A[:, :v, v]).sum(1)
    for u in reversed(range(n)):
        after[:, u] += (after[:, u + 1 :] * A[:, u, u + 1 :]).sum(1)
    return before * after, before[:, :, None] * A * after[:, None, :]


def _total(one_hot: FloatArray, weight: NDArray[Any]) -> FloatArray:
    """Sum of ``weight`` by label over all slots, ``(b, labels)``."""
    b, labels = len(one_hot), one_hot.shape[-1]
    total: FloatArray = (one_hot * weight[..., None]).reshape(b, -1, labels).sum(1)
    return total


def _most_on_a_path(schema: GraphSchema, nodes: FloatArray, edges: FloatArray, live: BoolArray) -> FloatArray:
    """The greatest number of slots with each label on one path, ``(b, k + l - 1)``."""
    b, n, k = nodes.shape
    most = np.concatenate([nodes, np.zeros((b, n, edges.shape[-1]))], -1)
    for v in range(1, n):
        step = most[:, :v].copy()
        step[..., k:] += edges[:, :v, v]
        most[:, v] += (step * live[:, :v, v, None]).max(1)
    best: FloatArray = most.max(1)
    return best
