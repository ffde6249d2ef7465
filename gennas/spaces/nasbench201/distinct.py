"""Which cells of NAS-Bench-201 the benchmark counts as one: 6,466 structures among 15,625 strings.

Source: Dong and Yang 2020, arXiv 2001.00326, section 2.1, and the rule by which its programs write a structure
(``Structure.to_unique_str`` of the repository D-X-Y/AutoDL-Projects). A node's expression is the sorted sum of what
its edges bring: ``skip_connect`` brings the source's expression itself, any other operation ``(expression)@operation``.
That makes 12,751 structures. Where zeros count, ``none`` brings ``#``, and so does any edge from a node that is ``#``
alone: 6,466.

The rule is cautious: cells of one structure always compute the same function, yet it keeps apart some that do, too: a
sum of zeros is no ``#``, and brackets remain in sums of sums. Cells that are equal in every such way are 4,930
(:func:`function`): not what the benchmark counts, but what a search may put in the place of one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

__all__ = ["distinct_cells", "function", "representatives", "same_function", "structure"]


def structure(operations: Sequence[str], zeros: bool = True) -> str:
    """The structure of a cell.

    Args:
        operations: of the edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3.
        zeros: whether ``none`` is known to bring nothing (6,466 structures) or is an operation like others (12,751).

    Example:
        >>> rest = ["none", "skip_connect", "none", "none", "nor_conv_3x3"]
        >>> structure(["avg_pool_3x3", *rest]), structure(["skip_connect", *rest])
        ('#+#+(#+(0)@avg_pool_3x3)@nor_conv_3x3', '#+#+(#+0)@nor_conv_3x3')
    """
    nodes, edges = ["0"], iter(operations)
    for _ in range(3):
        nodes.append("+".join(sorted([_brought(next(edges), source, zeros) for source in nodes])))
    return nodes[-1]


def _brought(operation: str, source: str, zeros: bool) -> str:
    if zeros and (operation == "none" or source == "#"):
        return "#"
    return source if operation == "skip_connect" else f"({source})@{operation}"


def function(operations: Sequence[str]) -> str:
    """What a cell computes, as a sorted sum without brackets and zeros: 4,930 functions.

    Args:
        operations: of the edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3.

    Example:
        >>> rest = ["none", "skip_connect", "none", "none", "nor_conv_3x3"]
        >>> function(["avg_pool_3x3", *rest]), function(["skip_connect", *rest]), function(["none", *rest])
        ('((0)@avg_pool_3x3)@nor_conv_3x3', '(0)@nor_conv_3x3', '')
    """
    nodes, edges = [["0"]], iter(operations)
    for _ in range(3):
        terms: list[str] = []
        for source in nodes:
            operation = next(edges)
            if operation == "skip_connect":
                terms += source
            elif operation != "none" and source:
                terms.append(f"({'+'.join(source)})@{operation}")
        nodes.append(sorted(terms))
    return "+".join(nodes[-1])


@cache
def representatives(operations: tuple[str, ...]) -> NDArray[np.int16]:
    """For each of the 15,625 cells, in the order of their decisions, the first one of its structure, ``(15625, 6)``."""
    D = np.array(list(product(range(len(operations)), repeat=6)), dtype=np.int16)
    first: dict[str, int] = {}
    places = [first.setdefault(structure([operations[s] for s in row]), i) for i, row in enumerate(D.tolist())]
    found: NDArray[np.int16] = D[places]
    return found


@cache
def distinct_cells(operations: tuple[str, ...]) -> NDArray[np.int16]:
    """The 6,466 cells that stand for their structures, in the order of their decisions, ``(6466, 6)``."""
    found: NDArray[np.int16] = np.unique(representatives(operations), axis=0)
    return found


@cache
def _functions(operations: tuple[str, ...]) -> tuple[NDArray[np.int16], NDArray[np.intp]]:
    """All cells in the order of their decisions, ``(15625, 6)``, and the number of the function of each."""
    D = np.array(list(product(range(len(operations)), repeat=6)), dtype=np.int16)
    numbers: dict[str, int] = {}
    return D, np.array([numbers.setdefault(function([operations[s] for s in row]), len(numbers)) for row in D.tolist()])


def same_function(operations: tuple[str, ...], decisions: NDArray[np.integer]) -> NDArray[np.int16]:
    """The other cells that compute what the cell with ``decisions (6,)`` does, in the order of decisions, ``(b, 6)``.

    Example:
        >>> from gennas.spaces.nasbench201.space import OPERATIONS
        >>> len(same_function(OPERATIONS, np.array([3, 0, 0, 0, 1, 0])))  # one 3x3 convolution and no more
        459
    """
    D, numbers = _functions(operations)
    place = int(decisions @ len(operations) ** np.arange(5, -1, -1))
    rows = np.flatnonzero(numbers == numbers[place])
    found: NDArray[np.int16] = D[rows[rows != place]]
    return found
