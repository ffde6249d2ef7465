"""Latency of one forward pass, measured with ``torch.utils.benchmark``, for one module or several in turn."""

from __future__ import annotations

import os
import timeit
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from gennas.errors import ConfigError, shown
from gennas.eval.hardware._clock import Call, EventClock, WallClock, graphed
from gennas.runtime.device import resolve_device
from gennas.runtime.threads import cpu_threads

__all__ = ["Latency", "Timing", "measure_latencies", "measure_latency"]

ROUNDS = 8
NOISY = 0.1  # interquartile range over median above which a measurement is repeated, then flagged


@dataclass(frozen=True)
class Timing:
    """How calls are timed.

    Args:
        device: ``cpu``, ``cuda``, ``cuda:1`` or ``auto``.
        threads: CPU threads.
        min_run_time: seconds of timed calls of every module.
        warmup: untimed calls first.
        channels_last: weights and images in the channels-last memory format.
        clock: ``wall`` time, or time between CUDA ``events`` on the device.
        cuda_graph: capture the call as a CUDA graph and time its replay.

    Raises:
        ConfigError: a number is out of range, or something of CUDA is asked for on a CPU.

    Example:
        >>> Timing(threads=2).clock
        'wall'
    """

    device: str = "cpu"
    threads: int = 1
    min_run_time: float = 0.3
    warmup: int = 5
    channels_last: bool = False
    clock: Literal["wall", "events"] = "wall"
    cuda_graph: bool = False

    def __post_init__(self) -> None:
        if self.threads < 1 or self.min_run_time <= 0 or self.warmup < 0:
            raise ConfigError(
                f"Expected threads >= 1, min_run_time > 0 and warmup >= 0, got threads={self.threads}, "
                f"min_run_time={self.min_run_time}, warmup={self.warmup}."
            )
        if self.clock not in ("wall", "events"):
            raise ConfigError(f"Expected the clock 'wall' or 'events', got {shown(self.clock)}.")
        if resolve_device(self.device).type != "cuda" and (self.clock == "events" or self.cuda_graph):
            raise ConfigError(
                f"CUDA events and CUDA graphs need a CUDA device, got {shown(self.device)}; drop them, or "
                "choose 'cuda'."
            )


@dataclass(frozen=True)
class Latency:
    """Time of one forward pass of a whole batch, and the conditions it was measured under.

    Args:
        median_ms: median over blocks of calls, milliseconds per call.
        iqr_ms: interquartile range over the blocks, milliseconds.
        p90_ms: 90th percentile over the blocks, milliseconds.
        cpu_ms: CPU time of this process, all its threads together, median over the blocks, milliseconds per call.
        batch: examples per call (1 for a whole graph).
        device: where it ran.
        threads: CPU threads of the PyTorch pool.
        repeats: timed calls.
        load_average: the machine's one-minute load when the measurement ended, NaN where unknown.
        noisy: the range still exceeded a tenth of the median after a second, longer measurement.
        channels_last: whether weights and images were in the channels-last memory format.
        clock: ``wall`` time, or time between CUDA ``events``.
        cuda_graph: whether a captured CUDA graph was replayed.
    """

    median_ms: float
    iqr_ms: float
    p90_ms: float
    cpu_ms: float
    batch: int
    device: str
    threads: int
    repeats: int
    load_average: float
    noisy: bool
    channels_last: bool = False
    clock: str = "wall"
    cuda_graph: bool = False

    @property
    def throughput(self) -> float:
        """Examples per second."""
        return 1e3 * self.batch / self.median_ms


