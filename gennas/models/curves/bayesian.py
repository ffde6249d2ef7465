"""A network over curve prefixes with a Bayesian last layer, trained on earlier curves.

Sources: Snoek et al., "Scalable Bayesian Optimization Using Deep Neural Networks" (DNGO), ICML 2015, arXiv
1502.05700; Klein et al., "Learning Curve Prediction with Bayesian Neural Networks", ICLR 2017. Klein et al.
make the whole network Bayesian and feed it hyperparameters; here it sees the beginning of the curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import BayesianRidge
from torch import Tensor, nn

from gennas.errors import ConfigError
from gennas.models.curves.base import SCHEDULE_GAIN, FloatArray, check_curves, check_prefix, schedule_deviation

__all__ = ["BayesianLastLayer", "prefix_features"]

_PLACES = 6  # prefix lengths per curve, and horizons per prefix


class BayesianLastLayer:
    r"""Predicts the gain :math:`y_h - y_t` from features of the first ``t`` values and of the horizon ``h``.

    A small network learns features :math:`\phi` by least squares on gains divided by :func:`gain_scale`; its last
    layer is then replaced by Bayesian linear regression, whose noise and prior precision maximise the evidence
    (``sklearn.linear_model.BayesianRidge``). Pairs of one curve are not independent, which makes that too
    sure of itself: deviations are multiplied by the root mean square of the standardised errors on
    held-out *curves* (``folds`` fits more). Schedules are known as far as the earlier curves had the same one and
    reach; beyond the longest of them :func:`~gennas.models.curves.base.schedule_deviation` is added.

    Args:
        width: units of the two hidden layers.
        steps: full-batch steps of Adam.
        folds: parts for the held-out errors.
        seed: of weights and folds.
        schedule_gain: see :func:`~gennas.models.curves.base.schedule_deviation`.

    Example:
        >>> x, rng = np.arange(1, 31), np.random.default_rng(0)
        >>> curves = [c - 0.4 * x**-a for c, a in zip(rng.uniform(0.6, 0.9, 30), rng.uniform(0.3, 1, 30))]
        >>> model = BayesianLastLayer(steps=100)
        >>> model.fit(curves[1:])
        >>> mean, std = model.predict(curves[0][:8], horizon=30)
        >>> bool(abs(mean - curves[0][-1]) < abs(curves[0][7] - curves[0][-1]))
        True
    """

    def __init__(
        self, width: int = 32, steps: int = 100, folds: int = 4, seed: int = 0, schedule_gain: float = SCHEDULE_GAIN
    ) -> None:
        self.width, self.steps, self.folds, self.seed, self.schedule_gain = width, steps, folds, seed, schedule_gain
        self._seen = 0
        self._net: _Network | None = None
        self._scale = 1.0

    def fit(self, curves: Sequence[FloatArray]) -> None:
        """Train on pairs of prefix and horizon of every curve; needs at least one curve per fold."""
        found = [curve for curve in check_curves(curves, at_least=self.folds) if len(curve) > 1]
        if len(found) < self.folds:
            raise ConfigError(f"Expected at least {self.folds} earlier curves of two epochs or more, got {len(found)}.")
        parts = [_pairs(curve) for curve in found]
        fold = np.random.default_rng(self.seed).permutation(len(found)) % self.folds
        errors = []
        for k in range(self.folds):
            net = self._train([p for p, f in zip(parts, fold, strict=True) if f != k])
            for X, y, unit in (p for p, f in zip(parts, fold, strict=True) if f == k):
                mean, std = net(X)
                errors.append((y / unit - mean) / std)
        self._scale = float(np.sqrt(np.mean(np.square(np.concatenate(errors)))))
        self._net, self._seen = self._train(parts), max(map(len, found))

    def predict(self, prefix: FloatArray, horizon: int) -> tuple[float, float]:
        """Mean and standard deviation at ``horizon``.

        Raises:
            ConfigError: called before :meth:`fit`, or the prefix does not fit.
        """
        y = check_prefix(prefix, horizon)
        if self._net is None:
            raise ConfigError("Expected fit() with earlier curves before predict().")
        mean, std = self._net(prefix_features(y, horizon)[None])
        unit = gain_scale(y, horizon)
        beyond = self.schedule_gain * schedule_deviation(y[-1], max(self._seen, len(y)), horizon)
        deviation = float(np.hypot(self._scale * unit * std[0], beyond))
        return float(np.clip(y[-1] + unit * mean[0], 0, 1)), min(0.5, deviation)

    def _train(self, parts: Sequence[tuple[FloatArray, FloatArray, FloatArray]]) -> _Network:
        X, y, unit = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        return _Network.of(X, y / unit, self.width, self.steps, self.seed)


def prefix_features(y: FloatArray, horizon: int) -> FloatArray:
    """Features of a prefix ``y (t,)`` and a horizon, ``(10,)``.

    Values now, on average of late, at best and at first; gains since half and from a quarter to half of the
    epochs; roughness; the logarithms of the epoch, of the horizon and of their ratio.
    """
    t = len(y)
    quarter, half = (float(np.interp(share * t, np.arange(1, t + 1), y)) for share in (0.25, 0.5))
    rough = float(np.abs(np.diff(y, 2)).mean()) if t > 2 else 0.0
    values = [y[-1], y[-3:].mean(), y.max(), y[0], y[-1] - half, half - quarter, rough]
    return np.array([*values, np.log(t), np.log(horizon), np.log(horizon / t)])


def gain_scale(y: FloatArray, horizon: int) -> float:
    """How much a curve may still gain, up to a factor.

    What is left to 1, times the share of epochs to come, over the root of those that passed; plus noise.
    """
    return float(0.01 + 0.5 * (1 - y[-1]) * (1 - len(y) / horizon) / np.sqrt(len(y)))


def _pairs(curve: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Features, gains and their scales of prefixes and horizons spread over the logarithm of the epochs."""
    rows = [(t, h) for t in _spread(1, len(curve) - 1) for h in _spread(t + 1, len(curve))]
    X = np.array([prefix_features(curve[:t], h) for t, h in rows])
    gains = np.array([curve[h - 1] - curve[t - 1] for t, h in rows])
    return X, gains, np.array([gain_scale(curve[:t], h) for t, h in rows])


