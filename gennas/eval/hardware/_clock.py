"""What a block of calls is timed with, and what exactly is called."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

__all__ = ["Call", "EventClock", "WallClock", "graphed"]

Call = Callable[[], object]


class WallClock:
    """Seconds of wall time, read when the device has finished; notes the CPU time of this process beside them."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.cpu: list[float] = []

    def __call__(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.cpu.append(time.process_time())
        return time.perf_counter()


class EventClock:
    """Seconds between CUDA events, as the device counts them: calls come in pairs, and the first of a pair is 0.

    The time that Python needs to launch kernels counts only where the device waits for it.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.cpu: list[float] = []
        self._start: torch.cuda.Event | None = None

    def __call__(self) -> float:
        self.cpu.append(time.process_time())
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        with torch.cuda.device(self.device):
            event.record()
        if self._start is None:
            self._start = event
            return 0.0
        event.synchronize()
        seconds = float(self._start.elapsed_time(event)) / 1e3
        self._start = None
        return seconds


def graphed(module: nn.Module, args: Sequence[Tensor]) -> Call:
    """Capture one call as a CUDA graph and return its replay, which launches everything at once."""
    stream = torch.cuda.Stream(args[0].device)  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream(args[0].device))
    with torch.cuda.stream(stream):
        for _ in range(3):
            module(*args)
    torch.cuda.current_stream(args[0].device).wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        module(*args)
    replay: Call = graph.replay
    return replay
