"""Pairs of cells as DARTS prints them and as NAS-Bench-301 records them; texts are parsed, never executed."""

from __future__ import annotations

import ast
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gennas.errors import InvalidArchitectureError, shown

__all__ = ["NODES", "OPERATIONS", "PREFIX", "Genotype"]

OPERATIONS = (
    "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5",
)  # fmt: skip
NODES = (2, 3, 4, 5)
"""The intermediate nodes of a cell; 0 and 1 are the outputs of the two cells before it."""
PREFIX = "NetworkSelectorDatasetInfo:darts:"
_FIRST_EDGE = {2: 0, 3: 2, 4: 5, 5: 9}
_KINDS = ("normal", "reduce")
_EXPECTED = (
    "Genotype(normal=[('sep_conv_3x3', 0), …], normal_concat=range(2, 6), reduce=[…], reduce_concat=range(2, 6))"
)

Edges = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Genotype:
    """Eight operations with their sources for each cell, two for each of the nodes 2 to 5, by source.

    Raises:
        InvalidArchitectureError: not such lists, an unknown operation, or a node with a source twice or behind it.

    Example:
        >>> edges = [("skip_connect", 1), ("skip_connect", 0)] * 4
        >>> Genotype(edges, edges).normal[:2]
        (('skip_connect', 0), ('skip_connect', 1))
    """

    normal: Edges
    reduce: Edges

    def __post_init__(self) -> None:
        for kind in _KINDS:
            object.__setattr__(self, kind, _checked(kind, getattr(self, kind)))

    def __str__(self) -> str:
        cells = ", ".join(f"{kind}={list(getattr(self, kind))!r}, {kind}_concat=range(2, 6)" for kind in _KINDS)
        return f"Genotype({cells})"

    @classmethod
    def parse(cls, text: str) -> Genotype:
        """Read what ``str`` writes; the two edges of a node may come in any order, and ``NAME =`` may stand before.

        Raises:
            InvalidArchitectureError: it is something else.
        """
        try:
            call = ast.parse(text.strip()).body
            found = call[0].value if len(call) == 1 and isinstance(call[0], (ast.Expr, ast.Assign)) else None
            if not (isinstance(found, ast.Call) and not found.args and getattr(found.func, "id", "") == "Genotype"):
                raise ValueError("no Genotype(…)")
            parts = {keyword.arg: keyword.value for keyword in found.keywords}
            if set(parts) != {name for kind in _KINDS for name in (kind, f"{kind}_concat")}:
                raise ValueError("other names than normal, normal_concat, reduce, reduce_concat")
            if any(_numbers(parts[f"{kind}_concat"]) != list(NODES) for kind in _KINDS):
                raise ValueError("a concatenation of other nodes than 2, 3, 4 and 5")
            cells = [ast.literal_eval(parts[kind]) for kind in _KINDS]
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
            said = str(error).partition("\n")[0]
            raise InvalidArchitectureError(
                f"darts: expected {_EXPECTED}, got {reprlib.repr(text)} ({said:.100})."
            ) from error
        return cls(*cells)

    @classmethod
    def of_config(cls, config: Mapping[str, Any]) -> Genotype:
        """The cells of a NAS-Bench-301 configuration, whose keys may begin with ``NetworkSelectorDatasetInfo:darts:``.

        ``edge_normal_0`` to ``edge_reduce_13`` name operations, ``inputs_node_normal_3`` and the like two sources as
        ``0_1`` (node 2 always takes both inputs); the edges of node 2 are 0 and 1, of node 3 from 2 on, of node 4
        from 5, of node 5 from 9. Other keys are left alone.

        Raises:
            InvalidArchitectureError: a key is missing, or its value is not such.
        """
        plain = {str(key).removeprefix(PREFIX): value for key, value in config.items()}
        return cls(*(tuple(_cell(plain, kind)) for kind in _KINDS))


def _numbers(node: ast.expr) -> list[int]:
    """A list of numbers, or ``range(a, b)``."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "range" and not node.keywords:
        bounds = [ast.literal_eval(bound) for bound in node.args]
        return list(range(*bounds))[:10] if all(abs(b) < 10 for b in bounds) else []
    return list(ast.literal_eval(node))


def _cell(config: Mapping[str, Any], kind: str) -> list[tuple[str, int]]:
    edges = []
    for node, first in _FIRST_EDGE.items():
        inputs = "0_1" if node == 2 else _value(config, f"inputs_node_{kind}_{node}")
        for source in inputs.split("_"):
            if not source.isdecimal() or int(source) >= node:
                raise InvalidArchitectureError(
                    f"darts: expected two nodes before {node} as 'a_b' in inputs_node_{kind}_{node}, "
                    f"got {shown(inputs)}."
                )
            edges.append((_value(config, f"edge_{kind}_{first + int(source)}"), int(source)))
    return edges


def _value(config: Mapping[str, Any], key: str) -> str:
    if not isinstance(config.get(key), str):
        got = reprlib.repr(config[key]) if key in config else "none"
        raise InvalidArchitectureError(f"darts: expected a text as {shown(key)} in the configuration, got {got}.")
    return str(config[key])


def _checked(kind: str, edges: Any) -> Edges:
    """The edges of a cell, two for each node, by source."""
    if not isinstance(edges, (list, tuple)) or len(edges) != 2 * len(NODES):
        got = len(edges) if isinstance(edges, (list, tuple)) else type(edges).__name__
        raise InvalidArchitectureError(f"darts: expected eight pairs (operation, source) as {kind}, got {got}.")
    checked: list[tuple[str, int]] = []
    for i, node in enumerate(NODES):
        pairs = [tuple(pair) if isinstance(pair, (list, tuple)) else (pair,) for pair in edges[2 * i : 2 * i + 2]]
        for pair in pairs:
            if len(pair) != 2 or pair[0] not in OPERATIONS or type(pair[1]) is not int or not 0 <= pair[1] < node:
                raise InvalidArchitectureError(
                    f"darts: expected an operation out of {', '.join(OPERATIONS)} and a source from 0 to {node - 1} "
                    f"into node {node} of {kind}, got {reprlib.repr(pair)}."
                )
        if pairs[0][1] == pairs[1][1]:
            raise InvalidArchitectureError(
                f"darts: expected two different sources of node {node} of {kind}, got {pairs[0][1]} twice."
            )
        checked += sorted(pairs, key=lambda pair: pair[1])
    return tuple(checked)
