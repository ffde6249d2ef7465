"""What a module costs on real hardware."""

from gennas.eval.hardware.device import resolve_device
from gennas.eval.hardware.latency import Latency, Timing, measure_latencies, measure_latency
from gennas.eval.hardware.memory import PeakMemory, measure_memory

__all__ = [
    "Latency",
    "PeakMemory",
    "Timing",
    "measure_latencies",
    "measure_latency",
    "measure_memory",
    "resolve_device",
]
