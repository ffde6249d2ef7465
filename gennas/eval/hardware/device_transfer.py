"""Latency on a new device from a few labels, with the help of predictors for other devices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from gennas.errors import ConfigError
from gennas.eval.hardware.predictors import CostPredictor, FloatArray, LookupPredictor, operation_counts, stack_values
from gennas.graph import Population

__all__ = ["TransferPredictor"]

Model = Callable[[Population, FloatArray], FloatArray]


class TransferPredictor(CostPredictor):
    """Chooses between a table of operations and a ridge regression on other devices, by leave-one-out.

    Candidates, both fitted to the few labels of the new device:

    1. ``table``: a :class:`~gennas.eval.hardware.predictors.LookupPredictor` per operation, which needs no
       other device;
    2. ``ridge``: linear in the predictions for the source devices and in the operations' counts, each
       standardised, with the penalty that generalised cross-validation likes best.

    The one with the smaller median relative error on labels that were left out is kept; their root mean
    square is the relative standard deviation. Using predictions for measured devices as features follows
    the proxy devices of Lu et al. 2021 (arXiv 2111.01203); the choice by leave-one-out is ours.

    Args:
        sources: fitted predictors for the same architectures on other devices.
        candidates: which of the two to choose from.

    Attributes:
        chosen: ``table`` or ``ridge``, after :meth:`fit`.

    Raises:
        ConfigError: no source, one that is not fitted, or no such candidate.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> archs = NASBench201().sample(200, np.random.default_rng(0))
        >>> convolutions = (archs.decisions >= 2).sum(1) + (archs.decisions[:, 0] == 3)
        >>> source = LookupPredictor()
        >>> source.fit(archs[:100], 1.0 + convolutions[:100])
        >>> transfer = TransferPredictor([source])
        >>> transfer.fit(archs[100:112], 3.0 + 2.0 * convolutions[100:112])
        >>> error = transfer.predict(archs)[0] / (3.0 + 2.0 * convolutions) - 1
        >>> transfer.chosen, bool(np.median(np.abs(error)) < 0.05)
        ('ridge', True)
    """

    kind = "transfer"

    def __init__(
        self, sources: Sequence[CostPredictor], candidates: Sequence[Literal["table", "ridge"]] = ("table", "ridge")
    ) -> None:
        if not sources or any(source.archs is None for source in sources):
            raise ConfigError(f"Expected fitted predictors of other devices, got {len(sources)} predictors.")
        if not candidates or not set(candidates) <= set(_CANDIDATES):
            raise ConfigError(f"Expected candidates among {', '.join(_CANDIDATES)}, got {list(candidates)}.")
        self.sources, self.settings = tuple(sources), {"candidates": list(candidates)}
        self.chosen = ""

    def _fit(self, archs: Population, values: FloatArray) -> None:
        if len(archs) < 3:
            raise ConfigError(f"Expected at least three labels of the new device, got {len(archs)}.")
        said = stack_values(self.sources, archs)
        errors = {
            name: np.array([_left_out(_CANDIDATES[name], archs, said, values, i) for i in range(len(values))])
            for name in self.settings["candidates"]
        }
        self.chosen = min(errors, key=lambda name: float(np.median(np.abs(errors[name]))))
        self._relative = float(np.sqrt((errors[self.chosen] ** 2).mean()))
        self._fitted = _CANDIDATES[self.chosen](archs, said, values)

    def _predict(self, archs: Population) -> tuple[FloatArray, FloatArray]:
        mean = self._fitted(archs, stack_values(self.sources, archs))
        return mean, np.abs(mean) * self._relative


def _table(archs: Population, said: FloatArray, values: FloatArray) -> Model:
    table = LookupPredictor(per="operation")
    table.fit(archs, values)
    return lambda others, _: table.predict(others)[0]


def _ridge(archs: Population, said: FloatArray, values: FloatArray) -> Model:
    from sklearn.linear_model import RidgeCV

    columns = _columns(archs, said)
    centre, spread = columns.mean(0), columns.std(0)
    scale = np.where(spread > 1e-12, spread, np.inf)
    ridge = RidgeCV(alphas=np.logspace(-3, 3, 13)).fit((columns - centre) / scale, values)

    def predict(others: Population, their: FloatArray) -> FloatArray:
        found: FloatArray = ridge.predict((_columns(others, their) - centre) / scale)
        return found

    return predict


_CANDIDATES: dict[str, Callable[[Population, FloatArray, FloatArray], Model]] = {"table": _table, "ridge": _ridge}


def _columns(archs: Population, said: FloatArray) -> FloatArray:
    """What the sources say and how often each operation occurs, side by side."""
    return np.concatenate([said, operation_counts(archs)], axis=1)


def _left_out(
    fit: Callable[[Population, FloatArray, FloatArray], Model],
    archs: Population,
    said: FloatArray,
    values: FloatArray,
    i: int,
) -> float:
    """Relative error on label ``i`` of a model that has not seen it."""
    keep = np.arange(len(values)) != i
    model = fit(archs[keep], said[keep], values[keep])
    return float(model(archs[~keep], said[~keep])[0] / values[i] - 1)
