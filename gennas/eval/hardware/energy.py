"""Energy of a forward pass or of a block, measured or estimated with codecarbon, without internet or account."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from gennas.errors import ConfigError, EvaluationError
from gennas.eval.hardware.latency import prepared
from gennas.runtime.device import resolve_device
from gennas.runtime.threads import cpu_threads

if TYPE_CHECKING:
    from codecarbon import OfflineEmissionsTracker

__all__ = ["Energy", "EnergyMeter", "EnergyMethod", "mean_joules", "measure_energy"]

EnergyMethod = Literal["rapl", "nvml", "estimated"]
_JOULES_PER_KWH = 3.6e6


@dataclass(frozen=True)
class Energy:
    """Energy of one forward pass of a whole batch.

    Args:
        joules: joules per call.
        method: ``rapl`` (the processor's own counters, the whole package with everything that runs on it),
            ``nvml`` (the GPU's own counter) or ``estimated`` (codecarbon's model: nominal power of the processor
            times this process' share of its time). Values of different methods cannot be compared.
        device: where it ran, which is also whose energy it is: memory and the rest of the machine are left out.
        batch: examples per call.
        calls: number of calls in the window.
        seconds: length of the window.
    """

    joules: float
    method: EnergyMethod
    device: str
    batch: int
    calls: int
    seconds: float


def measure_energy(
    module: nn.Module,
    inputs: Sequence[Tensor],
    *,
    batch: int | None = None,
    device: str = "cpu",
    threads: int = 1,
    seconds: float = 3.0,
    warmup: int = 5,
) -> Energy:
    """Call ``module(*inputs)`` over and over for some seconds and share the energy of this window among the calls.

    Counters tick 10 to 50 times per second, so that a window should last seconds. On a CPU the processor's
    RAPL counters are read where the system shows them, else its energy is estimated; on CUDA the
    energy is the GPU's (NVML), and nothing else will do.

    Args:
        module: what is called, in evaluation mode without gradients; it gets mode and device back.
        inputs: its arguments, one batch.
        batch: number of examples in ``inputs``; by default the length of the first tensor.
        device: ``cpu``, ``cuda``, ``cuda:1`` or ``auto``.
        threads: CPU threads.
        seconds: length of the window.
        warmup: calls before it.

    Raises:
        ConfigError: codecarbon is not installed, the device is not there, or a number is out of range.
        EvaluationError: no energy was recorded.

    Example:
        >>> found = measure_energy(nn.Linear(200, 200), [torch.zeros(64, 200)], seconds=1.5)  # doctest: +SKIP
        >>> found.method in ("rapl", "estimated"), found.joules > 0  # doctest: +SKIP
        (True, True)
    """
    if seconds <= 0 or threads < 1 or warmup < 0:
        raise ConfigError(f"Expected seconds > 0, threads >= 1 and warmup >= 0, got {seconds=}, {threads=}, {warmup=}.")
    place = resolve_device(device)
    meter = EnergyMeter(device)
    args = tuple(t.to(place) for t in inputs)
    with prepared(module, place), torch.inference_mode(), cpu_threads(threads):
        for _ in range(warmup):
            module(*args)
        with meter:
            calls, passed = _window(module, args, place, seconds)
    if not meter.joules > 0:
        raise EvaluationError(
            f"codecarbon recorded {meter.joules} joules ({meter.method}) in {passed:.1f} s; use a longer window."
        )
    size = len(args[0]) if batch is None else batch
    return Energy(meter.joules / calls, meter.method, place.type, size, calls, passed)


class EnergyMeter:
    """Energy of what runs inside, such as a training: a context that can be entered once.

    Args:
        device: ``cpu``, ``cuda``, ``cuda:1`` or ``auto``: whose energy it is, see :class:`Energy`.

    Attributes:
        joules: what was recorded, once it was left.
        method: how.

    Raises:
        ConfigError: codecarbon is not installed, or the device or its counter is not there.
        EvaluationError: nothing was recorded.

    Example:
        >>> with EnergyMeter("cpu") as meter:  # doctest: +SKIP
        ...     train()
        >>> meter.joules  # doctest: +SKIP
        41.7
    """

    def __init__(self, device: str = "cpu") -> None:
        self._place = resolve_device(device)
        self.method: EnergyMethod = _method(self._place)
        self.joules = float("nan")

    def __enter__(self) -> EnergyMeter:
        self._tracker = _tracker(self._place)
        _wait(self._place)
        self._tracker.start_task("block")
        return self

    def __exit__(self, *error: object) -> None:
        _wait(self._place)
        found = self._tracker.stop_task("block")
        if found is not None:
            kwh = found.cpu_energy if self._place.type == "cpu" else found.gpu_energy
            self.joules = float(kwh) * _JOULES_PER_KWH
        elif error[0] is None:  # what failed inside is not to be hidden
            raise EvaluationError("codecarbon recorded nothing; is another of its trackers running?")


def mean_joules(records: Iterable[Energy]) -> float:
    """Mean energy of one call over several records.

    Raises:
        ConfigError: there are none, or their methods, devices or batches differ: such values are never pooled.

    Example:
        >>> mean_joules([Energy(1.0, "rapl", "cpu", 1, 10, 3.0), Energy(2.0, "rapl", "cpu", 1, 5, 3.0)])
        1.5
    """
    records = list(records)
    kinds = sorted({(r.method, r.device, r.batch) for r in records})
    if len(kinds) != 1:
        raise ConfigError(f"Expected energies of one method, device and batch, got {kinds or 'none'}; do not mix them.")
    return sum(r.joules for r in records) / len(records)


def _method(place: torch.device) -> EnergyMethod:
    """How codecarbon will come by the energy of a device: the decision that it takes by itself."""
    try:
        from codecarbon.core import cpu, gpu
    except ImportError as error:
        raise ConfigError("Energy needs codecarbon: pip install 'gennas[energy]'.") from error
    if place.type == "cpu":
        return "rapl" if cpu.is_rapl_available() else "estimated"
    if not gpu.is_nvidia_system():
        raise ConfigError(f"The energy of {place} needs NVML, which is not there: pip install nvidia-ml-py.")
    return "nvml"


def _tracker(place: torch.device) -> OfflineEmissionsTracker:
    """A tracker that writes nothing, sends nothing and asks nobody where it is."""
    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
    import codecarbon

    old = not hasattr(codecarbon, "OutputMethod")
    quiet: dict[str, Any] = {"save_to_file": False, "save_to_api": False} if old else {"output_methods": []}
    return codecarbon.OfflineEmissionsTracker(
        **quiet,
        country_iso_code="FRA",  # needed for grams of CO2, which nobody reads here
        allow_multiple_runs=True,
        tracking_mode="process",
        log_level="critical",
        measure_power_secs=1,
        gpu_ids=[place.index or 0] if place.type == "cuda" else None,
        force_cpu_power=None,
        force_mode_cpu_load=False,
    )


def _window(module: nn.Module, args: Sequence[Tensor], place: torch.device, seconds: float) -> tuple[int, float]:
    """Calls and seconds of one window."""
    start, calls = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        for _ in range(10):
            module(*args)
        _wait(place)
        calls += 10
    return calls, time.perf_counter() - start


def _wait(place: torch.device) -> None:
    if place.type == "cuda":
        torch.cuda.synchronize(place)
