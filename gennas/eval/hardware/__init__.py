"""What a module costs on real hardware."""

from gennas.eval.hardware.device import resolve_device
from gennas.eval.hardware.latency import Latency, measure_latency

__all__ = ["Latency", "measure_latency", "resolve_device"]
