"""Which of a pool to evaluate next: acquisition functions and batches without repetition of effort."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr

from gennas.errors import ConfigError
from gennas.graph import Population

if TYPE_CHECKING:
    from gennas.models.surrogate import Surrogate

__all__ = ["ACQUISITIONS", "Acquisition", "choose_batch", "log_expected_improvement"]

FloatArray = NDArray[np.float64]
Acquisition = Literal["ei", "ucb", "thompson"]
ACQUISITIONS: tuple[Acquisition, ...] = ("ei", "ucb", "thompson")

_SHORTLIST = 200  # candidates whose joint covariance is worth computing
_UCB = 2.0


@runtime_checkable
class _Joint(Protocol):
    """A surrogate that knows how its predictions vary together."""

    noise: float

    def covariance(self, archs: Population) -> FloatArray: ...


def log_expected_improvement(mean: FloatArray, std: FloatArray, best: float) -> FloatArray:
    r"""Logarithm of the expected improvement over ``best``, ``(b,)``.

    .. math:: \log \sigma \, \big(\varphi(z) + z \, \Phi(z)\big), \quad z = (\mu - best) / \sigma

    computed without underflow for candidates that are almost surely worse, so that these still have an
    order (Jones et al. 1998; Ament et al. 2023, arXiv 2310.20708).

    Example:
        >>> float(np.exp(log_expected_improvement(np.zeros(1), np.ones(1), 0.0))[0].round(4))
        0.3989
    """
    z = (mean - best) / std
    log_density = -0.5 * (z**2 + np.log(2 * np.pi))
    near = np.log(np.maximum(np.exp(log_density) + z * ndtr(z), 1e-300))
    # 1 + z Phi / phi by its ratio for moderate z, and by its expansion 1 / z^2 where that cancels.
    far = np.minimum(z, -5.0)
    ratio = np.where(far > -100, 1 + far * np.exp(log_ndtr(far) + 0.5 * (far**2 + np.log(2 * np.pi))), 0.0)
    tail = log_density + np.log(np.where(ratio > 1e-7, ratio, 1 / far**2))
    value: FloatArray = np.log(std) + np.where(z > -5, near, tail)
    return value


def choose_batch(
    surrogate: Surrogate,
    pool: Population,
    best: float,
    n: int,
    kind: Acquisition,
    rng: np.random.Generator,
) -> tuple[NDArray[np.intp], FloatArray, FloatArray]:
    """The ``n`` candidates to evaluate, in order, and the predicted mean and deviation of all.

    One after the other: after each choice the surrogate believes its own prediction there (kriging
    believer, Ginsbourger et al. 2010), which lowers the deviation of what is alike and spreads the
    batch. Surrogates without a joint covariance give the first ``n``.

    Args:
        surrogate: fitted.
        pool: candidates, different ones.
        best: normal score of the best architecture so far.
        n: how many.
        kind: ``ei`` (expected improvement), ``ucb`` (mean plus two deviations), ``thompson`` (one
            independent draw for each candidate).
        rng: for ``thompson``.

    Raises:
        ConfigError: an unknown kind.
    """
    if kind not in ACQUISITIONS:
        raise ConfigError(f"Expected acquisition {', '.join(ACQUISITIONS)}, got {kind!r}.")
    mean, std = surrogate.predict(pool)
    draw = rng.standard_normal(len(pool)) if kind == "thompson" else np.zeros(len(pool))

    def score(mean: FloatArray, std: FloatArray, draw: FloatArray) -> FloatArray:
        std = np.maximum(std, 1e-6)
        if kind == "ei":
            return log_expected_improvement(mean, std, best)
        return mean + _UCB * std if kind == "ucb" else mean + draw * std

    order = np.argsort(-score(mean, std, draw), kind="stable")
    if n == 1 or not isinstance(surrogate, _Joint):
        return order[:n], mean, std
    few = order[: max(_SHORTLIST, n)]
    covariance, left, chosen = surrogate.covariance(pool[few]), np.ones(len(few), dtype=bool), []
    for _ in range(min(n, len(few))):
        values = score(mean[few], np.sqrt(np.maximum(np.diag(covariance), 0.0)), draw[few])
        i = int(np.where(left, values, -np.inf).argmax())
        left[i] = False
        chosen.append(i)
        column = covariance[:, i]
        covariance = covariance - np.outer(column, column) / (column[i] + surrogate.noise + 1e-9)
    return few[chosen], mean, std
