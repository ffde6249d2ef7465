"""What surrogates believe of every metric that matters, and what an evaluation is expected to gain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri

from gennas.graph import Population
from gennas.search.objectives import Objectives
from gennas.search.screen import Screen
from gennas.search.strategies.bayesian.acquisition import (
    PER_PROPOSAL,
    Acquisition,
    choose_batch,
    log_expected_hypervolume_improvement,
    log_expected_improvement,
    predict_all,
)
from gennas.search.trial import Trial

if TYPE_CHECKING:
    from gennas.models.surrogate import Surrogate

__all__ = ["Beliefs", "Outcomes"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_UCB = 2.0


class Outcomes:
    """What was measured, turned so that more is better: a column for each objective, then each constraint.

    Shapes: ``columns (b, m)``, ``bounds (constraints,)``, ``feasible (b,)``, ``utility (b,)``.

    Args:
        objectives: what is better.
        trials: finished ones, without failures.
    """

    def __init__(self, objectives: Objectives, trials: Sequence[Trial]) -> None:
        signs = [1.0 if c.sense == ">=" else -1.0 for c in objectives.constraints]
        self.signs = [(o.metric, o.signed(1.0)) for o in objectives.objectives]
        self.signs += [(c.metric, sign) for c, sign in zip(objectives.constraints, signs, strict=True)]
        rows = [[sign * t.metrics[metric] for metric, sign in self.signs] for t in trials]
        self.num_objectives = len(objectives.objectives)
        self.columns = np.array(rows, dtype=np.float64).reshape(len(trials), len(self.signs))
        self.bounds = np.array([s * c.bound for s, c in zip(signs, objectives.constraints, strict=True)])
        self.feasible: BoolArray = np.all(self.columns[:, self.num_objectives :] >= self.bounds, axis=1)
        self.utility = objectives.utilities(trials)

    def quantiles(self) -> FloatArray:
        """Quantile of every value within its column, from 0 (worst) to 1, ``(b, m)``: conditions for a generator."""
        from scipy.stats import rankdata

        ranks: FloatArray = (rankdata(self.columns, axis=0) - 0.5) / len(self.columns)
        return ranks

    def wanted(self, n: int, quantile: float, rng: np.random.Generator) -> FloatArray:
        """Conditions to ask ``n`` samples for, ``(n, m)``.

        A single objective: ``quantile``. Several: the quantiles of a random architecture of the Pareto
        front, each moved half of the way to 1. A constraint: anything from its bound's quantile to 1.
        """
        asked = np.full((n, self.columns.shape[1]), quantile)
        if self.num_objectives > 1:
            front = np.flatnonzero(self.utility >= np.quantile(self.utility, 0.9))
            asked[:, : self.num_objectives] = 0.5 + 0.5 * self.quantiles()[rng.choice(front, n), : self.num_objectives]
        for i, bound in enumerate(self.bounds, self.num_objectives):
            least = min(float((self.columns[:, i] < bound).mean()), quantile)
            asked[:, i] = least + (1 - least) * rng.random(n)
        return asked


class Beliefs:
    r"""One surrogate for every objective and constraint, and the acquisition made of them.

    With :math:`z_j` the normal score of constraint ``j``'s bound among what was measured, a candidate's
    value is

    .. math:: \log \mathrm{EI}(a) + \sum_j \log \Phi\big((\mu_j(a) - z_j) / s_j(a)\big),

    expected improvement over the best feasible score times the probability of feasibility (Gardner et
    al. 2014); the latter alone while nothing feasible is known. Constraints on screened metrics are not
    in it: candidates keep them already. With several objectives the expected
    improvement is that of the hypervolume (for two in closed form, Emmerich et al. 2011; for more, that
    of a random Chebyshev scalarisation, Knowles 2006). ``ucb`` and ``thompson`` replace the first term.

    The first call of :meth:`value` fixes what is random for all later calls: the weights of the scalarisation,
    and, for ``thompson``, a standard normal number for each architecture, made of its key. Predictions are kept by
    key, so that candidates that were looked at before cost nothing in :meth:`choose`.

    Args:
        make: a new surrogate.
        archs: what was evaluated.
        outcomes: the results.
        screen: metrics that need no surrogate, because they are known for every candidate.
    """

    def __init__(
        self, make: Callable[[], Surrogate], archs: Population, outcomes: Outcomes, screen: Screen | None = None
    ) -> None:
        from gennas.models.surrogate import normal_scores

        m = outcomes.num_objectives
        cheap = () if screen is None else screen.metrics
        modelled = [j for j, (metric, _) in enumerate(outcomes.signs) if j < m or metric not in cheap]
        self.surrogates: list[Surrogate] = []
        for j in modelled:
            metric, sign = outcomes.signs[j]
            known = screen if screen is not None and metric in cheap else None
            surrogate = make() if known is None else _Known(partial(_signed, known, metric, sign))
            surrogate.fit(archs, outcomes.columns[:, j])
            self.surrogates.append(surrogate)
        self._objectives = m
        self._scores = np.stack([normal_scores(column) for column in outcomes.columns[:, :m].T], axis=1)
        self._feasible = outcomes.feasible
        self._bounds = [_bound_score(outcomes.columns[:, j], outcomes.bounds[j - m]) for j in modelled[m:]]
        self._chance: tuple[NDArray[np.uint64], FloatArray] | None = None  # salts of draws, weights of objectives
        self._predicted: dict[str, FloatArray] = {}  # means, then deviations, by key

    @property
    def noise(self) -> float:
        """Variance of the first objective's measurements around its prediction."""
        return self.surrogates[0].noise

    def value(self, archs: Population, kind: Acquisition, rng: np.random.Generator) -> FloatArray:
        """What :meth:`choose` ranks its first choice by, ``(b,)``."""
        salts, weight = self._fixed_chance(rng)
        mean, std = self._predict(archs)
        draw = _normal_of_keys(archs.keys, salts) if kind == "thompson" else np.zeros_like(mean)
        return self._gain(mean, std, draw, weight, kind) + self._log_feasible(mean, std)

    def choose(
        self,
        pool: Population,
        n: int,
        kind: Acquisition,
        rng: np.random.Generator,
        per_proposal: int = PER_PROPOSAL,
    ) -> tuple[NDArray[np.intp], FloatArray, FloatArray]:
        """The ``n`` candidates to evaluate, in order, and mean and deviation of all of the first objective."""
        if self._chance is None:
            draw = rng.standard_normal((self._objectives, len(pool)))
            weight = rng.dirichlet(np.ones(self._objectives))
        else:
            salts, weight = self._chance
            draw = _normal_of_keys(pool.keys, salts)

        def value(mean: FloatArray, std: FloatArray, rows: NDArray[np.intp]) -> FloatArray:
            return self._gain(mean, std, draw[:, rows], weight, kind) + self._log_feasible(mean, std)

        order, mean, std = choose_batch(self.surrogates, pool, n, value, self._predict(pool), per_proposal)
        return order, mean[0], std[0]

    def predicted(self, archs: Population) -> tuple[FloatArray, FloatArray]:
        """Mean and deviation of the first objective, each ``(b,)``."""
        mean, std = self._predict(archs)
        return mean[0], std[0]

    def _fixed_chance(self, rng: np.random.Generator) -> tuple[NDArray[np.uint64], FloatArray]:
        """What is random in this round, drawn when it is first asked for."""
        if self._chance is None:
            salts = rng.integers(2**64, size=(self._objectives, 1), dtype=np.uint64)
            self._chance = salts, rng.dirichlet(np.ones(self._objectives))
        return self._chance

    def _predict(self, archs: Population) -> tuple[FloatArray, FloatArray]:
        """Means and deviations by every surrogate, each ``(m, b)``; only what is new is computed."""
        keys, m = archs.keys, len(self.surrogates)
        new = [i for i, key in enumerate(keys) if key not in self._predicted]
        if new:
            part = archs if len(new) == len(keys) else archs[np.array(new)]
            found = np.concatenate(predict_all(self.surrogates, part))
            self._predicted.update(zip(part.keys, found.T, strict=True))
        both = np.array([self._predicted[key] for key in keys]).reshape(len(keys), 2 * m).T
        return both[:m], both[m:]

    def _gain(
        self, mean: FloatArray, std: FloatArray, draw: FloatArray, weight: FloatArray, kind: Acquisition
    ) -> FloatArray:
        m = self._objectives
        if not self._feasible.any():
            return np.zeros(mean.shape[1])
        front = self._scores[self._feasible, :m]
        if m == 2 and kind == "ei":
            return log_expected_hypervolume_improvement(mean[:m], std[:m], front)
        if kind == "ei":
            mean, std, best = self._scalar(mean[:m], std[:m], front, weight)
            return log_expected_improvement(mean, std, best)
        optimistic = mean[:m] + (_UCB if kind == "ucb" else draw) * std[:m]
        return self._scalar(optimistic, std[:m], front, weight)[0]

    def _scalar(
        self, mean: FloatArray, std: FloatArray, front: FloatArray, weight: FloatArray
    ) -> tuple[FloatArray, FloatArray, float]:
        """Mean, deviation and best of the objective, or of a Chebyshev scalarisation of several."""
        if len(mean) == 1:
            return mean[0], std[0], float(front.max())
        ideal = front.max(0) + 0.1
        part = (weight[:, None] * (mean - ideal[:, None])).argmin(0)
        columns = np.arange(mean.shape[1])
        best = float((weight * (front - ideal)).min(1).max())
        return (weight[:, None] * (mean - ideal[:, None]))[part, columns], weight[part] * std[part, columns], best

    def _log_feasible(self, mean: FloatArray, std: FloatArray) -> FloatArray:
        total = np.zeros(mean.shape[1])
        for i, bound in enumerate(self._bounds, self._objectives):
            spread = np.sqrt(std[i] ** 2 + self.surrogates[i].noise)
            total += log_ndtr((mean[i] - bound) / spread)
        return total


