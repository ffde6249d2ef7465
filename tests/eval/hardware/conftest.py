"""Costs that add up over decisions on NAS-Bench-201, which a table predicts exactly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gennas.eval.hardware import LookupPredictor
from gennas.graph import Population
from gennas.spaces import NASBench201


@pytest.fixture(scope="session")
def archs() -> Population:
    return NASBench201().sample(400, np.random.default_rng(0)).unique()


@pytest.fixture(scope="session")
def additive() -> Callable[..., np.ndarray]:
    """A cost of its own for every edge and operation, plus a constant."""

    def cost(archs: Population, seed: int = 0) -> np.ndarray:
        table = np.random.default_rng(seed).random((6, 5)) + 0.1
        return 2.0 + table[np.arange(6), archs.decisions].sum(1)

    return cost


@pytest.fixture(scope="session")
def source(archs: Population, additive: Callable[..., np.ndarray]) -> Callable[[int], LookupPredictor]:
    """The predictor of another device."""

    def fitted(seed: int) -> LookupPredictor:
        predictor = LookupPredictor()
        predictor.fit(archs[:100], additive(archs[:100], seed))
        return predictor

    return fitted
