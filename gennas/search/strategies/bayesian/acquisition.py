"""Which of a pool to evaluate next: acquisition functions and batches without repetition of effort."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr

from gennas.graph import Population

if TYPE_CHECKING:
    from gennas.models.surrogate import Surrogate

__all__ = [
    "ACQUISITIONS",
    "Acquisition",
    "choose_batch",
    "log_expected_hypervolume_improvement",
    "log_expected_improvement",
    "predict_all",
]

FloatArray = NDArray[np.float64]
Acquisition = Literal["ei", "ucb", "thompson"]
Value = Callable[[FloatArray, FloatArray, NDArray[np.intp]], FloatArray]
ACQUISITIONS: tuple[Acquisition, ...] = ("ei", "ucb", "thompson")

_SHORTLIST = 200  # candidates whose joint covariance is worth computing
PER_PROPOSAL = 4  # and as many for each proposal, where that is more


def log_expected_improvement(mean: FloatArray, std: FloatArray, best: float | FloatArray) -> FloatArray:
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


def log_expected_hypervolume_improvement(mean: FloatArray, std: FloatArray, found: FloatArray) -> FloatArray:
    r"""Logarithm of the expected growth of the hypervolume of two objectives, ``(b,)``.

    Above the worst of ``found`` in each objective the plane is cut into strips at the front's points,
    :math:`x_0 < \dots < x_k`, with the front's heights :math:`h_i`. Independent normal predictions give

    .. math:: \sum_i \big(\psi_1(x_{i-1}) - \psi_1(x_i)\big) \, \psi_2(h_i), \quad
              \psi(a) = \mathbb{E}[(y - a)^+],

    (Emmerich et al. 2011, "Hypervolume-based expected improvement"). Shapes: ``mean (2, b)``,
    ``std (2, b)``, ``found (k, 2)``, more is better.
    """
    worst = found.min(0) - 1e-3
    points = found[np.lexsort((-found[:, 1], -found[:, 0]))]
    height = np.maximum.accumulate(points[:, 1])
    front = points[np.concatenate([[True], points[1:, 1] > height[:-1]])][::-1]
    left = np.concatenate([[worst[0]], front[:, 0]])[:, None]
    h = np.concatenate([front[:, 1], [worst[1]]])[:, None]
    std = np.maximum(std, 1e-6)
    inside = np.exp(log_expected_improvement(mean[0], std[0], left))
    strips = inside - np.concatenate([inside[1:], np.zeros((1, mean.shape[1]))])
    gain = (strips * np.exp(log_expected_improvement(mean[1], std[1], h))).sum(0)
    value: FloatArray = np.log(np.maximum(gain, 1e-300))
    return value


def predict_all(surrogates: Sequence[Surrogate], pool: Population) -> tuple[FloatArray, FloatArray]:
    """Means and standard deviations (at least 1e-6) by each of ``m`` surrogates, each ``(m, b)``."""
    predicted = [surrogate.predict(pool) for surrogate in surrogates]
    return np.stack([m for m, _ in predicted]), np.maximum(np.stack([s for _, s in predicted]), 1e-6)


def choose_batch(
    surrogates: Sequence[Surrogate],
    pool: Population,
    n: int,
    value: Value,
    predicted: tuple[FloatArray, FloatArray] | None = None,
    per_proposal: int = PER_PROPOSAL,
) -> tuple[NDArray[np.intp], FloatArray, FloatArray]:
    """The ``n`` candidates to evaluate, in order, and the predicted means and deviations of all, ``(m, b)``.

    One after the other: after each choice the surrogates believe their own predictions there (kriging
    believer, Ginsbourger et al. 2010), which lowers the deviation of what is alike and spreads the
    batch. They are taken from the best 200 candidates, or the best ``per_proposal * n`` where these are more.
    Where a surrogate has no joint covariance, the first ``n`` are taken.

    Args:
        surrogates: ``m`` fitted ones.
        pool: candidates, different ones.
        n: how many.
        value: of candidates, from means ``(m, k)``, deviations ``(m, k)`` and their rows in the pool ``(k,)``.
        predicted: means and deviations of all, where they were computed before.
        per_proposal: candidates of the shortlist for each proposal.
    """
    from gennas.models.surrogate import JointSurrogate

    mean, std = predict_all(surrogates, pool) if predicted is None else predicted
    order = np.argsort(-value(mean, std, np.arange(len(pool))), kind="stable")
    joint = [surrogate for surrogate in surrogates if isinstance(surrogate, JointSurrogate)]
    if n == 1 or len(joint) < len(surrogates):
        return order[:n], mean, std
    few = order[: max(_SHORTLIST, n, per_proposal * n)]
    noise = np.array([surrogate.noise for surrogate in joint])
    covariance = np.stack([surrogate.covariance(pool[few]) for surrogate in joint])  # (m, k, k)
    left, chosen = np.ones(len(few), dtype=bool), []
    for _ in range(min(n, len(few))):
        variance = np.diagonal(covariance, axis1=1, axis2=2)
        values = value(mean[:, few], np.sqrt(np.maximum(variance, 1e-12)), few)
        i = int(np.where(left, values, -np.inf).argmax())
        left[i] = False
        chosen.append(i)
        column = covariance[:, :, i]
        known = (column[:, i] + noise + 1e-9)[:, None, None]
        covariance = covariance - column[:, :, None] * column[:, None, :] / known
    return few[chosen], mean, std
