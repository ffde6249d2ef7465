"""What fitting small generative models has in common: the loop, batches, conditions, settings on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gennas.errors import CheckpointError, ConfigError, reason_of
from gennas.generators.flat_adamw import FlatAdamW
from gennas.models.base import FloatArray
from gennas.registry import configured
from gennas.runtime.files import write_atomically
from gennas.runtime.reading import MIB, read_json_bounded
from gennas.runtime.threads import one_thread

S = TypeVar("S")
B = TypeVar("B")

_watcher: ContextVar[Callable[[int, int], None] | None] = ContextVar("watcher", default=None)


def descend(
    network: nn.Module,
    batches: Iterator[B],
    loss: Callable[[B], Tensor],
    steps: int,
    lr: float,
    weight_decay: float = 0.01,
    betas: tuple[float, float] = (0.9, 0.99),
    max_norm: float | None = 1.0,
) -> FloatArray:
    """Train a network in place, one step per batch, and return the loss of every step, ``(steps,)``.

    AdamW with gradients clipped to ``max_norm`` and a learning rate that rises over a tenth of the steps and
    falls as a cosine (:func:`warm_cosine`). All on one CPU thread; the network is in training mode meanwhile
    and in its former mode afterwards. :func:`watch_steps` hears of every step.

    Args:
        network: what is trained; several networks come as one ``nn.ModuleList``.
        batches: asked for the next batch before each step; :func:`weighted_rows` and :func:`uniform_rows` draw some.
        loss: of a batch, a scalar.
        steps: how many.
        lr: peak learning rate.
        weight_decay: decoupled.
        betas: decay of the running mean and square of the gradient.
        max_norm: longest gradient; None: as long as it is.

    Example:
        >>> line = nn.Linear(1, 1)
        >>> x = torch.linspace(-1, 1, 8)[:, None]
        >>> rows = uniform_rows(8, 4, torch.Generator().manual_seed(0))
        >>> losses = descend(line, rows, lambda i: (line(x[i]) - 3 * x[i]).square().mean(), steps=200, lr=0.1)
        >>> bool(losses[-1] < 1e-3)
        True
    """
    tell, losses = _watcher.get(), []
    parameters = [p for p in network.parameters() if p.requires_grad]
    optimiser = FlatAdamW(parameters, lr, weight_decay, betas, max_norm)
    with _training_mode(network), one_thread():
        for i in range(steps):
            value = loss(next(batches))
            value.backward()  # type: ignore[no-untyped-call]
            optimiser.step(warm_cosine(i, steps))
            losses.append(value.detach())  # read at the end: reading makes a GPU wait
            if tell is not None:
                tell(i + 1, steps)
    optimiser.release()
    return torch.stack(losses).double().cpu().numpy() if losses else np.empty(0)


@contextmanager
def _training_mode(network: nn.Module) -> Iterator[None]:
    """Every part of a network in training mode, and back in its own afterwards."""
    before = [(part, part.training) for part in network.modules()]
    network.train()
    try:
        yield
    finally:
        for part, mode in before:
            part.training = mode


def weighted_rows(weights: Tensor, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Batches without end of ``size`` rows, drawn with replacement in proportion to ``weights (b,)``."""
    while True:
        yield torch.multinomial(weights, size, replacement=True, generator=generator)


def uniform_rows(n: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Batches without end of ``size`` out of ``n`` rows, drawn with replacement."""
    while True:
        yield torch.randint(n, (size,), generator=generator)


@contextmanager
def watch_steps(tell: Callable[[int, int], None]) -> Iterator[None]:
    """Call ``tell(done, steps)`` after every step of whatever is fitted inside: progress bars."""
    token = _watcher.set(tell)
    try:
        yield
    finally:
        _watcher.reset(token)


def training_tensors(
    decisions: NDArray[np.integer], num_conditions: int, conditions: FloatArray | None, weights: FloatArray | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Decisions ``(b, d)``, conditions ``(b, c)`` and weights ``(b,)`` as tensors, after checks."""
    b = len(decisions)
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
    D = torch.from_numpy(decisions.astype(np.int64))
    return D, torch.from_numpy(conditions.astype(np.float32)), torch.from_numpy(weights.astype(np.float64))


def save_settings(settings: Any, path: Path) -> None:
    """Write a dataclass of settings as JSON."""
    write_atomically(path, json.dumps(asdict(settings), indent=2) + "\n")


def load_settings(kind: type[S], path: Path) -> S:
    """Read what :func:`save_settings` wrote; lists become tuples.

    Raises:
        CheckpointError: the file is missing, damaged, or holds other settings.
    """
    what = "a generator's settings"
    record = read_json_bounded(path, MIB, CheckpointError, what, "train the generator again")
    try:
        options = {name: tuple(v) if isinstance(v, list) else v for name, v in record.items()}
        found: S = configured(what, kind, options)
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise CheckpointError(f"Expected {what} in {path}: {reason_of(error)}.") from error
    return found


def warm_cosine(i: int, steps: int) -> float:
    """Factor of the learning rate at step ``i``: up over a tenth of the steps, down as a cosine."""
    warm = max(1, steps // 10)
    return min((i + 1) / warm, 0.5 * (1 + float(np.cos(np.pi * i / steps))) + 0.02)


def drop_conditions(conditions: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Forget each condition, and all of a row's, with ``probability`` (for classifier-free guidance)."""
    one = torch.rand(conditions.shape, generator=generator) < probability
    every = torch.rand(len(conditions), 1, generator=generator) < probability
    return conditions.masked_fill((one | every).to(conditions.device), torch.nan)


def chunks(n: int, size: int, *values: NDArray[Any] | None) -> Iterator[tuple[int, list[NDArray[Any] | None]]]:
    """Sizes of consecutive parts of ``n`` rows, with the rows of per-row arrays; one row for all stays as it is."""
    per_row = [v is not None and np.ndim(v) == 2 and len(v) == n for v in values]
    for start in range(0, n, size):
        stop = min(start + size, n)
        yield (
            stop - start,
            [v[start:stop] if v is not None and rows else v for v, rows in zip(values, per_row, strict=True)],
        )
