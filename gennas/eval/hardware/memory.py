"""Peak memory of one forward pass."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from gennas.eval.hardware.latency import prepared
from gennas.runtime.device import resolve_device

__all__ = ["PeakMemory", "measure_memory"]


@dataclass(frozen=True)
class PeakMemory:
    """Most memory in use during one forward pass.

    Args:
        bytes: weights, buffers, inputs, and the most that was allocated on top of them at one time.
        method: ``cuda-allocator`` (``torch.cuda.max_memory_allocated``) or ``profiler`` (allocations
            and releases of PyTorch's CPU allocator, as ``torch.profiler`` records them).
    """

    bytes: int
    method: Literal["cuda-allocator", "profiler"]


def measure_memory(module: nn.Module, inputs: Sequence[Tensor], *, device: str = "cpu") -> PeakMemory:
    """Measure the peak memory of ``module(*inputs)`` in evaluation mode without gradients.

    Neither method sees what a library allocates by itself, such as scratch space of oneDNN. The module
    gets its mode and device back.

    Raises:
        ConfigError: the device is not there.

    Example:
        >>> found = measure_memory(nn.Linear(10, 100, bias=False), [torch.zeros(8, 10)])
        >>> found.bytes == 4 * (10 * 100 + 8 * 10 + 8 * 100), found.method
        (True, 'profiler')
    """
    place = resolve_device(device)
    with prepared(module, place), torch.inference_mode():
        args = tuple(t.to(place) for t in inputs)
        resident = sum(t.numel() * t.element_size() for t in (*module.parameters(), *module.buffers(), *args))
        module(*args)  # what is allocated once and kept is there before the measurement
        if place.type == "cuda":
            return PeakMemory(resident + _cuda_peak(module, args, place), "cuda-allocator")
        return PeakMemory(resident + _cpu_peak(module, args), "profiler")


def _cuda_peak(module: nn.Module, args: Sequence[Tensor], place: torch.device) -> int:
    torch.cuda.synchronize(place)
    torch.cuda.reset_peak_memory_stats(place)
    before = torch.cuda.memory_allocated(place)
    module(*args)
    torch.cuda.synchronize(place)
    return torch.cuda.max_memory_allocated(place) - before


def _cpu_peak(module: nn.Module, args: Sequence[Tensor]) -> int:
    """The highest running total of the bytes that the profiler saw come and go."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        module(*args)
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        profile.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())["traceEvents"]
    changes = [event for event in events if event.get("name") == "[memory]" and event["args"]["Device Type"] == 0]
    changes.sort(key=lambda event: (event["ts"], event["args"].get("Ev Idx", 0)))
    return max(itertools.accumulate((int(event["args"]["Bytes"]) for event in changes), initial=0))
