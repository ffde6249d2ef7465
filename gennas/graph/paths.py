"""Arithmetic on the paths of dense DAGs, shared by the feature families; ``...`` are batch dimensions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gennas.graph.schema import GraphSchema

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def ends(schema: GraphSchema) -> tuple[BoolArray, BoolArray]:
    """Node slots that no edge may enter, and those that no edge may leave, each ``(n,)``."""
    possible = schema.edge_mask[..., 1:].any(axis=-1)
    entered, left = (np.asarray(np.any(possible, axis=axis)) for axis in (0, 1))
    return ~entered, ~left


def free_labels(schema: GraphSchema) -> tuple[list[int], list[int]]:
    """Node labels and edge labels (without "no edge") that are a choice somewhere."""
    free_nodes = schema.node_mask[schema.node_mask.sum(axis=1) > 1].any(axis=0)
    free_edges = schema.edge_mask[schema.edge_mask.sum(axis=2) > 1].any(axis=0)
    return np.flatnonzero(free_nodes).tolist(), [e for e in np.flatnonzero(free_edges).tolist() if e]


def paths_from(starts: BoolArray, A: NDArray[np.generic]) -> FloatArray:
    """Number of paths from any of ``starts (n,)`` to every node, ``(..., n)``."""
    count = np.broadcast_to(starts * 1.0, A.shape[:-1]).copy()
    for v in range(1, A.shape[-1]):  # nodes are in topological order
        count[..., v] += (count[..., :v] * A[..., :v, v]).sum(-1)
    return count


def paths_by_length(A: BoolArray) -> FloatArray:
    """Number of paths from the first node to the last with 1 … n-1 edges, ``(..., n-1)``: rows of powers of ``A``."""
    n = A.shape[-1]
    reach, counts = np.zeros(A.shape[:-1]), np.zeros((*A.shape[:-2], n - 1))
    reach[..., 0] = 1.0
    for m in range(n - 1):
        reach = np.einsum("...u,...uv->...v", reach, A)
        counts[..., m] = reach[..., -1]
    return counts


def paths_through(schema: GraphSchema, A: BoolArray) -> tuple[FloatArray, FloatArray]:
    """How many source-to-sink paths use each node ``(..., n)`` and each edge ``(..., n, n)``.

    A matrix that is seen many times (:attr:`gennas.graph.Population.present`) is looked at once.
    """
    if A.ndim == 3 and len(A) > 1 and A.strides[0] == 0:
        nodes, edges = paths_through(schema, A[:1])
        return np.broadcast_to(nodes, A.shape[:-1]), np.broadcast_to(edges, A.shape)
    sources, sinks = ends(schema)
    before = paths_from(sources, A)
    after = paths_from(sinks[::-1], reverse(A))[..., ::-1]
    return before * after, before[..., :, None] * A * after[..., None, :]


def longest_from(starts: BoolArray, A: BoolArray, gain: NDArray[np.generic]) -> FloatArray:
    """Largest sum of ``gain (..., n, n)`` over paths from ``starts`` to every node, ``(..., n)``; -inf without one."""
    best = np.broadcast_to(np.where(starts, 0.0, -np.inf), A.shape[:-1]).copy()
    for v in range(1, A.shape[-1]):
        step = np.where(A[..., :v, v], best[..., :v] + gain[..., :v, v], -np.inf)
        best[..., v] = np.maximum(best[..., v], step.max(-1))
    return best


def reverse(A: BoolArray) -> BoolArray:
    """The graphs with edges and the order of nodes turned round."""
    turned: BoolArray = A[..., ::-1, ::-1].swapaxes(-1, -2)
    return turned
