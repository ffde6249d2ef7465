"""Graph properties by subsets of allowed operations: the GRAF features of any space.

Kadlecova, Lukasik, Pilat, Vidnerova, Safari, Neruda, Hutter, "Surprisingly Strong Performance
Prediction with Neural Graph Features", ICML 2024, arXiv 2404.16551.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from gennas.graph.architecture import Population
from gennas.graph.paths import ends, free_labels, longest_from, paths_from, paths_through
from gennas.graph.schema import GraphSchema

__all__ = ["graf_features", "label_subsets"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Columns = dict[str, FloatArray]


def graf_features(population: Population) -> tuple[FloatArray, list[str]]:
    r"""Counts, paths and degrees for subsets ``S`` of the operations, ``(b, f)``, and their ``f`` names.

    Operations are the free labels of nodes, of edges, or of both, one family after the other. Only the
    live graph counts: what lies on a path from a source to a sink. For every ``S``:

    * ``count:S``: live slots with an operation in ``S``;
    * ``paths:S``, ``shortest:S``, ``longest:S``: number (as :math:`\log(1 + \cdot)`), fewest and most
      edges of the paths all of whose operations are in ``S``, 0 without such a path;
    * ``most:S``: the most operations in ``S`` on one path;
    * ``out:S``, ``in:S``: edges that leave the sources, and that enter the sinks, with an operation in
      ``S``; where operations are on nodes, towards or from a node with one;
    * ``out-mean:S``, ``in-mean:S``: mean out- and in-degree of the live nodes with an operation in
      ``S`` (operations on nodes only).

    The subsets are those of :func:`label_subsets`, so names depend on the schema only. A schema
    without free edges has one topology and gets ``count`` of single operations alone.

    Example:
        >>> from gennas.graph import Population
        >>> from gennas.spaces import NASBench201
        >>> space = NASBench201()
        >>> arch = space.from_text(
        ...     "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_3x3~0|none~1|none~2|"
        ... )
        >>> values, names = graf_features(Population.of(space.schema, [arch]))
        >>> float(values[0, names.index("count:nor_conv_1x1+nor_conv_3x3")])
        1.0
        >>> values.shape
        (1, 105)
    """
    schema = population.schema
    on_paths, live = (through > 0 for through in paths_through(schema, population.present))
    nodes, edges = free_labels(schema)
    columns: Columns = {}
    if not any(not slot.is_node for slot in schema.slots):
        for o in nodes:
            columns[f"count:{schema.node_labels[o]}"] = ((population.X == o) & on_paths).sum(1).astype(float)
        return np.stack(list(columns.values()), axis=1), list(columns)
    if nodes:
        subsets = label_subsets(nodes)
        chosen = np.stack([np.isin(population.X, subset) for subset in subsets]) & on_paths
        columns |= _flatten(_of_nodes(schema, chosen, live), subsets, schema.node_labels)
    if len(edges) > 1:
        subsets = label_subsets(edges)
        chosen = np.stack([np.isin(population.E, subset) for subset in subsets]) & live
        columns |= _flatten(_of_edges(schema, chosen, live), subsets, schema.edge_labels)
    return np.stack(list(columns.values()), axis=1), list(columns)


def label_subsets(labels: Sequence[int]) -> list[tuple[int, ...]]:
    """All non-empty subsets of up to five labels; of more: single ones, pairs, all but one, and all.

    Example:
        >>> label_subsets([1, 2, 3])
        [(1,), (2,), (3,), (1, 2), (1, 3), (2, 3), (1, 2, 3)]
        >>> len(label_subsets(range(9)))
        55
    """
    count = len(labels)
    sizes = range(1, count + 1) if count <= 5 else (1, 2, count - 1, count)
    return [subset for size in sizes for subset in combinations(labels, size)]


def _flatten(found: Columns, subsets: Sequence[tuple[int, ...]], labels: Sequence[str]) -> Columns:
    """One column for each property ``(subsets, b)`` and subset."""
    names = ["+".join(labels[o] for o in subset) for subset in subsets]
    return {f"{kind}:{name}": row for kind, rows in found.items() for name, row in zip(names, rows, strict=True)}


def _of_edges(schema: GraphSchema, chosen: BoolArray, live: BoolArray) -> Columns:
    """Properties of edges ``chosen (s, b, n, n)`` among the ``live (b, n, n)`` ones, each ``(s, b)``."""
    sources, sinks = ends(schema)
    return {
        "count": chosen.sum((-1, -2)).astype(float),
        **_paths_within(schema, chosen),
        "most": _most(schema, live, chosen),
        "out": chosen[:, :, sources].sum((-1, -2)).astype(float),
        "in": chosen[..., sinks].sum((-1, -2)).astype(float),
    }


def _of_nodes(schema: GraphSchema, chosen: BoolArray, live: BoolArray) -> Columns:
    """Properties of nodes ``chosen (s, b, n)`` in the graph of ``live (b, n, n)`` edges, each ``(s, b)``."""
    sources, sinks = ends(schema)
    passable = chosen | sources | sinks
    count = chosen.sum(-1).astype(float)
    into, out = live.sum(1), live.sum(2)
    return {
        "count": count,
        **_paths_within(schema, live & passable[..., :, None] & passable[..., None, :]),
        "most": _most(schema, live, np.broadcast_to(chosen[..., None, :], (*chosen.shape, chosen.shape[-1]))),
        "out": (chosen * live[:, sources].sum(1)).sum(-1).astype(float),
        "in": (chosen * live[..., sinks].sum(-1)).sum(-1).astype(float),
        "out-mean": (chosen * out).sum(-1) / np.maximum(count, 1),
        "in-mean": (chosen * into).sum(-1) / np.maximum(count, 1),
    }


def _paths_within(schema: GraphSchema, allowed: BoolArray) -> Columns:
    """Number, least and greatest length of the source-to-sink paths along ``allowed`` edges."""
    sources, sinks = ends(schema)
    one = np.ones(allowed.shape[-2:])
    number = paths_from(sources, allowed)[..., sinks].sum(-1) - (sources & sinks).sum()
    longest = longest_from(sources, allowed, one)[..., sinks].max(-1)
    shortest = -longest_from(sources, allowed, -one)[..., sinks & ~sources].max(-1)
    return {
        "paths": np.log1p(number),
        "shortest": np.where(np.isfinite(shortest), shortest, 0.0),
        "longest": np.maximum(longest, 0.0),
    }


def _most(schema: GraphSchema, live: BoolArray, gain: BoolArray) -> FloatArray:
    """The greatest sum of ``gain (s, b, n, n)`` on one path of ``live (b, n, n)`` edges, ``(s, b)``."""
    sources, sinks = ends(schema)
    best = longest_from(sources, np.broadcast_to(live, gain.shape), gain)[..., sinks].max(-1)
    most: FloatArray = np.maximum(best, 0.0)
    return most
