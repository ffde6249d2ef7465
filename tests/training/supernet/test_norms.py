"""Batch norms of inherited networks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gennas.errors import ConfigError
from gennas.training.data import Batch
from gennas.training.supernet import set_batch_norm


def network() -> nn.Sequential:
    torch.manual_seed(0)
    made = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3, momentum=0.3))
    made[1].running_mean.fill_(7.0)  # type: ignore[union-attr,operator]
    made[1].running_var.fill_(0.1)  # type: ignore[union-attr,operator]
    return made


def batches(n: int) -> list[Batch]:
    generator = torch.Generator().manual_seed(1)
    return [
        Batch((torch.randn(8, 2, 4, 4, generator=generator),), None, torch.zeros(8, dtype=torch.long)) for _ in range(n)
    ]


def test_tracked_statistics_stay() -> None:
    net = network()
    set_batch_norm(net, "track", batches(1))
    assert float(net[1].running_mean[0]) == 7.0 and not net.training  # type: ignore[index]


def test_recalibrated_statistics_are_the_means_over_the_batches() -> None:
    net, given = network(), batches(3)
    set_batch_norm(net, "recalibrate", given)
    outputs = [net[0](batch.inputs[0]) for batch in given]
    mean = torch.stack([y.mean((0, 2, 3)) for y in outputs]).mean(0)
    var = torch.stack([y.var((0, 2, 3), correction=1) for y in outputs]).mean(0)
    torch.testing.assert_close(net[1].running_mean, mean)
    torch.testing.assert_close(net[1].running_var, var)
    assert net[1].momentum == 0.3 and not net[1].training


def test_the_batch_that_is_evaluated_normalises_itself() -> None:
    net, x = network(), batches(1)[0].inputs[0]
    set_batch_norm(net, "batch")
    y = net(x)
    assert not net.training and y.mean((0, 2, 3)).abs().max() < 1e-5
    assert not torch.allclose(net(x)[:2], net(x[:2]))


def test_unknown_modes_and_nothing_to_recalibrate_on_are_refused() -> None:
    with pytest.raises(ConfigError, match="track, batch, recalibrate"):
        set_batch_norm(network(), "other")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="at least one batch"):
        set_batch_norm(network(), "recalibrate")