def _normal_of_keys(keys: Sequence[str], salts: NDArray[np.uint64]) -> FloatArray:
    """A standard normal number for every salt ``(m, 1)`` and key, ``(m, b)``, by the finaliser of SplitMix64."""
    z = np.array([int(key, 16) for key in keys], dtype=np.uint64) ^ salts
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    found: FloatArray = ndtri(((z >> np.uint64(11)) + 0.5) / 2.0**53)
    return found


class _Known:
    """A metric that is computed instead of predicted, on the scale of the surrogates.

    Values between measured ones are interpolated, values beyond them extrapolated along the spread.
    """

    noise = 0.0

    def __init__(self, measure: Callable[[Population], FloatArray]) -> None:
        self.measure = measure

    def fit(self, archs: Population, y: FloatArray) -> None:
        from gennas.models.surrogate import normal_scores

        self._y, first = np.unique(y, return_index=True)
        self._scores = normal_scores(y)[first]

    def predict(self, archs: Population) -> tuple[FloatArray, FloatArray]:
        y = self.measure(archs)
        low, high = self._y[0], self._y[-1]
        slope = (self._scores[-1] - self._scores[0]) / max(high - low, 1e-12)
        beyond = slope * (np.maximum(y - high, 0.0) + np.minimum(y - low, 0.0))
        return np.interp(y, self._y, self._scores) + beyond, np.full(len(y), 1e-6)

    def covariance(self, archs: Population) -> FloatArray:
        return 1e-12 * np.eye(len(archs))


def _signed(screen: Screen, metric: str, sign: float, archs: Population) -> FloatArray:
    values: FloatArray = sign * screen.columns(archs)[metric]
    return values


def _bound_score(column: FloatArray, bound: float) -> float:
    """Normal score that a value just at ``bound`` has among ``column``."""
    below = (column < bound).sum()
    return float(ndtri((below + 0.25) / (len(column) + 0.5)))
