"""Peak memory of modules whose tensors can be counted by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gennas.errors import ConfigError
from gennas.eval.hardware import measure_memory


def test_a_chain_holds_two_activations_at_a_time() -> None:
    net = nn.Sequential(nn.Linear(10, 1000, bias=False), nn.Tanh(), nn.Linear(1000, 5, bias=False)).train()
    found = measure_memory(net, [torch.zeros(20, 10)])
    resident = 10 * 1000 + 1000 * 5 + 20 * 10
    assert found.bytes == 4 * (resident + 2 * 20 * 1000) and found.method == "profiler"
    assert net.training


class Branches(nn.Module):
    """Keeps ``n`` activations alive until the end."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x * i for i in range(self.n)])


def test_what_is_kept_alive_counts() -> None:
    x = torch.zeros(1000, 10)
    assert measure_memory(Branches(3), [x]).bytes == 4 * 10_000 * (1 + 3 + 3)
    assert measure_memory(Branches(6), [x]).bytes == 4 * 10_000 * (1 + 6 + 6)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_is_refused_on_a_machine_without() -> None:
    with pytest.raises(ConfigError, match="sees 0 CUDA devices"):
        measure_memory(nn.Identity(), [torch.zeros(1)], device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_agrees_with_counting() -> None:
    net = nn.Sequential(nn.Linear(1024, 4096, bias=False), nn.Tanh())
    found = measure_memory(net, [torch.zeros(4096, 1024)], device="cuda")
    expected = 4 * (1024 * 4096 + 4096 * 1024 + 2 * 4096 * 4096)
    assert found.method == "cuda-allocator" and expected <= found.bytes <= expected + 64 * 2**20
