"""Latency of one forward pass, measured with ``torch.utils.benchmark``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from gennas.errors import ConfigError
from gennas.eval.hardware.device import resolve_device

if TYPE_CHECKING:
    from torch.utils.benchmark import Timer

__all__ = ["Latency", "measure_latency"]

ROUNDS = 8
NOISY = 0.1  # interquartile range over median above which a measurement is repeated, then flagged


@dataclass(frozen=True)
class Latency:
    """Time of one forward pass of a whole batch, and the conditions it was measured under.

    Args:
        median_ms: median over blocks of calls, milliseconds per call.
        iqr_ms: interquartile range over the blocks, milliseconds.
        p90_ms: 90th percentile over the blocks, milliseconds.
        batch: examples per call (1 for a whole graph).
        device: where it ran.
        threads: CPU threads of the PyTorch pool.
        repeats: timed calls.
        load_average: the machine's one-minute load when the measurement ended, NaN where unknown.
        noisy: the range still exceeded a tenth of the median after a second, longer measurement.
    """

    median_ms: float
    iqr_ms: float
    p90_ms: float
    batch: int
    device: str
    threads: int
    repeats: int
    load_average: float
    noisy: bool


def measure_latency(
    module: nn.Module,
    inputs: Sequence[Tensor],
    *,
    batch: int | None = None,
    device: str = "cpu",
    threads: int = 1,
    min_run_time: float = 0.3,
    warmup: int = 5,
) -> Latency:
    """Measure the median time of ``module(*inputs)`` in evaluation mode without gradients.

    Blocks of calls are timed, in eight rounds, until ``min_run_time`` seconds have passed in all; on CUDA
    the timer waits for the device at the ends of a block. A measurement whose interquartile range
    exceeds a tenth of its median is made once more for twice as long, and the steadier of the two is
    kept. The module gets its mode and device back.

    Args:
        module: what is called.
        inputs: its arguments, one batch.
        batch: number of examples in ``inputs``; by default the length of the first tensor.
        device: ``cpu``, ``cuda``, ``cuda:1`` or ``auto``.
        threads: CPU threads.
        min_run_time: seconds of timed calls.
        warmup: untimed calls first.

    Raises:
        ConfigError: the device is not there, or a number is out of range.

    Example:
        >>> from torch import nn
        >>> latency = measure_latency(nn.Linear(4, 2), [torch.zeros(8, 4)], min_run_time=0.01)
        >>> latency.batch, latency.device, latency.median_ms > 0
        (8, 'cpu', True)
    """
    from torch.utils.benchmark import Timer as BenchmarkTimer  # costly to import, and only needed here

    if threads < 1 or min_run_time <= 0 or warmup < 0:
        raise ConfigError(
            f"Expected threads >= 1, min_run_time > 0 and warmup >= 0, got {threads=}, {min_run_time=}, {warmup=}."
        )
    place = resolve_device(device)
    home, mode = _device_of(module), module.training
    args = tuple(tensor.to(place) for tensor in inputs)
    module.to(place).eval()
    try:
        with torch.inference_mode():
            for _ in range(warmup):
                module(*args)
            timer = BenchmarkTimer("module(*args)", globals={"module": module, "args": args}, num_threads=threads)
            best = _measure(timer, min_run_time)
            if _spread(best) > NOISY:
                best = min(best, _measure(timer, 2 * min_run_time), key=_spread)
    finally:
        module.to(home).train(mode)
    low, median, high, p90 = 1e3 * np.percentile(best.times, [25, 50, 75, 90])
    return Latency(
        median_ms=float(median),
        iqr_ms=float(high - low),
        p90_ms=float(p90),
        batch=len(args[0]) if batch is None else batch,
        device=place.type,
        threads=threads,
        repeats=best.repeats,
        load_average=os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan"),
        noisy=_spread(best) > NOISY,
    )


class _Times(NamedTuple):
    """Seconds per call of every timed block, and the calls in all of them."""

    times: list[float]
    repeats: int


def _measure(timer: Timer, min_run_time: float) -> _Times:
    """Time in rounds: a single one may consist of one block, over which there is no range."""
    runs = [timer.blocked_autorange(min_run_time=min_run_time / ROUNDS) for _ in range(ROUNDS)]
    times = [seconds for run in runs for seconds in run.times]
    return _Times(times, sum(run.number_per_run * len(run.times) for run in runs))


def _spread(timed: _Times) -> float:
    """Interquartile range relative to the median."""
    low, median, high = np.percentile(timed.times, [25, 50, 75])
    return float((high - low) / median)


def _device_of(module: nn.Module) -> torch.device:
    tensors = [*module.parameters(), *module.buffers()]
    return tensors[0].device if tensors else torch.device("cpu")
