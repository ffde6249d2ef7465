from __future__ import annotations

import numpy as np
import pytest
from torch import nn

from gennas.eval.proxies import Protocol, make_proxies, noise_batch, score_network
from gennas.eval.proxies.combine.layers import layer_statistics, stack_layers


def test_layers_add_up_to_the_proxies(net_of_two: nn.Module) -> None:
    batch = noise_batch(Protocol(batch_size=4, input_shape=(3, 4, 4), num_classes=5))
    found = layer_statistics(net_of_two, batch)
    whole = score_network(net_of_two, make_proxies(list(found)), batch)
    assert {name: values.shape for name, values in found.items()} == dict.fromkeys(found, (2,))
    for name, values in found.items():
        assert values.sum() == pytest.approx(whole[name].value, rel=1e-6)


def test_networks_of_different_depth() -> None:
    stacked = stack_layers([{"a": np.arange(3.0)}, {"a": np.ones(1)}])
    np.testing.assert_array_equal(stacked["a"], [[0, 1, 2], [1, np.nan, np.nan]])


@pytest.fixture
def net_of_two() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 5))
