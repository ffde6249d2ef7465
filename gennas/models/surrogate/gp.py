"""Gaussian-process regression with one kernel for each group of features, exact up to a number of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize

from gennas.errors import ConfigError
from gennas.graph import GraphSchema, Population
from gennas.models.base import FloatArray
from gennas.models.surrogate.base import Features, graph_statistics, live_one_hot, live_subtrees, normal_scores
from gennas.models.surrogate.representatives import representatives

__all__ = ["DEFAULT_GROUPS", "SUBTREE_GROUPS", "GPSurrogate", "Group", "kernel_groups"]

_JITTER = 1e-6
_GROWTH = 1.25  # of the labels, between two fits of the hyper-parameters of a capped process
_NOISE = 0.1  # prior median of the noise's variance, of normal scores


@dataclass(frozen=True)
class Group:
    """Features that share one kernel.

    Args:
        features: columns of a population, ``(b, f)``.
        scale: divide every ``column`` by its own spread, or all by one ``common`` spread, which keeps
            distances between indicators (one-hot labels, bags of hashes) as they are.
        kernel: of the group's distances; ``exponential`` is for functions that are rough.
        weight: part of the prior variance, in proportion to the weights of all groups.
    """

    features: Features
    scale: Literal["column", "common"] = "column"
    kernel: Literal["gaussian", "exponential"] = "gaussian"
    weight: float = 1.0


DEFAULT_GROUPS = (Group(live_one_hot, "common"), Group(graph_statistics))
SUBTREE_GROUPS = (Group(live_subtrees, "common", "exponential"), Group(graph_statistics))


def kernel_groups(schema: GraphSchema) -> tuple[tuple[Group, ...], ...]:
    """The groups of each Gaussian process that suits a schema: on decisions, and on labelled neighbourhoods.

    Without free edges a slot's neighbours are the same in every architecture: neighbourhoods then say less than the
    decisions do, for ten times the seconds, and are left out.
    """
    return (DEFAULT_GROUPS, SUBTREE_GROUPS) if schema.has_free_edges else (DEFAULT_GROUPS,)


class GPSurrogate:
    r"""A Gaussian process on the ranks of what was measured.

    .. math:: k(a, b) = \sum_g c_g \exp\Big(-\frac{\lVert \phi_g(a) - \phi_g(b) \rVert^2}{2 \ell_g^2}\Big)
              + \sigma^2 [a = b]

    over groups ``g`` of features, scaled so that a group's mean squared distance :math:`\delta` is 2; on
    one-hot decisions this is the exponential of the Hamming distance. A group with the ``exponential``
    kernel has :math:`\sqrt{2 \delta}` in place of :math:`\delta`, which is the same there. The ``c``,
    the length scales and the noise maximise the marginal likelihood times log-normal priors (medians: a group's
    share of the weights, 1 and 0.1; log-spreads: 0.6, 0.4 and 0.7), which keeps fits to a handful of labels
    sane. The predicted standard deviation is that of the noise-free value.

    Up to ``cap`` labels the process is exact, and a fit takes time with their cube: tens of milliseconds for 100,
    a fifth of a second for 400. Of more labels it is conditioned on ``cap``
    (:func:`~gennas.models.surrogate.representatives.representatives`), with the normal scores that these have among
    *all*, and the cost no longer grows. A capped process that recalls what one before it learned (:meth:`recall`)
    takes over its hyper-parameters until the labels have grown by a quarter, and then starts from them.

    Args:
        groups: groups of features; a bare function stands for a :class:`Group` scaled by column.
        iterations: most steps of the optimiser (L-BFGS).
        cap: most labels that are conditioned on; None: all.

    Raises:
        ConfigError: a cap below 4.

    Example:
        >>> from gennas.spaces.nasbench201.space import NASBench201
        >>> archs = NASBench201().sample(60, np.random.default_rng(0))
        >>> surrogate = GPSurrogate()
        >>> surrogate.fit(archs[:50], (archs.decisions[:50] == 3).sum(1).astype(float))
        >>> mean, std = surrogate.predict(archs[50:])
        >>> mean.shape, std.shape
        ((10,), (10,))
    """

    def __init__(
        self, groups: Sequence[Group | Features] = DEFAULT_GROUPS, iterations: int = 30, cap: int | None = 400
    ) -> None:
        if cap is not None and cap < 4:
            raise ConfigError(f"Expected a Gaussian process on at least 4 labels, got cap={cap}.")
        self.groups = tuple(g if isinstance(g, Group) else Group(g) for g in groups)
        self.iterations, self.cap = iterations, cap
        self.noise = _NOISE
        self.evidence = -np.inf
        self._theta: FloatArray | None = None
        self._learned_at = 0  # labels when the hyper-parameters were fitted
        self._recalled: tuple[int, FloatArray] | None = None

    def fit(self, archs: Population, y: FloatArray) -> None:
        """Fit the hyper-parameters and condition on ``y (b,)``, higher is better, in the order of measurement."""
        scores = normal_scores(y)
        b = len(archs)
        if len(scores) != b:
            raise ConfigError(f"Expected one value for each of {b} architectures, got {len(scores)}.")
        self._offset = float(scores.mean())
        if self.cap is not None and b > self.cap:
            rows = representatives(archs, scores, self.cap)
            archs, scores = archs[rows], scores[rows]
        self._condition(archs, scores - self._offset, b)

    def _condition(self, archs: Population, residual: FloatArray, labels: int) -> None:
        """Condition on architectures with their deviations ``(b,)``, which stand for ``labels``."""
        raw = [g.features(archs) for g in self.groups]
        self._centre = [f.mean(0) for f in raw]
        self._scale = [_scale(f, g.scale) for f, g in zip(raw, self.groups, strict=True)]
        self._train = self._standardise(raw)
        self._learn(residual, labels)
        self.noise = float(np.exp(self._fitted[-1]))
        K = self._kernel(self._train, self._train) + (self.noise + _JITTER) * np.eye(len(archs))
        self._chol = cholesky(K, lower=True, check_finite=False)
        self._alpha = cho_solve((self._chol, True), residual, check_finite=False)

    def _learn(self, residual: FloatArray, labels: int) -> None:
        """Fit the hyper-parameters, or take over recalled ones where these are recent enough."""
        start = None
        if self.cap is not None and labels > self.cap and self._recalled is not None:
            at, start = self._recalled
            if at <= labels < _GROWTH * at:
                self._learned_at, self._theta = at, start
                return
        distances = self._distances(self._train, self._train)
        weights = np.array([g.weight for g in self.groups])
        shares = weights / weights.sum()
        self._theta, self.evidence = _most_probable(distances, residual, self.iterations, shares, start)
        self._learned_at = labels

    @property
    def learned(self) -> dict[str, Any]:
        """What :meth:`recall` of a later one takes: logarithms of the hyper-parameters, and of how many labels."""
        return {} if self._theta is None else {"labels": self._learned_at, "theta": self._theta}

    def recall(self, learned: Mapping[str, Any]) -> None:
        """Begin from what one with the same groups had :attr:`learned`; from another's nothing is taken."""
        if len(learned.get("theta", ())) == 2 * len(self.groups) + 1:
            self._recalled = int(learned["labels"]), np.array(learned["theta"], dtype=np.float64)

    def predict(self, archs: Population) -> tuple[FloatArray, FloatArray]:
        """Posterior mean and standard deviation of the noise-free normal score, each ``(b,)``."""
        amplitudes = self._amplitudes
        k = self._kernel(self._columns(archs), self._train)
        explained = solve_triangular(self._chol, k.T, lower=True, check_finite=False)
        variance = amplitudes.sum() - (explained**2).sum(0)
        return k @ self._alpha + self._offset, np.sqrt(np.maximum(variance, _JITTER))

    def covariance(self, archs: Population) -> FloatArray:
        """Posterior covariance of the noise-free normal scores, ``(b, b)``."""
        columns = self._columns(archs)
        explained = solve_triangular(self._chol, self._kernel(columns, self._train).T, lower=True, check_finite=False)
        joint: FloatArray = self._kernel(columns, columns) - explained.T @ explained
        return joint

    @property
    def hyperparameters(self) -> dict[str, float]:
        """Fitted ``amplitude.i`` and ``length.i`` of every group, in order, and ``noise``."""
        values = np.exp(self._fitted).tolist()
        count = len(self.groups)
        names = [f"{name}.{i}" for name in ("amplitude", "length") for i in range(count)]
        return dict(zip([*names, "noise"], values, strict=True))

    @property
    def _fitted(self) -> FloatArray:
        if self._theta is None:
            raise ConfigError("Expected a fitted surrogate; call fit first.")
        return self._theta

    @property
    def _amplitudes(self) -> FloatArray:
        amplitudes: FloatArray = np.exp(self._fitted[: len(self.groups)])
        return amplitudes

    def _columns(self, archs: Population) -> list[FloatArray]:
        return self._standardise([g.features(archs) for g in self.groups])

    def _standardise(self, raw: Sequence[FloatArray]) -> list[FloatArray]:
        return [(f - c) / s for f, c, s in zip(raw, self._centre, self._scale, strict=True)]

    def _kernel(self, a: Sequence[FloatArray], b: Sequence[FloatArray]) -> FloatArray:
        lengths = np.exp(self._fitted[len(self.groups) : -1])
        terms = zip(self._amplitudes, lengths, self._distances(a, b), strict=True)
        total: FloatArray = sum(
            (c * np.exp(-0.5 / length**2 * d) for c, length, d in terms), start=np.zeros((len(a[0]), len(b[0])))
        )
        return total

    def _distances(self, a: Sequence[FloatArray], b: Sequence[FloatArray]) -> list[FloatArray]:
        terms = zip(self.groups, a, b, strict=True)
        return [
            _squared_distances(u, v) if g.kernel == "gaussian" else np.sqrt(2 * _squared_distances(u, v))
            for g, u, v in terms
        ]