def measure_latency(
    module: nn.Module,
    inputs: Sequence[Tensor],
    *,
    batch: int | None = None,
    device: str = "cpu",
    threads: int = 1,
    min_run_time: float = 0.3,
    warmup: int = 5,
    channels_last: bool = False,
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
        channels_last: see :class:`Timing`.

    Raises:
        ConfigError: the device is not there, or a number is out of range.

    Example:
        >>> from torch import nn
        >>> latency = measure_latency(nn.Linear(4, 2), [torch.zeros(8, 4)], min_run_time=0.01)
        >>> latency.batch, latency.device, latency.median_ms > 0
        (8, 'cpu', True)
    """
    timing = Timing(device, threads, min_run_time, warmup, channels_last)
    return measure_latencies([module], inputs, timing, batch=batch)[0]


def measure_latencies(
    modules: Sequence[nn.Module], inputs: Sequence[Tensor], timing: Timing | None = None, *, batch: int | None = None
) -> list[Latency]:
    """Measure several modules on the same inputs, in turn, so that a drift of the machine meets all of them.

    Each of the eight rounds times one block of every module, every other round in the opposite order
    (A B B A A B B A …): whatever gets slower or faster linearly in time adds the same to each of them.
    If the interquartile range of any of them exceeds a tenth of its median, all are measured once more
    for twice as long, and the steadier of the two measurements is kept for all: values that were taken
    at different times could not be compared.

    Args:
        modules: what is called; they are all in memory together, and get mode and device back.
        inputs: the arguments, one batch.
        timing: how.
        batch: number of examples in ``inputs``; by default the length of the first tensor.

    Raises:
        ConfigError: the device is not there, or there is nothing to measure.

    Example:
        >>> from torch import nn
        >>> small, large = nn.Linear(4, 4), nn.Sequential(*[nn.Linear(4, 4) for _ in range(20)])
        >>> a, b = measure_latencies([small, large], [torch.zeros(1, 4)], Timing(min_run_time=0.02))
        >>> a.median_ms < b.median_ms
        True
    """
    timing = timing or Timing()
    if not modules or not inputs:
        raise ConfigError(f"Expected modules and inputs, got {len(modules)} modules and {len(inputs)} inputs.")
    place = resolve_device(timing.device)
    layout = torch.channels_last if timing.channels_last else torch.preserve_format
    with ExitStack() as stack:
        for module in modules:
            stack.enter_context(prepared(module, place, timing.channels_last))
        args = tuple(t.to(place, memory_format=layout if t.dim() == 4 else torch.preserve_format) for t in inputs)
        stack.enter_context(torch.inference_mode())
        stack.enter_context(cpu_threads(timing.threads))
        timers = [_Timer(module, args, place, timing) for module in modules]
        best = _in_turn(timers, timing.min_run_time)
        if any(_spread(times) > NOISY for times in best):
            timers = [_Timer(module, args, place, replace(timing, warmup=0)) for module in modules]
            best = min(best, _in_turn(timers, 2 * timing.min_run_time), key=lambda m: sum(map(_spread, m)))
    return [_latency(times, timing, place, len(args[0]) if batch is None else batch) for times in best]


@contextmanager
def prepared(module: nn.Module, place: torch.device, channels_last: bool = False) -> Iterator[nn.Module]:
    """The module in evaluation mode on ``place``; afterwards it has its mode and device back."""
    home, mode = _device_of(module), module.training
    module.to(place).eval()
    try:
        if channels_last:
            module.to(memory_format=torch.channels_last)
        yield module
    finally:
        if channels_last:
            module.to(memory_format=torch.contiguous_format)
        module.to(home).train(mode)


class _Times(NamedTuple):
    """Seconds and CPU seconds per call of every timed block, and the calls in all of them."""

    times: list[float]
    cpu: list[float]
    repeats: int


class _Timer:
    """Times blocks of calls of one module; the first turn decides how many calls and blocks a turn has."""

    def __init__(self, module: nn.Module, args: Sequence[Tensor], place: torch.device, timing: Timing) -> None:
        for _ in range(timing.warmup):
            module(*args)
        call: Call = graphed(module, args) if timing.cuda_graph else lambda: module(*args)
        self.clock = EventClock(place) if timing.clock == "events" else WallClock(place)
        self._names, self._threads = {"call": call}, timing.threads
        self._plan = (0, 0)

    def turn(self, seconds: float) -> _Times:
        """Time as many blocks as ``seconds`` took in the first turn, so that every turn counts the same."""
        self.clock.cpu.clear()
        if self._plan == (0, 0):
            times = self._first(seconds)
        else:
            number, blocks = self._plan
            timer = timeit.Timer("call()", timer=self.clock, globals=self._names)
            times = [timer.timeit(number) / number for _ in range(blocks)]
        number, blocks = self._plan
        cpu = np.diff(np.reshape(self.clock.cpu, (-1, 2)))[-blocks:, 0]  # those before chose the size
        return _Times(times, (cpu / number).tolist(), number * blocks)

    def _first(self, seconds: float) -> list[float]:
        from torch.utils.benchmark import Timer  # costly to import, and only needed here

        timer = Timer("call()", timer=self.clock, globals=self._names, num_threads=self._threads)
        run = timer.blocked_autorange(min_run_time=seconds)
        self._plan = (run.number_per_run, len(run.times))
        return list(run.times)


def _in_turn(timers: Sequence[_Timer], min_run_time: float) -> list[_Times]:
    """Time all in rounds, there and back: a single block has no range, and drift must not favour anybody."""
    found = [_Times([], [], 0) for _ in timers]
    for number in range(ROUNDS):
        for i in range(len(timers)) if number % 2 == 0 else reversed(range(len(timers))):
            run = timers[i].turn(min_run_time / ROUNDS)
            times, cpu, repeats = found[i]
            found[i] = _Times(times + run.times, cpu + run.cpu, repeats + run.repeats)
    return found


def _latency(timed: _Times, timing: Timing, place: torch.device, batch: int) -> Latency:
    low, median, high, p90 = 1e3 * np.percentile(timed.times, [25, 50, 75, 90])
    return Latency(
        median_ms=float(median),
        iqr_ms=float(high - low),
        p90_ms=float(p90),
        cpu_ms=float(1e3 * np.median(timed.cpu)),
        batch=batch,
        device=place.type,
        threads=timing.threads,
        repeats=timed.repeats,
        load_average=os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan"),
        noisy=_spread(timed) > NOISY,
        channels_last=timing.channels_last,
        clock=timing.clock,
        cuda_graph=timing.cuda_graph,
    )


def _spread(timed: _Times) -> float:
    """Interquartile range relative to the median."""
    low, median, high = np.percentile(timed.times, [25, 50, 75])
    return float((high - low) / median)


def _device_of(module: nn.Module) -> torch.device:
    tensors = [*module.parameters(), *module.buffers()]
    return tensors[0].device if tensors else torch.device("cpu")
