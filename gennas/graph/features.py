"""Features of architecture graphs that every space has for free: counts, paths, degrees, shape.

The family of GRAF (Kadlecova et al. 2024, arXiv 2404.16551): simple, interpretable graph properties
that predict well with a tree ensemble. Everything is arithmetic on dense ``(b, n, n)`` arrays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gennas.graph.architecture import Population
from gennas.graph.paths import free_labels, longest_from, paths_by_length, reverse

__all__ = ["decision_one_hot", "graph_features", "path_bag", "subtree_bag"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Columns = dict[str, FloatArray]
Hashes = NDArray[np.uint64]


def graph_features(population: Population) -> tuple[FloatArray, list[str]]:
    r"""Numbers that describe each graph, ``(b, f)``, and their ``f`` names, which depend on the schema only.

    With :math:`A_{uv} = 1` where an edge is present, ``in`` slot 0 and ``out`` the last slot:

    * ``count:o``: nodes or edges labelled ``o``;
    * ``paths:length=m``: :math:`(A^m)_{in,out}`, paths from input to output with ``m`` edges;
    * ``paths:o``: those whose edges (or interior nodes) are all labelled ``o``; ``shortest:o``: edges
      of the shortest of them, 0 if there is none; ``most:o``: the most labels ``o`` on one path;
    * ``in-degree:o`` / ``out-degree:o``: for edge labels, ``:output`` / ``:input`` and ``:max`` over
      nodes; for node labels, the mean over the nodes with that label;
    * ``edges``, ``depth`` (edges of the longest path) and ``width`` (most nodes at equal distance from
      the input along longest paths, among those between input and output);
    * ``sum:p`` / ``mean:p``: ordinal values of the decisions named ``….p`` that have one.

    A schema without free edges has one topology: its paths, degrees and shape are left out.

    Example:
        >>> from gennas.graph import Population
        >>> from gennas.spaces import NASBench201
        >>> space = NASBench201()
        >>> arch = space.from_text(
        ...     "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_3x3~0|none~1|none~2|"
        ... )
        >>> values, names = graph_features(Population.of(space.schema, [arch]))
        >>> float(values[0, names.index("paths:nor_conv_3x3")])
        1.0
    """
    columns = _counts(population) | _ordinals(population)
    if any(not slot.is_node for slot in population.schema.slots):
        columns |= _paths(population) | _node_degrees(population) | _edge_degrees(population) | _shape(population)
    return np.stack(list(columns.values()), axis=1), list(columns)


def decision_one_hot(population: Population) -> NDArray[np.float32]:
    """Every decision as a one-hot vector over its allowed labels, side by side, ``(b, sum of allowed)``."""
    mask = population.schema.decision_mask
    hot = population.decisions[..., None] == np.arange(mask.shape[1])
    one_hot: NDArray[np.float32] = hot[:, mask].astype(np.float32)
    return one_hot


def subtree_bag(population: Population, depth: int = 1, buckets: int = 256) -> FloatArray:
    r"""Counts of the labelled neighbourhoods of all nodes up to ``depth`` edges away, ``(b, buckets)``.

    The Weisfeiler-Lehman subtree features of a directed graph with edge labels: a node's label
    :math:`h_v^{(0)}` is refined with the multisets of (edge label, neighbour's label) before and
    after it,

    .. math:: h_v^{(i+1)} = \mathrm{hash}\big(h_v^{(i)}, \{(E_{uv}, h_u^{(i)})\}_{u \to v},
              \{(E_{vw}, h_w^{(i)})\}_{v \to w}\big)

    and the labels of depths 0 to ``depth`` are counted. Labels fall into buckets with a random sign, so
    that inner products are those of the exact counts in expectation. Invariant to the order of nodes.

    Sources: Shervashidze et al. 2011 (JMLR 12); Ru et al. 2021 (NAS-BOWL, arXiv 2006.07556);
    Weinberger et al. 2009 (feature hashing, arXiv 0902.2206).
    """
    X, E, A = population.X.astype(np.uint64), population.E.astype(np.uint64), population.present
    label, bag = _mix(X, 1), np.zeros((len(X), buckets))
    for level in range(depth + 1):
        if level:
            into = (_mix(label[:, :, None] + _mix(E, 2), 3) * A).sum(axis=1, dtype=np.uint64)
            out = (_mix(label[:, None, :] + _mix(E, 4), 5) * A).sum(axis=2, dtype=np.uint64)
            label = _mix(label + _mix(into, 6) + _mix(out, 7), 8)
        for column in label.T:
            _drop_in(bag, np.arange(len(bag)), column)
    return bag


def path_bag(population: Population, buckets: int = 256) -> FloatArray:
    """Counts of the label sequences along all paths from input to output, ``(b, buckets)``, with hashing.

    The path encoding of White et al. 2021 (BANANAS, arXiv 1910.11858), for labels on nodes and edges;
    buckets and signs as in :func:`subtree_bag`.
    """
    X, E, A = population.X.astype(np.uint64), population.E.astype(np.uint64), population.present
    bag = np.zeros((len(X), buckets))
    last = X.shape[1] - 1
    at: list[list[tuple[NDArray[np.intp], Hashes]]] = [[] for _ in range(last + 1)]
    at[0].append((np.arange(len(X)), _mix(X[:, 0], 1)))
    for u in range(last):  # slots are in topological order
        for rows, walked in at[u]:
            for v in range(u + 1, last + 1):
                here = A[rows, u, v]
                some = rows[here]
                if len(some):
                    at[v].append((some, _mix(walked[here] + _mix(E[some, u, v], 2) + X[some, v], 3)))
    for rows, walked in at[last]:
        _drop_in(bag, rows, walked)
    return bag


def _mix(values: Hashes, salt: int) -> Hashes:
    """A bijective hash of 64-bit integers (the finaliser of splitmix64, Steele et al. 2014), salted."""
    x = values + np.uint64(salt * 0x9E3779B97F4A7C15 % 2**64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _drop_in(bag: FloatArray, rows: NDArray[np.intp], hashes: Hashes) -> None:
    """Count one hash in each of the (different) ``rows``: low bits choose the bucket, a high one the sign."""
    buckets = (hashes % np.uint64(bag.shape[1])).astype(np.intp)
    bag[rows, buckets] += 1.0 - 2.0 * (hashes >> np.uint64(63))


def _counts(population: Population) -> Columns:
    schema = population.schema
    nodes, edges = free_labels(schema)
    columns = {f"count:{schema.node_labels[o]}": (population.X == o).sum(axis=1).astype(float) for o in nodes}
    return columns | {
        f"count:{schema.edge_labels[o]}": (population.E == o).sum(axis=(1, 2)).astype(float) for o in edges
    }


def _ordinals(population: Population) -> Columns:
    """Sum and mean over the slots that share the last part of their name."""
    schema = population.schema
    values = np.array([schema.ordinals.get(label, np.nan) for label in schema.node_labels])
    parts = [name.rpartition(".")[2] for name in schema.node_names]
    columns: Columns = {}
    for part in dict.fromkeys(parts):
        found = values[population.X[:, [v for v, p in enumerate(parts) if p == part]]]
        known = np.isfinite(found)
        if not np.isfinite(values[schema.node_mask[[p == part for p in parts]].any(axis=0)]).any():
            continue
        columns[f"sum:{part}"] = np.where(known, found, 0.0).sum(axis=1)
        columns[f"mean:{part}"] = columns[f"sum:{part}"] / np.maximum(known.sum(axis=1), 1)
    return columns


def _paths(population: Population) -> Columns:
    schema, A = population.schema, population.present
    nodes, edges = free_labels(schema)
    columns = {f"paths:length={m}": p for m, p in enumerate(paths_by_length(A).T, start=1)}
    inner = np.ones(A.shape[1], dtype=bool)
    inner[[0, -1]] = False
    for o in nodes:
        has = (population.X == o) | ~inner
        columns |= _paths_of(schema.node_labels[o], A & has[:, :, None] & has[:, None], A, (population.X == o) & inner)
    for o in edges if len(edges) > 1 else []:
        has = population.E == o
        columns |= _paths_of(schema.edge_labels[o], has, A, has)
    return columns


def _paths_of(label: str, pure: BoolArray, A: BoolArray, weight: BoolArray) -> Columns:
    """Path features of one label: ``pure`` are the edges of paths with this label only."""
    by_length = paths_by_length(pure)
    shortest = np.where(by_length.any(axis=1), (by_length > 0).argmax(axis=1) + 1, 0)
    gain = weight if weight.ndim == 3 else np.broadcast_to(weight[:, None], A.shape)
    return {
        f"paths:{label}": by_length.sum(axis=1),
        f"shortest:{label}": shortest.astype(float),
        f"most:{label}": np.maximum(longest_from(_first(A), A, gain)[:, -1], 0.0),
    }


def _node_degrees(population: Population) -> Columns:
    schema, A = population.schema, population.present
    columns: Columns = {}
    for o in free_labels(schema)[0]:
        has = population.X == o
        for name, degree in (("in", A.sum(axis=1)), ("out", A.sum(axis=2))):
            total = np.where(has, degree, 0).sum(axis=1)
            columns[f"{name}-degree:{schema.node_labels[o]}"] = total / np.maximum(has.sum(axis=1), 1)
    return columns


def _edge_degrees(population: Population) -> Columns:
    schema = population.schema
    columns: Columns = {}
    for o in free_labels(schema)[1]:
        into, out = ((population.E == o).sum(axis=axis).astype(float) for axis in (1, 2))
        columns[f"in-degree:{schema.edge_labels[o]}:output"] = into[:, -1]
        columns[f"in-degree:{schema.edge_labels[o]}:max"] = into.max(axis=1)
        columns[f"out-degree:{schema.edge_labels[o]}:input"] = out[:, 0]
        columns[f"out-degree:{schema.edge_labels[o]}:max"] = out.max(axis=1)
    return columns


def _shape(population: Population) -> Columns:
    A = population.present
    n, first, turned = A.shape[1], _first(A), reverse(A)
    level, to_output = longest_from(first, A, A), longest_from(first, turned, turned)[:, ::-1]
    between = np.isfinite(level) & np.isfinite(to_output)
    at_level = between[..., None] & (level[..., None] == np.arange(n))
    return {
        "edges": A.sum(axis=(1, 2)).astype(float),
        "depth": np.maximum(level[:, -1], 0.0),
        "width": at_level.sum(axis=1).max(axis=1).astype(float),
    }


def _first(A: BoolArray) -> BoolArray:
    """Slot 0, the input, among the slots of graphs ``(b, n, n)``."""
    first: BoolArray = np.eye(1, A.shape[-1], dtype=bool)[0]
    return first
