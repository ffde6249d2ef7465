"""The interface of surrogates, the rank warp, and the features they use by default."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from gennas.errors import ConfigError
from gennas.graph import GraphSchema, Population
from gennas.graph.features import graph_features, subtree_bag
from gennas.graph.graf import graf_features
from gennas.graph.paths import ends, paths_through
from gennas.models.base import FloatArray

__all__ = [
    "Features",
    "JointSurrogate",
    "RecallingSurrogate",
    "Surrogate",
    "graf",
    "graph_statistics",
    "live_one_hot",
    "live_subtrees",
    "lookup_features",
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


@runtime_checkable
class JointSurrogate(Surrogate, Protocol):
    """A surrogate that knows how its predictions vary together, so that batches can be spread."""

    def covariance(self, archs: Population) -> FloatArray:
        """Covariance of the noise-free normal scores, ``(b, b)``."""
        ...


@runtime_checkable
class RecallingSurrogate(Surrogate, Protocol):
    """A surrogate that spares work by what one before it learned from a part of the same labels.

    ``fit`` of one that recalls nothing depends on its arguments alone; what is recalled is plain values and arrays,
    so that a search which keeps them continues exactly.
    """

    @property
    def learned(self) -> dict[str, Any]:
        """What the last fit learned."""
        ...

    def recall(self, learned: Mapping[str, Any]) -> None:
        """Begin the next fit from what another one had :attr:`learned`; from what does not suit nothing is taken."""
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
    from scipy.stats import rankdata

    scores: FloatArray = ndtri((rankdata(y) - 0.5) / len(y))
    return scores


def live_one_hot(archs: Population) -> FloatArray:
    """One-hot labels of the decisions, zero where the slot lies on no path from input to output, ``(b, d L)``.

    What is on no path computes nothing, so two architectures that differ there alone look equal.
    """
    schema, D = archs.schema, archs.decisions
    through_nodes, through_edges = paths_through(archs.schema, archs.present)
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
    _, through = paths_through(archs.schema, archs.present)
    E = np.where(through > 0, archs.E, 0).astype(archs.E.dtype)
    return subtree_bag(replace(archs, E=E))


def path_statistics(archs: Population) -> FloatArray:
    """Counts over the paths from input to output, for every node and edge label, ``(b, 3 (k + l - 1) + 1)``.

    Per label: how many live slots carry it, how often it occurs summed over all paths, and the most
    that one path has; at last the number of paths. Sums are logarithmic, ``log(1 + count)``.
    """
    k, m = len(archs.schema.node_labels), len(archs.schema.edge_labels)
    through_nodes, through_edges = paths_through(archs.schema, archs.present)
    nodes = np.eye(k)[archs.X]
    edges = np.eye(m)[archs.E][..., 1:]
    counts = [_total(nodes, through_nodes > 0), _total(edges, through_edges > 0)]
    sums = [_total(nodes, through_nodes), _total(edges, through_edges)]
    total = through_nodes[:, ends(archs.schema)[0]].sum(1, keepdims=True)
    longest = _most_on_a_path(archs.schema, nodes * (through_nodes > 0)[..., None], edges, through_edges > 0)
    return np.concatenate([*counts, *(np.log1p(s) for s in sums), longest, np.log1p(total)], axis=1)


def graph_statistics(archs: Population) -> FloatArray:
    """The columns of :func:`gennas.graph.features.graph_features`, ``(b, f)``."""
    return graph_features(archs)[0]


def graf(archs: Population) -> FloatArray:
    """The columns of :func:`gennas.graph.graf.graf_features`, ``(b, f)``: by subsets of operations."""
    return graf_features(archs)[0]


def lookup_features(table: Mapping[str, Sequence[float] | FloatArray], ranks: bool = True) -> Features:
    """Features that were computed elsewhere, such as zero-cost proxies, found by an architecture's key.

    This is how a surrogate receives extra columns: put the function that is returned among its
    features, beside those that any space has for free. It reads ``table`` as it is when called, so a
    table may grow during a search; ranks are those among the rows at the first call after it grew.

    Args:
        table: for every architecture's ``key`` the same number of columns.
        ranks: replace each column by its :func:`normal_scores` over the whole table. Proxies span many
            decades and fail with huge values, which ruins distances. Values that are not finite count
            as lower than all others.

    Returns:
        A function from a population to ``(b, f)``. It raises ConfigError for an architecture without a row.

    Example:
        >>> from gennas.spaces.nasbench201.space import NASBench201
        >>> archs = NASBench201().sample(3, np.random.default_rng(0))
        >>> proxies = lookup_features({key: [1e30**i] for i, key in enumerate(archs.keys)})
        >>> proxies(archs).round(2).tolist()
        [[-0.97], [0.0], [0.97]]
    """
    rows: dict[str, int] = {}
    columns = np.zeros((0, 0))

    def refresh() -> None:
        from scipy.stats import rankdata

        nonlocal columns
        rows.clear()
        rows.update({key: row for row, key in enumerate(table)})
        widths = sorted({len(values) for values in table.values()})
        if len(widths) != 1:
            raise ConfigError(f"Expected rows of extra features with the same number of columns, got {widths}.")
        columns = np.array(list(table.values()), dtype=np.float64)
        if ranks:
            finite = np.where(np.isfinite(columns), columns, -np.inf)
            columns = ndtri((rankdata(finite, axis=0) - 0.5) / len(columns))

    def look_up(archs: Population) -> FloatArray:
        if len(rows) != len(table):
            refresh()
        missing = [key for key in archs.keys if key not in rows]
        if missing:
            raise ConfigError(
                f"Expected a row of extra features for every architecture, but {len(missing)} of {len(archs)} have "
                f"none, such as {missing[0]}: compute them before the surrogate is asked."
            )
        return columns[[rows[key] for key in archs.keys]]

    return look_up


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
