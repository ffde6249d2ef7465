"""An exact multiple-choice knapsack with several bounds and rules on how many items are left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gennas.errors import EvaluationError

__all__ = ["DepthRule", "Knapsack"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.intp]
_CHUNK, _CHUNKS = 2048, 50  # random choices that are looked at


@dataclass(frozen=True)
class DepthRule:
    """How many of some layers may be left.

    Args:
        members: numbers of the layers, in their order.
        counts: how many of them may be kept.
        only_last: whether those that are left out have to be the last.
    """

    members: tuple[int, ...]
    counts: tuple[int, ...]
    only_last: bool = False


@dataclass(frozen=True, eq=False)
class Knapsack:
    r"""Choose one option for every layer, so that the sum of the scores is least and every cost stays in its bound.

    .. math:: \min \sum_l s_{l, k_l} \quad\text{with}\quad \sum_l c_{l, k_l, j} \le b_j \text{ for all } j

    Solved to the optimum by branch and bound (HiGHS, through ``scipy.optimize.milp``): a multiple-choice knapsack
    (Sinha and Zoltners 1979). Costs are checked once more without the solver's tolerance; a choice that exceeds a bound
    by less than that is excluded and the rest is solved again.

    Args:
        scores: of every layer's options, smaller is better, ``(k_l,)`` each.
        costs: of every layer's options, ``(k_l, m)`` each.
        limits: largest sums of costs, ``(m,)``.
        keeps: whether an option keeps its layer, ``(k_l,)`` each.
        rules: how many layers may be left.
    """

    scores: Sequence[FloatArray]
    costs: Sequence[FloatArray]
    limits: FloatArray
    keeps: Sequence[BoolArray]
    rules: Sequence[DepthRule] = ()

    def solve(self) -> tuple[int, ...] | None:
        """The best choice, one option per layer; None where no choice keeps the bounds.

        Raises:
            EvaluationError: the solver failed.
        """
        excluded: list[tuple[int, ...]] = []
        while True:
            choice = self._solved(excluded)
            if choice is None or self.is_feasible(np.array([choice]))[0]:
                return choice
            excluded.append(choice)

    def least(self, cost: int) -> float:
        """The smallest sum of one cost, whatever the bounds."""
        free = replace(self, scores=[c[:, cost] for c in self.costs], limits=np.full(len(self.limits), np.inf))
        choice = free.solve()
        assert choice is not None  # the parent's own layers are always there
        return float(self.sums(np.array([choice]))[0, cost])

    def sums(self, choices: IntArray) -> FloatArray:
        """Costs of choices ``(b, layers)``, ``(b, m)``."""
        total: FloatArray = sum(
            (costs[column] for costs, column in zip(self.costs, choices.T, strict=True)),
            start=np.zeros((len(choices), len(self.limits))),
        )
        return total

    def predicted(self, choices: IntArray) -> FloatArray:
        """Sums of the scores of choices ``(b, layers)``, ``(b,)``."""
        total: FloatArray = sum(
            (scores[column] for scores, column in zip(self.scores, choices.T, strict=True)),
            start=np.zeros(len(choices)),
        )
        return total

    def is_feasible(self, choices: IntArray) -> BoolArray:
        """Which choices ``(b, layers)`` keep every bound and rule, ``(b,)``."""
        fits: BoolArray = np.asarray((self.sums(choices) <= self.limits).all(1))
        kept = np.stack([keeps[column] for keeps, column in zip(self.keeps, choices.T, strict=True)], axis=1)
        for rule in self.rules:
            members = kept[:, list(rule.members)]
            fits &= np.isin(members.sum(1), rule.counts)
            if rule.only_last:
                fits &= ~(members[:, 1:] & ~members[:, :-1]).any(1)
        return fits

    def random(self, n: int, rng: np.random.Generator) -> IntArray:
        """Different feasible choices, drawn uniformly from all of them, at most ``n``, ``(b, layers)``.

        Where so few choices are feasible that a hundred thousand draws do not give ``n``, the best ones for random
        scores stand in; those are not uniform.
        """
        found: dict[tuple[int, ...], None] = {}
        sizes = [len(s) for s in self.scores]
        for _ in range(_CHUNKS):
            drawn = rng.integers(0, sizes, size=(_CHUNK, len(sizes)))
            found |= dict.fromkeys(map(tuple, drawn[self.is_feasible(drawn)].tolist()))
            if len(found) >= n:
                break
        for _ in range(4 * n):
            if len(found) >= n:
                break
            choice = replace(self, scores=[rng.random(size) for size in sizes]).solve()
            found |= {} if choice is None else {choice: None}
        return np.array(list(found)[:n], dtype=np.intp).reshape(-1, len(sizes))

    # ------------------------------------------------------------------ the integer program

    @cached_property
    def _starts(self) -> list[int]:
        """Where each layer's variables begin."""
        return [0, *np.cumsum([len(s) for s in self.scores]).tolist()]

    def _solved(self, excluded: Sequence[tuple[int, ...]]) -> tuple[int, ...] | None:
        from scipy.optimize import Bounds, LinearConstraint, milp

        n = self._starts[-1] + sum(len(rule.counts) for rule in self.rules)
        objective = np.zeros(n)
        objective[: self._starts[-1]] = np.concatenate(list(self.scores))
        objective /= max(1e-300, float(np.abs(objective).max(initial=0.0)))  # the solver's gap is absolute
        rows, low, high = zip(*self._rows(n, excluded), strict=True)
        result = milp(
            objective,
            integrality=np.ones(n),
            bounds=Bounds(0, 1),
            constraints=LinearConstraint(np.stack(rows), np.array(low), np.array(high)),
            options={"mip_rel_gap": 0.0},
        )
        if result.status == 2:
            return None
        if result.x is None or result.status != 0:
            raise EvaluationError(f"The knapsack was not solved: {result.message}")
        parts = np.split(result.x[: self._starts[-1]], self._starts[1:-1])
        return tuple(int(np.argmax(part)) for part in parts)

    def _rows(self, n: int, excluded: Sequence[tuple[int, ...]]) -> Iterator[tuple[FloatArray, float, float]]:
        """The constraints: coefficients ``(n,)``, lower and upper bound."""
        starts, free = self._starts, -np.inf
        for start, end in pairwise(starts):
            row = np.zeros(n)
            row[start:end] = 1
            yield row, 1, 1
        for j, limit in enumerate(self.limits):
            if np.isfinite(limit):
                row, scale = np.zeros(n), max(abs(limit), 1e-12)
                row[: starts[-1]] = np.concatenate([costs[:, j] for costs in self.costs]) / scale
                yield row, free, limit / scale
        place = starts[-1]
        for rule in self.rules:
            depth = slice(place, place + len(rule.counts))
            place += len(rule.counts)
            row = np.zeros(n)
            row[depth] = 1
            yield row, 1, 1
            kept = [self._kept(layer, n) for layer in rule.members]
            row = np.sum(kept, axis=0)
            row[depth] = [-count for count in rule.counts]
            yield row, 0, 0
            for before, after in pairwise(kept):
                if rule.only_last:
                    yield after - before, free, 0
        for choice in excluded:
            row = np.zeros(n)
            row[[start + k for start, k in zip(starts, choice, strict=False)]] = 1
            yield row, free, len(choice) - 1

    def _kept(self, layer: int, n: int) -> FloatArray:
        """Coefficients that give 1 where a layer is kept."""
        row = np.zeros(n)
        row[self._starts[layer] : self._starts[layer + 1]] = self.keeps[layer]
        return row