def _scale(columns: FloatArray, scale: Literal["column", "common"]) -> FloatArray:
    """What to divide the columns by so that the sum of their variances is 1; a constant column vanishes."""
    spread = columns.std(0)
    if scale == "common":
        return np.full(len(spread), np.sqrt(max(float((spread**2).sum()), 1e-12)))
    varies = spread > 1e-12
    own: FloatArray = np.where(varies, spread, np.inf) * np.sqrt(max(1, int(varies.sum())))
    return own


def _squared_distances(a: FloatArray, b: FloatArray) -> FloatArray:
    distances: FloatArray = np.maximum((a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T, 0.0)
    return distances


def _most_probable(
    distances: Sequence[FloatArray],
    y: FloatArray,
    iterations: int,
    shares: FloatArray,
    start: FloatArray | None = None,
) -> tuple[FloatArray, float]:
    """Log amplitudes, log lengths and log noise ``(2 groups + 1,)`` of the greatest posterior, and its logarithm."""
    groups = len(distances)
    centre = np.concatenate([np.log(shares), np.zeros(groups), [np.log(_NOISE)]])
    spread = np.concatenate([np.full(groups, 0.6), np.full(groups, 0.4), [0.7]])

    def loss(theta: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = _negative_log_likelihood(theta, distances, y)
        deviation = (theta - centre) / spread
        return value + 0.5 * float(deviation @ deviation), gradient + deviation / spread

    bounds = [(-7.0, 4.0)] * (2 * groups) + [(-9.0, 0.0)]
    start = centre if start is None else start
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": iterations})
    theta: FloatArray = found.x
    return theta, -float(found.fun)


def _negative_log_likelihood(
    theta: FloatArray, distances: Sequence[FloatArray], y: FloatArray
) -> tuple[float, FloatArray]:
    """Minus the log marginal likelihood (up to a constant) and its gradient."""
    groups = len(distances)
    scaled = [d * np.exp(-2 * t) for d, t in zip(distances, theta[groups:-1], strict=True)]
    kernels = [np.exp(t - 0.5 * s) for t, s in zip(theta[:groups], scaled, strict=True)]
    K = np.sum(kernels, axis=0)
    K[np.diag_indices_from(K)] += np.exp(theta[-1]) + _JITTER
    chol = cholesky(K, lower=True, check_finite=False)
    alpha = cho_solve((chol, True), y, check_finite=False)
    lower = np.tril(dpotri(chol, lower=1)[0])
    weight = lower + np.tril(lower, -1).T - np.outer(alpha, alpha)  # dL/dK = weight / 2
    gradient = [np.vdot(weight, k) for k in kernels]
    gradient += [np.vdot(weight, k * s) for k, s in zip(kernels, scaled, strict=True)]
    gradient.append(np.exp(theta[-1]) * np.trace(weight))
    return float(0.5 * y @ alpha + np.log(np.diag(chol)).sum()), 0.5 * np.array(gradient)
