"""What fitting the sequence and the latent generator have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.models.generator import FloatArray


@contextmanager
def one_thread() -> Iterator[None]:
    """Run small networks on one CPU thread: quicker for them, and equal on every number of cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def training_tensors(
    archs: Population, num_conditions: int, conditions: FloatArray | None, weights: FloatArray | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Decisions ``(b, d)``, conditions ``(b, c)`` and weights ``(b,)`` as tensors, after checks."""
    b = len(archs)
    if b == 0:
        raise ConfigError("Expected at least one architecture to train the generator on, got none.")
    conditions = np.full((b, num_conditions), np.nan) if conditions is None else conditions
    weights = np.ones(b) if weights is None else weights
    if conditions.shape != (b, num_conditions) or weights.shape != (b,):
        raise ConfigError(
            f"Expected conditions ({b}, {num_conditions}) and weights ({b},), "
            f"got {conditions.shape} and {weights.shape}."
        )
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
        raise ConfigError("Expected weights that are finite, not negative and not all zero.")
    D = torch.from_numpy(archs.decisions.astype(np.int64))
    return D, torch.from_numpy(conditions.astype(np.float32)), torch.from_numpy(weights.astype(np.float64))


def warm_cosine(i: int, steps: int) -> float:
    """Factor of the learning rate at step ``i``: up over a tenth of the steps, down as a cosine."""
    warm = max(1, steps // 10)
    return min((i + 1) / warm, 0.5 * (1 + float(np.cos(np.pi * i / steps))) + 0.02)


def drop_conditions(conditions: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Forget each condition, and all of a row's, with ``probability`` (for classifier-free guidance)."""
    one = torch.rand(conditions.shape, generator=generator) < probability
    every = torch.rand(len(conditions), 1, generator=generator) < probability
    return conditions.masked_fill((one | every).to(conditions.device), torch.nan)


def chunks(n: int, size: int, values: NDArray[Any] | None) -> Iterator[tuple[int, NDArray[Any] | None]]:
    """Sizes of consecutive parts of ``n`` rows with the rows of a per-row array; one row for all stays as it is."""
    per_row = values is not None and np.ndim(values) == 2 and len(values) == n
    for start in range(0, n, size):
        stop = min(start + size, n)
        yield stop - start, values[start:stop] if values is not None and per_row else values
