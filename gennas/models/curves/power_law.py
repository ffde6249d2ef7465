"""An ensemble of parametric learning curves.

Source: Domhan, Springenberg and Hutter, "Speeding Up Automatic Hyperparameter Optimization of Deep Neural
Networks by Extrapolation of Learning Curves", IJCAI 2015, table 1. They sample parameters and weights by
MCMC; here each family is fitted by regularised least squares with several starts, its uncertainty comes from
the curvature (Laplace), and the weights from the evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares, minimize_scalar
from scipy.special import expit, logit

from gennas.models.curves.base import SCHEDULE_GAIN, FloatArray, check_curves, check_prefix, schedule_deviation

__all__ = ["FAMILIES", "Family", "PowerLawEnsemble"]


@dataclass(frozen=True)
class Family:
    """A family of curves in unbounded parameters.

    Args:
        name: as in the paper.
        curve: ``(x (T,), theta (p,)) -> y (T,)``. By convention ``theta[0]`` is the logit of the asymptote.
        prior: mean and standard deviation of the other parameters, which are Gaussian a priori.
    """

    name: str
    curve: Callable[[FloatArray, FloatArray], FloatArray]
    prior: tuple[tuple[float, float], ...]


def _pow3(x: FloatArray, t: FloatArray) -> FloatArray:
    return np.asarray(expit(t[0]) - np.exp(t[1]) * x ** -np.exp(t[2]))


def _pow4(x: FloatArray, t: FloatArray) -> FloatArray:
    return np.asarray(expit(t[0]) - (np.exp(t[1]) * x + np.exp(t[3])) ** -np.exp(t[2]))


def _log_power(x: FloatArray, t: FloatArray) -> FloatArray:
    return np.asarray(expit(t[0]) / (1 + (x * np.exp(-t[1])) ** -np.exp(t[2])))


def _exp3(x: FloatArray, t: FloatArray) -> FloatArray:
    return np.asarray(expit(t[0]) - np.exp(t[1] - np.exp(t[2]) * x))


def _exp4(x: FloatArray, t: FloatArray) -> FloatArray:
    return np.asarray(expit(t[0]) - np.exp(t[1] - np.exp(t[2]) * x ** np.exp(t[3])))


def _ilog2(x: FloatArray, t: FloatArray) -> FloatArray:
    return np.asarray(expit(t[0]) - np.exp(t[1]) / np.log(x + 1))


def _janoschek(x: FloatArray, t: FloatArray) -> FloatArray:
    top = expit(t[0])
    return np.asarray(top - (top - expit(t[1])) * np.exp(-np.exp(t[2]) * x ** np.exp(t[3])))


def _mmf(x: FloatArray, t: FloatArray) -> FloatArray:
    top = expit(t[0])
    return np.asarray(top - (top - expit(t[1])) / (1 + (np.exp(t[2]) * x) ** np.exp(t[3])))


FAMILIES = (
    Family("pow3", _pow3, ((-0.7, 1.0), (-0.3, 0.7))),
    Family("pow4", _pow4, ((0.7, 1.0), (-0.3, 0.7), (0.0, 1.0))),
    Family("log-power", _log_power, ((0.0, 1.5), (0.0, 0.7))),
    Family("exp3", _exp3, ((-0.7, 1.0), (-1.5, 1.0))),
    Family("exp4", _exp4, ((0.0, 1.0), (-0.5, 1.0), (-0.5, 0.5))),
    Family("ilog2", _ilog2, ((-1.2, 1.0),)),
    Family("janoschek", _janoschek, ((-1.5, 1.5), (-1.0, 1.0), (-0.3, 0.5))),
    Family("mmf", _mmf, ((-1.5, 1.5), (-0.7, 1.0), (0.0, 0.5))),
)
"""Those of the paper, less Weibull (Janoschek in other parameters), Hill (MMF from 0), vapour pressure and log log
linear, which have no asymptote within [0, 1]."""

_ASYMPTOTE_SD = 1.5  # of the asymptote's logit around its start
_STARTS = (0.3, 0.7)  # asymptotes to start from: shares of the way from the best value seen to 1


class PowerLawEnsemble:
    r"""A mixture of fitted families; mean and deviation of the mixture at a later epoch.

    Family :math:`k` with parameters :math:`\theta` minimises

    .. math:: \sum_t (y_t - f_k(t, \theta))^2 / \sigma^2 + \sum_i (\theta_i - m_{ki})^2 / s_{ki}^2,

    with the noise :math:`\sigma^2 = (r + 4 \sigma_0^2) / (\max(T - 3, 0) + 4)`, where :math:`r` are the squared
    residuals of the best family in a first fit with :math:`\sigma_0`. A family's variance at the horizon is
    :math:`g^\top H^{-1} g + \sigma^2` with the Gauss-Newton curvature :math:`H` and the gradient :math:`g` of
    :math:`f_k`; its weight is proportional to the evidence
    :math:`e^{-\text{minimum} / 2} (\prod_i s_{ki}^2 \det H)^{-1/2}`.

    No family knows of a schedule. The mixture's variance therefore has a term :math:`\tau^2 d(t, h)^2` with
    :math:`d` of :func:`~gennas.models.curves.base.schedule_deviation`; :meth:`fit` learns :math:`\tau` from earlier
    curves, as far as these go.

    Args:
        families: out of :data:`FAMILIES`.
        noise: prior guess :math:`\sigma_0` of the standard deviation of a measured value, worth four values.
        schedule_gain: :math:`\tau` without earlier curves; 0: the learning rate is constant to the horizon.

    Example:
        >>> y = 0.9 - 0.5 * np.arange(1, 11) ** -0.7
        >>> mean, std = PowerLawEnsemble().predict(y, horizon=50)
        >>> abs(mean - (0.9 - 0.5 * 50 ** -0.7)) < 0.02
        True
        >>> std > 4 * PowerLawEnsemble(schedule_gain=0).predict(y, horizon=50)[1]
        True
    """

    def __init__(
        self, families: Sequence[Family] = FAMILIES, noise: float = 0.01, schedule_gain: float = SCHEDULE_GAIN
    ) -> None:
        self.families, self.noise, self.schedule_gain = tuple(families), noise, schedule_gain
        self.scale, self.gain, self._seen = 1.0, schedule_gain, 0

    def fit(self, curves: Sequence[FloatArray]) -> None:
        """Learn from earlier curves how far schedules led, and the scale of the deviations.

        Each is extrapolated from a quarter and from half of its length to its end. The gain is the most probable one
        by these errors, a priori ``schedule_gain`` by as much as two errors would say; the scale is the root mean
        square of the errors standardised with it, drawn towards 1 by as much as ten errors would.
        """
        found = check_curves(curves, at_least=1)
        cases = [(c, t) for c in found for t in {len(c) // 4, len(c) // 2} - {0, len(c)}]
        predictions = [self._extrapolate(c[:t], len(c)) for c, t in cases]
        errors = np.array([c[-1] - mean for (c, _), (mean, _) in zip(cases, predictions, strict=True)])
        variances = np.array([variance for _, variance in predictions])
        reach = np.array([schedule_deviation(c[t - 1], t, len(c)) for c, t in cases])
        self._seen = max(map(len, found))
        self.gain = _likely_gain(errors, variances, reach, self.schedule_gain)
        squares = errors**2 / (variances + (self.gain * reach) ** 2)
        self.scale = float(np.sqrt((squares.sum() + 10) / (len(errors) + 10)))

    def predict(self, prefix: FloatArray, horizon: int) -> tuple[float, float]:
        """Mean and standard deviation at ``horizon``, both kept within what an accuracy can be."""
        y = check_prefix(prefix, horizon)
        mean, variance = self._extrapolate(y, horizon)
        seen = min(max(self._seen, len(y)), horizon)
        learned = self.gain * schedule_deviation(y[-1], len(y), seen)
        beyond = self.schedule_gain * schedule_deviation(y[-1], seen, horizon)
        return mean, min(0.5, float(np.hypot(self.scale * np.sqrt(variance + learned**2), beyond)))

    def _extrapolate(self, y: FloatArray, horizon: int) -> tuple[float, float]:
        """Mean and variance of the mixture, noise included, if no schedule interferes."""
        first = [_Fit.of(family, y, self.noise) for family in self.families]
        noise = self._noise(len(y), min(fit.squares for fit in first))
        fits = [_Fit.of(fit.family, y, noise, fit.theta) for fit in first]
        evidence = np.array([fit.log_evidence for fit in fits])
        weights = np.exp(evidence - evidence.max())
        weights /= weights.sum()
        means, variances = np.array([fit.at(float(horizon)) for fit in fits]).T
        variance = float(weights @ (variances + (means - weights @ means) ** 2)) + noise**2
        return float(np.clip(weights @ means, 0, 1)), variance

    def _noise(self, n: int, squares: float) -> float:
        """Noise after a fit of ``n`` values: about three of them went into the parameters."""
        return float(np.sqrt((squares + 4 * self.noise**2) / (max(n - 3, 0) + 4)))


def _likely_gain(errors: FloatArray, variances: FloatArray, reach: FloatArray, prior: float) -> float:
    r"""The most probable :math:`\tau` of errors :math:`e_i` with variance :math:`v_i + \tau^2 d_i^2`.

    :math:`\tau^2` is a priori inverse-chi-squared, with two degrees of freedom, around ``prior`` squared.
    """
    if not prior or not len(errors):
        return prior

    def cost(log_gain: float) -> float:
        square = np.exp(2 * log_gain)
        total = variances + square * reach**2
        return float((np.log(total) + errors**2 / total).sum() + 2 * (2 * log_gain + prior**2 / square))

    return float(np.exp(minimize_scalar(cost, bounds=(np.log(1e-3 * prior), np.log(3.0)), method="bounded").x))


@dataclass(frozen=True, eq=False)
class _Fit:
    """A family at its most probable parameters."""

    family: Family
    theta: FloatArray
    covariance: FloatArray
    squares: float
    log_evidence: float

    @classmethod
    def of(cls, family: Family, y: FloatArray, noise: float, start: FloatArray | None = None) -> _Fit:
        x, best = np.arange(1.0, len(y) + 1), float(np.clip(y.max(), 0.01, 0.99))
        prior = np.array([(float(logit(best + 0.3 * (1 - best))), _ASYMPTOTE_SD), *family.prior])
        mean, sd = prior.T

        def misfit(theta: FloatArray) -> FloatArray:
            with np.errstate(over="ignore", invalid="ignore"):
                r = (family.curve(x, theta) - y) / noise
            return np.concatenate([np.nan_to_num(np.clip(r, -1e6, 1e6), nan=1e6), (theta - mean) / sd])

        starts = [np.r_[logit(best + share * (1 - best)), mean[1:]] for share in _STARTS] if start is None else [start]
        solutions = [least_squares(misfit, theta, method="lm", max_nfev=300) for theta in starts]
        solved = min(solutions, key=lambda s: float(s.cost))
        J = np.asarray(solved.jac)  # (T + p, p)
        curvature = J.T @ J
        squares = float(np.sum((solved.fun[: len(y)] * noise) ** 2))
        log_evidence = -float(solved.cost) - 0.5 * float(np.linalg.slogdet(curvature * np.outer(sd, sd))[1])
        return cls(family, solved.x, np.linalg.inv(curvature), squares, log_evidence)

    def at(self, x: float) -> tuple[float, float]:
        """Value and its variance, without noise."""
        point, steps = np.array([x]), 1e-4 * np.eye(len(self.theta))
        value = float(self.family.curve(point, self.theta)[0])
        up, down = (np.array([self.family.curve(point, self.theta + s * e)[0] for e in steps]) for s in (1, -1))
        gradient = (up - down) / 2e-4
        return value, float(gradient @ self.covariance @ gradient)
