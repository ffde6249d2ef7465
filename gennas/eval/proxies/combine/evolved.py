r"""Non-linear expressions over proxies, evolved on few labels.

Genetic programming: trees of operators over columns; the fitness of a tree is Kendall's tau with the labels of a
training half, minus a price per symbol,

.. math:: f(e) = \tau(e, y_{\text{train}}) - \lambda \, |e|

tournaments choose parents, subtrees are exchanged or grown anew, the best survive. The expression that is returned is
the one, among the best of every size, with the highest tau on the other half minus the price: an expression that was
only lucky on the training half loses there. Columns enter as quantiles of the population that :meth:`fit` sees.

The idea of evolved proxies: Akhauri et al. 2022, "EZNAS", arXiv 2209.07413, which evolves over tensors of a network;
genetic programming: Koza 1992. Here only scores are combined.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.eval.proxies.combine.base import (
    Combination,
    Quantiles,
    Scores,
    labelled_rows,
    pairwise_signs,
)
from gennas.eval.proxies.combine.expression import BINARY, UNARY, Expression

__all__ = ["EvolvedExpression"]

FloatArray = NDArray[np.float64]
CONSTANTS = (0.25, 0.5, 1.0, 2.0)
_LEAST_LABELS = 10


@dataclass(frozen=True)
class _Half:
    """Labelled rows: columns by name, and pairs of a better and a worse row."""

    columns: dict[str, FloatArray]
    better: NDArray[np.intp]
    worse: NDArray[np.intp]

    def tau(self, expression: Expression) -> float:
        """Concordant minus discordant pairs over those with different labels; -1 where there is no value."""
        values = expression(self.columns)
        if values.ndim == 0:
            return -1.0
        return float(np.sign(values[self.better] - values[self.worse]).mean())


class EvolvedExpression(Combination):
    """An expression that genetic programming found; read it as :attr:`expression`.

    Signs are learned: a column may be better the less it is.

    Args:
        population: trees in a generation.
        generations: how often it is renewed.
        price: what a symbol costs in units of tau.
        max_depth: deeper trees are not kept.
        validation: share of the labels that only chooses among the best.
        seed: of everything random.

    Raises:
        ConfigError: a setting is out of its range.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> a, b, noise = rng.random((3, 60))
        >>> model = EvolvedExpression(generations=8).fit({"a": a, "b": b, "noise": noise}, a * b)
        >>> sorted(model.expression.columns), model.n_labels
        (['a', 'b'], 60)
    """

    name = "evolved"
    needs_labels = True

    def __init__(
        self,
        population: int = 150,
        generations: int = 15,
        price: float = 0.003,
        max_depth: int = 5,
        validation: float = 0.35,
        seed: int = 0,
    ) -> None:
        if population < 4 or generations < 0 or max_depth < 2 or not 0 < validation < 1 or price < 0:
            raise ConfigError(
                "Expected population >= 4, generations >= 0, max_depth >= 2, validation in (0, 1) and price >= 0, got "
                f"{population}, {generations}, {max_depth}, {validation} and {price}."
            )
        self.population, self.generations, self.price = population, generations, price
        self.max_depth, self.validation, self.seed = max_depth, validation, seed
        self.expression = Expression(0.0)
        self.validation_tau = float("nan")

    def score(self, scores: Scores) -> FloatArray:
        """The expression's values, ``(n,)``."""
        table = self._quantiles(self._table(scores))
        found = self.expression(dict(zip(self.columns, table.T, strict=True)))
        return np.broadcast_to(found, len(table)).copy()

    def _learn(self, scores: Scores, labels: FloatArray) -> None:
        rng = np.random.default_rng(self.seed)
        table = self._table(scores)
        rows = rng.permutation(labelled_rows(labels, _LEAST_LABELS, self.name))
        self._quantiles = Quantiles(table)
        values = self._quantiles(table)
        cut = round(self.validation * len(rows))
        held, train = (self._half(values, labels, part) for part in (rows[:cut], rows[cut:]))
        best = self._evolve(train, rng)
        taus = {e: held.tau(e) for e in best}
        self.expression = max(best, key=lambda e: taus[e] - self.price * e.size)
        self.validation_tau = taus[self.expression]

    def _half(self, values: FloatArray, labels: FloatArray, rows: NDArray[np.intp]) -> _Half:
        columns = dict(zip(self.columns, values[rows].T, strict=True))
        return _Half(columns, *pairwise_signs(labels[rows]))

    def _evolve(self, train: _Half, rng: np.random.Generator) -> list[Expression]:
        """The best expression of every size that was ever seen."""
        known: dict[Expression, float] = {}

        def fitness(e: Expression) -> float:
            if e not in known:
                known[e] = train.tau(e) - self.price * e.size
            return known[e]

        trees = self._columns() + [self._grow(rng, 3) for _ in range(self.population)]
        for _ in range(self.generations):
            elite = sorted(dict.fromkeys(trees), key=fitness, reverse=True)[: self.population // 10 + 1]
            parents = [
                max((trees[i] for i in rng.integers(len(trees), size=4)), key=fitness) for _ in range(self.population)
            ]
            trees = elite + [self._child(e, parents, rng) for e in parents]
        for e in trees:
            fitness(e)
        best: dict[int, Expression] = {}
        for e, value in known.items():
            if e.size not in best or value > known[best[e.size]]:
                best[e.size] = e
        return list(best.values())

    def _columns(self) -> list[Expression]:
        """Every column, and its negation."""
        return [e for c in self.columns for e in (Expression(c), Expression("neg", (Expression(c),)))]

    def _child(self, parent: Expression, others: list[Expression], rng: np.random.Generator) -> Expression:
        """A subtree is exchanged for one of another parent, or for a new one."""
        place = int(rng.integers(parent.size))
        if rng.random() < 0.6:
            subtrees = list(others[rng.integers(len(others))].walk())
            other = subtrees[rng.integers(len(subtrees))]
        else:
            other = self._grow(rng, 2)
        child = parent.replace(place, other)
        return child if child.depth <= self.max_depth else parent

    def _grow(self, rng: np.random.Generator, depth: int) -> Expression:
        kind = rng.random()
        if depth <= 1 or kind < 0.2:
            if rng.random() < 0.1:
                return Expression(CONSTANTS[rng.integers(len(CONSTANTS))])
            return Expression(self.columns[rng.integers(len(self.columns))])
        names = list(UNARY if kind < 0.45 else BINARY)
        parts = tuple(self._grow(rng, depth - 1) for _ in range(1 if kind < 0.45 else 2))
        return Expression(names[rng.integers(len(names))], parts)
