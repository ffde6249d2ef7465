"""Latency of modules whose duration is known."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gennas.errors import ConfigError
from gennas.eval.hardware import Timing, measure_latencies, measure_latency


class Sleep(nn.Module):
    """Takes at least ``seconds``, and records how it was called."""

    def __init__(self, *seconds: float) -> None:
        super().__init__()
        self.seconds, self.calls, self.modes = seconds, 0, set()

    def forward(self, x: Tensor) -> Tensor:
        self.modes.add((self.training, torch.is_inference_mode_enabled(), torch.get_num_threads()))
        time.sleep(self.seconds[self.calls % len(self.seconds)])
        self.calls += 1
        return x


def test_median_of_a_known_duration():
    module = Sleep(0.01).train()
    found = measure_latency(module, [torch.zeros(4, 1)], min_run_time=0.1, warmup=2)
    assert 10 <= found.median_ms < 20
    assert found.p90_ms >= found.median_ms
    assert (found.batch, found.device, found.threads) == (4, "cpu", 1)
    assert 5 <= found.repeats <= module.calls - 2
    assert module.modes == {(False, True, 1)}
    assert module.training


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that only simulated modules move, so that no load of the machine shows."""
    time_now = [0.0]

    class Clock:
        def __init__(self, device: torch.device) -> None:
            self.cpu: list[float] = []

        def __call__(self) -> float:
            self.cpu.append(time_now[0])
            return time_now[0]

    monkeypatch.setattr("gennas.eval.hardware.latency.WallClock", Clock)
    return time_now


class Simulated(nn.Module):
    """Takes as many seconds as it is told, depending on the time."""

    def __init__(self, now: list[float], seconds: Callable[[float], float]) -> None:
        super().__init__()
        self.now, self.seconds, self.calls = now, seconds, 0

    def forward(self, x: Tensor) -> Tensor:
        self.now[0] += self.seconds(self.now[0])
        self.calls += 1
        return x


def phases(now: float) -> float:
    """From 4 to 12 ms, over and over again, as on a machine that others use."""
    return 0.004 + 0.008 * (now / 0.07 % 1)


def test_uneven_times_are_flagged(now):
    found = measure_latency(Simulated(now, phases), [torch.zeros(1)], min_run_time=0.4, warmup=0)
    assert found.noisy
    assert found.iqr_ms > 0.1 * found.median_ms


def test_slow_modules_are_still_timed_in_several_blocks():
    found = measure_latency(Sleep(0.02), [torch.zeros(1)], min_run_time=0.01)
    assert found.repeats >= 8
    assert found.iqr_ms > 0


def test_batch_can_be_stated_for_inputs_that_are_one_graph():
    found = measure_latency(nn.Identity(), [torch.zeros(50, 3)], batch=1, min_run_time=0.01)
    assert found.batch == 1


@pytest.mark.parametrize("wrong", [{"threads": 0}, {"min_run_time": 0.0}, {"warmup": -1}, {"device": "cuda:99"}])
def test_bad_settings(wrong):
    with pytest.raises(ConfigError):
        measure_latency(nn.Identity(), [torch.zeros(1)], **wrong)


def test_mode_is_restored_when_the_module_fails():
    module = nn.Linear(3, 2).train()
    with pytest.raises(RuntimeError):
        measure_latency(module, [torch.zeros(1, 5)])
    assert module.training


class Named(nn.Module):
    """Writes its name on a list at every call, and takes a little longer each time anybody is called."""

    def __init__(self, name: str, calls: list[str], drift: float = 0.0) -> None:
        super().__init__()
        self.name, self.shared, self.drift = name, calls, drift

    def forward(self, x: Tensor) -> Tensor:
        self.shared.append(self.name)
        time.sleep(0.002 * (1 + self.drift * len(self.shared)))
        return x


def test_several_modules_are_timed_there_and_back() -> None:
    calls: list[str] = []
    modules = [Named(name, calls) for name in "ABC"]
    measure_latencies(modules, [torch.zeros(1)], Timing(min_run_time=0.01, warmup=0))
    turns = "".join(name for name, _ in itertools.groupby(calls))
    assert turns.startswith("ABCBABCBABCBABCBA")  # A B C, C B A, … with equal neighbours put together


