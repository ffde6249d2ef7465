"""Sizes that an architecture decides: plain numbers, or all that they can be."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import torch
from torch import Tensor

from gennas.errors import ConfigError, EvaluationError
from gennas.spaces.parts.routing import Routed, Routing

__all__ = ["Elastic", "Size", "largest", "single", "sized", "unmixed"]


class Elastic:
    r"""A size that one or several decisions set.

    On a single path it is a number. Where weights :math:`w_i` stand for sizes :math:`k_i`, channels at the largest size
    are multiplied by :math:`M_c = \sum_i w_i [c < k_i]`, which is the weighted sum of the channels of all sizes, each
    filled up with zeros: ``(W * M) x`` is the weighted sum of all ``W[:, :k_i] x[:k_i]`` with one product.

    Args:
        decisions: which ones.
        table: size by their symbols; combinations that are missing (layers that are off) have none.
        mixes: whether a route may mix sizes.
    """

    def __init__(self, decisions: tuple[int, ...], table: Mapping[tuple[int, ...], Any], mixes: bool = True) -> None:
        self.decisions, self.table, self.mixes = decisions, dict(table), mixes

    @property
    def largest(self) -> Any:
        """The largest that it can be."""
        return max(self.table.values())

    def at(self, symbols: Mapping[int, int]) -> Any:
        """Its value with these symbols by decision, or None."""
        return self.table.get(tuple(symbols[t] for t in self.decisions))

    def spread(self, routing: Routing) -> dict[int, Tensor | None]:
        """The sizes that take part on the present route, with their weights; None stands for the only one.

        Raises:
            EvaluationError: no size takes part: the layer is off, but runs.
            ConfigError: the route mixes sizes, and this one cannot be mixed.
        """
        weights = [routing.weights(t) for t in self.decisions]
        found: dict[int, Tensor | None] = {}
        for symbols in itertools.product(*weights):
            if symbols in self.table:
                factors = [w[s] for w, s in zip(weights, symbols, strict=True)]
                size, weight = self.table[symbols], _product([f for f in factors if f is not None])
                before = found.get(size)
                found[size] = weight if weight is None or before is None else before + weight
        if not found:
            raise EvaluationError(f"Decisions {self.decisions} of the route give no size to a layer that runs.")
        if len(found) > 1 and not self.mixes:
            self._refuse()
        return found

    def single(self, routing: Routing) -> Any:
        """The size on a single path.

        Raises:
            ConfigError: the route mixes sizes, and this one cannot be mixed.
        """
        spread = self.spread(routing)
        if len(spread) > 1:
            self._refuse()
        return next(iter(spread))

    def _refuse(self) -> NoReturn:
        raise ConfigError(
            f"Decisions {self.decisions} of this space cannot be mixed, such as strides, or numbers of heads that "
            "share their channels: take a method of single paths, such as spos."
        )

    def factors(self, routing: Routing) -> Tensor | None:
        """The factors ``M (k,)`` of a mixture whose largest size is ``k``; None on a single path."""
        mixed = [(size, weight) for size, weight in self.spread(routing).items() if weight is not None]
        if not mixed:
            return None
        weights = torch.stack([weight for _, weight in mixed])
        sizes = torch.tensor([size for size, _ in mixed], device=weights.device)
        below = torch.arange(int(sizes.max()), device=weights.device) < sizes[:, None]
        return (weights[:, None] * below).sum(0)


Size = int | Elastic
"""A number, or all that a number can be."""


def largest(size: Size) -> int:
    """The number, or the largest that it can be."""
    return int(size.largest) if isinstance(size, Elastic) else size


def single(size: Any, part: Routed) -> Any:
    """A size as it is, or what it is on the single path that a part of a shared network follows.

    Raises:
        ConfigError: the route mixes sizes.
    """
    return size.single(part.route) if isinstance(size, Elastic) else size


def sized(function: Callable[..., Any], *sizes: Any) -> Any:
    """A function of sizes: a number if all are numbers.

    Example:
        >>> sized(lambda width, ratio: int(width * ratio), 8, 3.5)
        28
        >>> width, ratio = Elastic((0,), {(0,): 8, (1,): 16}), Elastic((1,), {(2,): 3.5, (3,): 4})
        >>> sized(lambda width, ratio: int(width * ratio), width, ratio).table
        {(0, 2): 28, (0, 3): 32, (1, 2): 56, (1, 3): 64}
    """
    elastic = [size for size in sizes if isinstance(size, Elastic)]
    if not elastic:
        return function(*sizes)
    decisions = tuple(dict.fromkeys(t for size in elastic for t in size.decisions))
    choices = [_symbols(elastic, t) for t in decisions]
    table = {}
    for symbols in itertools.product(*choices):
        given = dict(zip(decisions, symbols, strict=True))
        values = [size.at(given) if isinstance(size, Elastic) else size for size in sizes]
        if None not in values:
            table[symbols] = function(*values)
    return Elastic(decisions, table, all(size.mixes for size in elastic))


def unmixed(size: Any) -> Any:
    """The same size, of which a route may take one only; so are sizes that are functions of it."""
    return Elastic(size.decisions, size.table, mixes=False) if isinstance(size, Elastic) else size


def _symbols(sizes: list[Elastic], t: int) -> list[int]:
    """Symbols of a decision that some size knows."""
    found = {symbols[size.decisions.index(t)] for size in sizes if t in size.decisions for symbols in size.table}
    return sorted(found)


def _product(factors: list[Tensor]) -> Tensor | None:
    product = None
    for factor in factors:
        product = factor if product is None else product * factor
    return product
