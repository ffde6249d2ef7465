"""The trees of NAS-Bench-Graph as integers: which are the same, and which exist.

A tree in regular form (its parents are one of the nine ``SHAPES``) with operations has the code
``shape * 9^4 + operations in base 9``; there are 59,049 codes, 26,206 of them canonical.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]
Links = NDArray[np.integer]  # (b, 4): parent of nodes 1 to 4, 0 is the input
Operations = NDArray[np.integer]  # (b, 4): indices into OPERATIONS

OPERATIONS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
SKIP = OPERATIONS.index("skip")
# The least numbering of each of the nine rooted trees with five nodes.
SHAPES = (
    (0, 0, 0, 0),
    (0, 0, 0, 1),
    (0, 0, 1, 1),
    (0, 0, 1, 2),
    (0, 0, 1, 3),
    (0, 1, 1, 1),
    (0, 1, 1, 2),
    (0, 1, 2, 2),
    (0, 1, 2, 3),
)
_BASE9 = 9 ** np.arange(3, -1, -1)
_BASE5 = 5 ** np.arange(3, -1, -1)


def pack(links: Links, operations: Operations) -> Codes:
    """Codes of trees numbered in any order, renumbered into a regular form; -1 where there is a cycle."""
    shape, order = (table[links @ _BASE5] for table in _regular_forms())
    moved = np.take_along_axis(operations, order, axis=1)
    codes: Codes = np.where(shape < 0, -1, shape * 9**4 + moved @ _BASE9)
    return codes


def unpack(codes: Codes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Shape ``(b,)`` and operations ``(b, 4)`` of codes."""
    return codes // 9**4, codes[:, None] // _BASE9 % 9


@cache
def canonical_table() -> Codes:
    """Canonical code of each of the 59,049 codes; -1 for trees of skips alone."""
    codes = np.arange(len(SHAPES) * 9**4)
    shape, operations = unpack(codes)
    links, moved = move_skips(np.array(SHAPES)[shape], operations)
    table = _least(pack(links, moved))
    table[(operations == SKIP).all(1)] = -1
    table.setflags(write=False)
    return table


@cache
def canonical_codes(operations: tuple[str, ...]) -> Codes:
    """The canonical codes that use only the given operations, ascending."""
    codes = np.unique(canonical_table())[1:]
    allowed = np.isin(unpack(codes)[1], [OPERATIONS.index(o) for o in operations]).all(1)
    return codes[allowed]


def move_skips(links: Links, operations: Operations) -> tuple[Links, Operations]:
    """Put redundant skips at the front, one after the other, and hang everything else below.

    A skip is redundant if it has a child, no sibling, or only skips above it. Nodes are examined from
    1 to 4, each in the tree that the ones before have left.
    """
    for node in range(4):
        child = (links == node + 1).any(1)
        sibling = (links == links[:, [node]]).sum(1) > 1
        redundant = child | ~sibling | _carries_input(links, operations, node)
        front = (operations[:, node] == SKIP) & redundant
        # The node moves to place 1: those before it, and the input's children, get parents one higher.
        parents = np.where(links == node + 1, links[:, [node]], links)
        parents = parents + (parents <= node)
        order = [node, *(i for i in range(4) if i != node)]
        parents[:, node] = 0
        links = np.where(front[:, None], parents[:, order], links)
        operations = np.where(front[:, None], operations[:, order], operations)
    return links, operations


def _carries_input(links: Links, operations: Operations, node: int) -> NDArray[np.bool_]:
    """Whether ``node`` and all nodes above it are skips, so that it holds the raw input."""
    rows, at = np.arange(len(links)), np.full(len(links), node + 1)
    only_skips = np.ones(len(links), dtype=bool)
    for _ in range(4):
        inside = at > 0
        only_skips &= ~inside | (operations[rows, at - 1] == SKIP)
        at = np.where(inside, links[rows, at - 1], 0)
    return only_skips


def _least(codes: Codes) -> Codes:
    """The least code among the numberings that keep the shape."""
    shape, operations = unpack(codes)
    best = codes.copy()
    for s, links in enumerate(SHAPES):
        rows = np.flatnonzero(shape == s)
        for order in permutations(range(4)):
            if _renumbered(links, order) == links:
                best[rows] = np.minimum(best[rows], s * 9**4 + operations[rows][:, order] @ _BASE9)
    return best


@cache
def _regular_forms() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each list of four parents (base 5): its shape, -1 for cycles, and which node comes to which place."""
    shape, order = np.full(5**4, -1), np.zeros((5**4, 4), dtype=np.int64)
    for s, links in enumerate(SHAPES):
        for places in permutations(range(4)):
            code = np.array(_renumbered(links, places)) @ _BASE5
            shape[code], order[code] = s, places
    return shape, order


def _renumbered(links: Sequence[int], places: Sequence[int]) -> tuple[int, ...]:
    """The parents if node ``i`` is called ``places[i]`` (both counted from 0)."""
    parents = [0] * 4
    for node, parent in zip(places, links, strict=True):
        parents[node] = places[parent - 1] + 1 if parent else 0
    return tuple(parents)
