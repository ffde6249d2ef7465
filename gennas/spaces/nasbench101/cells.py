"""NAS-Bench-101 cells as integers: enumeration, isomorphism, pruning and edits of whole populations.

Bit ``u + v (v - 1) / 2`` of the adjacency (21 bits) is the edge ``u → v``; the operations of vertices
1 to 5 are the digits of a base-4 number, vertex 1 the highest, 3 for "unused". A *code* is
``adjacency << 10 | operations``; bit 31 is free to mark relabellings that turn an edge around.
Comparing codes compares adjacencies, then operations, in the order in which the authors enumerated.
"""

from __future__ import annotations

from functools import cache
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from gennas.graph import GraphSchema, IntArray
from gennas.spaces.prefixes import PrefixIndex, node_and_edge_columns

BoolArray = NDArray[np.bool_]
Codes = NDArray[np.uint32]

OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
MAX_EDGES = 9
NONE, OUTPUT_LABEL = 4, 5  # node labels; 0 is the input, 1 to 3 are the operations
OUTPUT = 6
EDGES = [(u, v) for v in range(7) for u in range(v)]  # in the order of bits and of decisions
_BIT = {edge: bit for bit, edge in enumerate(EDGES)}
_TURNED = 1 << 31
_CHUNK = 1 << 10  # rows at a time, so that intermediate results stay in the processor's cache


@cache
def cell_schema() -> GraphSchema:
    """Seven slots: input, five of operations or ``none``, output; every upper-triangular edge is free."""
    labels = ("input", *OPERATIONS, "none", "output")
    node_mask = np.zeros((7, len(labels)), dtype=bool)
    node_mask[[0, OUTPUT], [0, OUTPUT_LABEL]] = True
    node_mask[1:OUTPUT, 1:OUTPUT_LABEL] = True
    edge_mask = np.zeros((7, 7, 2), dtype=bool)
    edge_mask[..., 0] = True
    edge_mask[np.triu_indices(7, 1)] = True
    return GraphSchema("nasbench101", labels, ("none", "edge"), node_mask, edge_mask)


def encode(D: NDArray[np.integer]) -> Codes:
    """Codes of decisions, ``(b,)``."""
    nodes, edges = node_and_edge_columns(cell_schema())
    operations = (D[:, nodes] - 1).astype(np.uint32) @ np.uint32(4) ** np.arange(4, -1, -1, dtype=np.uint32)
    adjacency = D[:, edges].astype(np.uint32) @ (np.uint32(1) << np.arange(len(EDGES), dtype=np.uint32))
    codes: Codes = adjacency << np.uint32(10) | operations
    return codes


def decode(codes: Codes) -> IntArray:
    """Decisions of codes, ``(b, d)``."""
    nodes, edges = node_and_edge_columns(cell_schema())
    D = np.empty((len(codes), len(nodes) + len(edges)), dtype=np.int16)
    D[:, nodes] = (codes[:, None] >> np.arange(8, -1, -2, dtype=np.uint32) & 3) + 1
    D[:, edges] = codes[:, None] >> np.arange(10, 31, dtype=np.uint32) & 1
    return D


def num_interior(codes: Codes) -> NDArray[np.intp]:
    """Number of used interior vertices, ``(b,)``."""
    digits = codes[:, None] >> np.arange(0, 10, 2, dtype=np.uint32) & 3
    used: NDArray[np.intp] = np.count_nonzero(digits != 3, axis=1)
    return used


def least(codes: Codes) -> Codes:
    """The least code among all relabellings of the interior vertices that keep edges pointing forward."""
    best = codes.copy()
    m = num_interior(codes)
    for size in range(2, 6):
        rows = np.flatnonzero(m == size)
        for start in range(0, len(rows), _CHUNK):
            chunk = rows[start : start + _CHUNK]
            best[chunk] = _least_of_size(codes[chunk], size)
    return best


def _least_of_size(codes: Codes, size: int) -> Codes:
    adjacency, operations = _relabellings(size)
    moved = operations[:, codes & 1023]  # (permutations, b)
    for part in range(3):
        moved |= adjacency[:, part, codes >> np.uint32(10 + 7 * part) & 127]
    best: Codes = moved.min(0)
    return best


