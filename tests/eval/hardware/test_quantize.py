"""INT8: close to the float network, equal accuracy on an easy task, reasons where it cannot be done."""

from __future__ import annotations

import platform

import pytest
import torch
from torch import Tensor, nn

from gennas.errors import ConfigError, EvaluationError
from gennas.eval.hardware import Timing, accuracy, measure_int8_latency, quantize_int8

pytest.importorskip("torchao")


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(0)
    convolution = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
    module = nn.Sequential(convolution, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 4))
    for _ in range(3):  # fill batch norm's averages
        module(torch.randn(16, 1, 8, 8))
    return module.train()


def test_outputs_move_by_less_than_a_few_steps_of_eight_bits(net: nn.Module) -> None:
    x = torch.randn(16, 1, 8, 8)
    quantized = quantize_int8(net, [x], [[torch.randn(16, 1, 8, 8)] for _ in range(4)])
    assert net.training and isinstance(net[0][0].weight, nn.Parameter)
    expected = net.eval()(x).detach()
    off = (quantized(x) - expected).abs().max()
    net.train()
    assert 0 < off < 5 * (expected.max() - expected.min()) / 255
    assert any("quantize" in str(node.target) for node in quantized._call[0].graph.nodes)


def test_accuracy_counts_every_example_once() -> None:
    x, y = torch.eye(3).repeat(4, 1)[:10], torch.arange(3).repeat(4)[:10]
    wrong = y.clone()
    wrong[[0, 9]] = (wrong[[0, 9]] + 1) % 3
    sizes = []

    def network(batch: Tensor) -> Tensor:
        sizes.append(len(batch))
        return batch

    batches = [((x[i : i + 4],), wrong[i : i + 4]) for i in (0, 4, 8)]
    assert accuracy(network, batches, 4) == 0.8 and sizes == [4, 4, 4]
    with pytest.raises(ConfigError, match="at most 3 examples, got 4"):
        accuracy(network, batches, 3)
    with pytest.raises(ConfigError, match="at least one example"):
        accuracy(network, [], 3)


class Branching(nn.Module):
    """Cannot be exported: what it computes depends on the values."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


def test_a_network_that_cannot_be_exported_gives_one_reason() -> None:
    with pytest.raises(EvaluationError, match="could not be quantised"):
        quantize_int8(Branching(), [torch.zeros(2, 3)])


def test_latency_is_that_of_a_processor(net: nn.Module) -> None:
    with pytest.raises(ConfigError, match=r"sees 0 CUDA|INT8 latency is that of x86"):
        measure_int8_latency(net, [torch.zeros(1, 1, 8, 8)], Timing("cuda"))


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="needs an x86 processor")
def test_both_networks_are_compiled_and_measured(net: nn.Module) -> None:
    x = torch.randn(4, 1, 8, 8)
    found = measure_int8_latency(net, [x], Timing(min_run_time=0.02))
    assert found.int8.median_ms > 0 and found.float32.median_ms > 0
    assert found.int8.batch == 4 and net.training
