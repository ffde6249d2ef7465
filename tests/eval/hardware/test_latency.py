"""Latency of modules whose duration is known."""

from __future__ import annotations

import time

import pytest
import torch
from torch import Tensor, nn

from gennas.errors import ConfigError
from gennas.eval.hardware import measure_latency


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


class Slowing(nn.Module):
    """Every call takes longer than the one before, as on a machine that heats up."""

    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        time.sleep(0.001 * (1 + self.calls / 50))
        return x


def test_uneven_times_are_flagged():
    found = measure_latency(Slowing(), [torch.zeros(1)], min_run_time=0.4, warmup=0)
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


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_waits_for_the_device():
    module, x = nn.Linear(4096, 4096), torch.zeros(4096, 4096)
    found = measure_latency(module, [x], device="cuda")
    assert found.device == "cuda"
    assert found.median_ms > 0.1  # 137 GFLOP of FP32 take longer than a launch
    assert module.weight.device.type == "cpu"