@cache
def _relabellings(size: int) -> tuple[Codes, Codes]:
    """Per permutation of vertices 1 to ``size``: where 7 bits of edges go ``(p, 3, 128)``, and 10 of operations.

    An edge that would point backwards sets the highest bit, which makes the whole code too large to be least.
    """
    bits = np.arange(128)[:, None] >> np.arange(7) & 1
    digits = np.arange(1024)[:, None] >> np.arange(8, -1, -2) & 3
    adjacency, operations = [], []
    for order in permutations(range(1, size + 1)):
        to = [0, *order, *range(size + 1, 7)]
        moved = [1 << 10 + _BIT[to[u], to[v]] if to[u] < to[v] else _TURNED for u, v in EDGES]
        by_part = np.array(moved, dtype=np.int64).reshape(3, 7)
        adjacency.append([np.bitwise_or.reduce(bits * part, axis=1) for part in by_part])
        operations.append(digits @ 4 ** (5 - np.array(to[1:OUTPUT])))
    return np.array(adjacency, dtype=np.uint32), np.array(operations, dtype=np.uint32)


@cache
def valid_adjacencies() -> NDArray[np.int8]:
    """Interior vertices of each of the 2^21 labelled adjacencies if it is valid, else -1."""
    codes = np.arange(1 << len(EDGES), dtype=np.uint32)
    codes = codes[_popcount(codes) <= MAX_EDGES]
    into = [codes >> np.uint32(v * (v - 1) // 2) & np.uint32((1 << v) - 1) for v in range(7)]
    forward, backward, touched = np.ones_like(codes), np.full_like(codes, 1 << OUTPUT), np.zeros_like(codes)
    for v in range(1, 7):
        forward |= ((into[v] & forward) > 0).astype(np.uint32) << np.uint32(v)
        touched |= into[v] | (into[v] > 0).astype(np.uint32) << np.uint32(v)
    for v in range(6, 0, -1):
        backward |= into[v] * (backward >> np.uint32(v) & 1)
    table = np.full(1 << len(EDGES), -1, dtype=np.int8)
    for m in range(6):
        packed = (1 << m + 1) - 1 | 1 << OUTPUT
        table[codes[(forward & backward == packed) & (touched == packed)]] = m
    table.setflags(write=False)
    return table


@cache
def skeletons() -> PrefixIndex:
    """Valid labelled cells by prefix: a node decision is 0 unused or 1 used, a used one stands for 3 labels."""
    adjacencies = np.flatnonzero(valid_adjacencies() >= 0).astype(np.uint32)
    m = valid_adjacencies()[adjacencies]
    nodes, _ = node_and_edge_columns(cell_schema())
    rows = decode(adjacencies << np.uint32(10))
    rows[:, nodes] = np.arange(5) < m[:, None]
    return PrefixIndex(rows, [1] * rows.shape[1], weights=3.0**m)


@cache
def canonical_codes() -> Codes:
    """The codes of all 423,624 distinct cells, ascending."""
    table = valid_adjacencies()
    found = []
    for m in range(6):
        adjacency = np.flatnonzero(table == m).astype(np.uint32) << np.uint32(10)
        unused = np.uint32((1 << 10 - 2 * m) - 1)
        distinct = adjacency[least(adjacency | unused) == adjacency | unused]
        labels = np.array(list(product(range(3), repeat=m)), dtype=np.uint32).reshape(3**m, m)
        operations = labels @ np.uint32(4) ** np.arange(4, 4 - m, -1, dtype=np.uint32) | unused
        codes = (distinct[:, None] | operations).ravel()
        found.append(codes[least(codes) == codes])
    codes = np.sort(np.concatenate(found))
    codes.setflags(write=False)
    return codes


def _popcount(codes: Codes) -> NDArray[np.intp]:
    table = np.count_nonzero(np.arange(128)[:, None] >> np.arange(7) & 1, axis=1)
    ones: NDArray[np.intp] = table[codes & 127] + table[codes >> np.uint32(7) & 127] + table[codes >> np.uint32(14)]
    return ones


def on_path(edges: BoolArray) -> BoolArray:
    """Which vertices lie on a path from the first to the last one, ``(b, v)``, given edges ``(b, v, v)``."""
    v = edges.shape[-1]
    forward, backward = np.zeros((2, len(edges), v), dtype=bool)
    forward[:, 0], backward[:, -1] = True, True
    for i in range(1, v):
        forward[:, i] = (edges[:, :i, i] & forward[:, :i]).any(1)
        backward[:, -1 - i] = (edges[:, -1 - i, v - i :] & backward[:, v - i :]).any(1)
    return forward & backward


def pack(labels: NDArray[np.integer], edges: NDArray[np.integer], keep: BoolArray) -> tuple[IntArray, IntArray]:
    """Move the kept interior vertices (five at most) to slots 1 to m and drop the others.

    Shapes: ``labels (b, v - 2)``, ``edges (b, v, v)``, ``keep (b, v)``; results ``X (b, 7)``, ``E (b, 7, 7)``.
    """
    b, v = keep.shape
    interior = np.argsort(~keep[:, 1:-1], axis=1, kind="stable")[:, :5] + 1
    rows, size = np.arange(b)[:, None], interior.shape[1]
    taken = np.concatenate([np.zeros((b, 1), dtype=np.intp), interior, np.full((b, 1), v - 1)], axis=1)
    kept = keep[rows, taken]
    X = np.full((b, 7), NONE, dtype=np.int16)
    X[:, 0], X[:, OUTPUT] = 0, OUTPUT_LABEL
    X[:, 1 : size + 1] = np.where(kept[:, 1:-1], labels[rows, interior - 1], NONE)
    slots = np.array([*range(size + 1), OUTPUT])
    E = np.zeros((b, 7, 7), dtype=np.int16)
    inner = edges[rows[:, :, None], taken[:, :, None], taken[:, None, :]]
    E[:, slots[:, None], slots] = inner * (kept[:, :, None] & kept[:, None, :])
    return X, E


Edit = NDArray[np.integer]  # one argument of an edit for each row


def relabel(X: IntArray, E: IntArray, u: Edit, v: Edit, op: Edit, cut: Edit) -> None:
    """Give interior vertex ``v`` another operation."""
    rows = np.flatnonzero((v < OUTPUT) & (X[np.arange(len(X)), v] != NONE))
    X[rows, v[rows]] = op[rows]


def toggle(X: IntArray, E: IntArray, u: Edit, v: Edit, op: Edit, cut: Edit) -> None:
    """Add the edge ``u → v``, or remove it."""
    E[np.arange(len(E)), u, v] ^= 1


def insert(X: IntArray, E: IntArray, u: Edit, v: Edit, op: Edit, cut: Edit) -> None:
    """Put a new vertex after ``u`` with the edges ``u → new → v``; ``cut`` removes ``u → v``."""
    rows = np.flatnonzero((X[:, 5] == NONE) & (u < 5))
    u, v, op, cut = u[rows], v[rows], op[rows], cut[rows]
    E[rows, u, v] &= 1 - cut
    slots = np.broadcast_to(np.arange(7), (len(rows), 7))
    moved = (slots > u[:, None] + 1) & (slots < OUTPUT)
    origin = np.where(slots == u[:, None] + 1, 5, slots - moved)  # slot 5 is empty
    X[rows] = X[rows[:, None], origin]
    E[rows] = E[rows[:, None, None], origin[:, :, None], origin[:, None, :]]
    X[rows, u + 1] = op
    E[rows, u, u + 1] = 1
    E[rows, u + 1, np.where(v < OUTPUT, v + 1, OUTPUT)] = 1


def bypass(X: IntArray, E: IntArray, u: Edit, v: Edit, op: Edit, cut: Edit) -> None:
    """Take out interior vertex ``v`` if it has one input and one output, and join its ends."""
    each = np.arange(len(E))
    rows = np.flatnonzero((E[each, :, v].sum(1) == 1) & (E[each, v].sum(1) == 1))
    v = v[rows]
    source, target = E[rows, :, v].argmax(1), E[rows, v].argmax(1)
    E[rows, :, v] = 0
    E[rows, v] = 0
    E[rows, source, target] = 1


EDITS = (relabel, toggle, insert, bypass)
