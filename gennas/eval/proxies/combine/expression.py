"""Readable formulas over proxies: trees of operators, columns and constants, evaluated on arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["BINARY", "UNARY", "Expression"]

FloatArray = NDArray[np.float64]
_LEAST, _MOST = 1e-6, 1e6


def _log(a: FloatArray) -> FloatArray:
    return np.log(np.abs(a) + _LEAST)


def _divide(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray(a * b / (b * b + _LEAST))


UNARY: Mapping[str, Callable[[FloatArray], FloatArray]] = {
    "log": _log,
    "sqrt": lambda a: np.sqrt(np.abs(a)),
    "square": np.square,
    "neg": np.negative,
    "tanh": np.tanh,
}
BINARY: Mapping[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": _divide,
    "min": np.minimum,
    "max": np.maximum,
}


@dataclass(frozen=True)
class Expression:
    """A tree: an operator of :data:`UNARY` or :data:`BINARY` over parts, a column's name, or a number.

    ``log`` and ``sqrt`` take absolute values, ``a / b`` is :math:`a b / (b^2 + 10^{-6})`, and every value is clipped
    to a million, so that all trees have values everywhere.

    Args:
        head: operator, name of a column, or number.
        parts: none for columns and numbers.

    Example:
        >>> e = Expression("+", (Expression("log", (Expression("params"),)), Expression(0.5)))
        >>> str(e), e.size
        ('(log(params) + 0.5)', 4)
    """

    head: str | float
    parts: tuple[Expression, ...] = ()

    @property
    def size(self) -> int:
        """Number of operators, columns and numbers."""
        return 1 + sum(part.size for part in self.parts)

    @property
    def depth(self) -> int:
        """Levels of the tree."""
        return 1 + max((part.depth for part in self.parts), default=0)

    @property
    def columns(self) -> frozenset[str]:
        """Names of the columns that it reads."""
        return frozenset(str(e.head) for e in self.walk() if not e.parts and isinstance(e.head, str))

    def walk(self) -> Iterator[Expression]:
        """All subtrees, this one first."""
        yield self
        for part in self.parts:
            yield from part.walk()

    def replace(self, place: int, other: Expression) -> Expression:
        """This tree with the subtree at ``place`` in the order of :meth:`walk` exchanged for ``other``."""
        if place == 0:
            return other
        parts, seen = [], 1
        for part in self.parts:
            inside = seen <= place < seen + part.size
            parts.append(part.replace(place - seen, other) if inside else part)
            seen += part.size
        return Expression(self.head, tuple(parts))

    def __call__(self, columns: Mapping[str, FloatArray]) -> FloatArray:
        """Values on columns ``(n,)``; a tree of numbers alone gives one number."""
        if not self.parts:
            return columns[self.head] if isinstance(self.head, str) else np.asarray(self.head, dtype=np.float64)
        values = [part(columns) for part in self.parts]
        name = str(self.head)
        found = UNARY[name](values[0]) if len(values) == 1 else BINARY[name](values[0], values[1])
        return np.clip(found, -_MOST, _MOST)

    def __str__(self) -> str:
        if not self.parts:
            return self.head if isinstance(self.head, str) else f"{self.head:g}"
        first, *rest = map(str, self.parts)
        if not rest:
            return f"{self.head}({first})"
        return (
            f"({first} {self.head} {rest[0]})"
            if self.head in ("+", "-", "*", "/")
            else f"{self.head}({first}, {rest[0]})"
        )