def _spread(low: int, high: int) -> list[int]:
    places: NDArray[np.float64] = np.geomspace(low, high, _PLACES).round()
    return [int(place) for place in np.unique(places)]


@dataclass(frozen=True, eq=False)
class _Network:
    """A fitted network with its Bayesian last layer."""

    center: FloatArray
    spread: FloatArray
    body: nn.Module
    last: Any

    @classmethod
    def of(cls, X: FloatArray, y: FloatArray, width: int, steps: int, seed: int) -> _Network:
        center, spread = X.mean(0), X.std(0) + 1e-6
        inputs = torch.from_numpy((X - center) / spread).float()
        target = torch.from_numpy((y - y.mean()) / (y.std() + 1e-6)).float()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            body = nn.Sequential(nn.Linear(X.shape[1], width), nn.Tanh(), nn.Linear(width, width), nn.Tanh())
            head = nn.Linear(width, 1)
        optimizer = torch.optim.AdamW([*body.parameters(), *head.parameters()], lr=1e-2, weight_decay=1e-2)
        for _ in range(steps):
            loss = (head(body(inputs))[:, 0] - target).square().mean()
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
        return cls(center, spread, body, BayesianRidge().fit(_apply(body, inputs), y))

    def __call__(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of the target, ``(b,)`` each."""
        inputs = torch.from_numpy((X - self.center) / self.spread).float()
        mean, std = self.last.predict(_apply(self.body, inputs), return_std=True)
        return mean, std


def _apply(body: nn.Module, inputs: Tensor) -> FloatArray:
    with torch.no_grad():
        features: FloatArray = body(inputs).double().numpy()
    return features