def test_drift_meets_all_modules_alike(now: list[float]) -> None:
    def slower(now: float) -> float:
        return 0.002 * (1 + now)

    modules = [Simulated(now, slower) for _ in range(2)]
    a, b = (m.median_ms for m in measure_latencies(modules, [torch.zeros(1)], Timing(min_run_time=0.1)))
    assert abs(a / b - 1) < 0.02
    now[0] = 0.0
    after = [measure_latency(m, [torch.zeros(1)], min_run_time=0.5).median_ms for m in modules]
    assert after[1] / after[0] > 1.25


def test_only_the_noisy_one_of_two_is_flagged(now: list[float]) -> None:
    steady, uneven = Simulated(now, lambda _: 0.01), Simulated(now, phases)
    found = measure_latencies([steady, uneven], [torch.zeros(1)], Timing(min_run_time=0.4))
    assert [m.noisy for m in found] == [False, True]
    assert found[0].median_ms == pytest.approx(10) and found[0].iqr_ms == pytest.approx(0, abs=1e-6)
    assert steady.calls > 100  # all were measured once more, for twice as long


class Busy(nn.Module):
    """Computes all the time."""

    def forward(self, x: Tensor) -> Tensor:
        until = time.process_time() + 0.005
        while time.process_time() < until:
            pass
        return x


def test_cpu_time_is_what_the_process_used() -> None:
    asleep = measure_latency(Sleep(0.01), [torch.zeros(1)], min_run_time=0.1)
    busy = measure_latency(Busy(), [torch.zeros(20, 1)], min_run_time=0.1)
    assert asleep.cpu_ms < 1 < 5 <= busy.cpu_ms < 7
    assert busy.median_ms >= 0.9 * busy.cpu_ms
    assert busy.throughput == pytest.approx(20 / busy.median_ms * 1e3)


class Layout(nn.Module):
    """Records whether weights and images were channels-last."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.seen = nn.Conv2d(3, 4, 3), set()

    def forward(self, x: Tensor) -> Tensor:
        self.seen.add(tuple(t.is_contiguous(memory_format=torch.channels_last) for t in (x, self.conv.weight)))
        return self.conv(x)


@pytest.mark.parametrize("channels_last", [False, True])
def test_channels_last(channels_last: bool) -> None:
    module = Layout()
    found = measure_latency(module, [torch.zeros(2, 3, 8, 8)], min_run_time=0.01, channels_last=channels_last)
    assert module.seen == {(channels_last, channels_last)} and found.channels_last is channels_last
    assert module.conv.weight.is_contiguous() and not module.conv.weight.is_inference()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"clock": "events"}, "need a CUDA device, got 'cpu'"),
        ({"cuda_graph": True}, "need a CUDA device, got 'cpu'"),
        ({"clock": "sun"}, "'wall' or 'events', got 'sun'"),
    ],
)
def test_what_only_cuda_has(wrong, message) -> None:
    with pytest.raises(ConfigError, match=message):
        Timing(**wrong)


def test_nothing_to_measure() -> None:
    with pytest.raises(ConfigError, match="got 0 modules and 1 inputs"):
        measure_latencies([], [torch.zeros(1)])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("cuda_graph", [False, True])
@pytest.mark.parametrize("clock", ["wall", "events"])
def test_cuda_clocks_agree_on_a_long_kernel(clock, cuda_graph):
    timing = Timing("cuda", clock=clock, cuda_graph=cuda_graph)
    (found,) = measure_latencies([nn.Linear(4096, 4096)], [torch.zeros(4096, 4096)], timing)
    reference = measure_latency(nn.Linear(4096, 4096), [torch.zeros(4096, 4096)], device="cuda")
    assert found.median_ms == pytest.approx(reference.median_ms, rel=0.2)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_waits_for_the_device():
    module, x = nn.Linear(4096, 4096), torch.zeros(4096, 4096)
    found = measure_latency(module, [x], device="cuda")
    assert found.device == "cuda"
    assert found.median_ms > 0.1  # 137 GFLOP of FP32 take longer than a launch
    assert module.weight.device.type == "cpu"
