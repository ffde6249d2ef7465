"""Places with candidates: shifts, and candidates that see a part of the channels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from gennas.errors import ConfigError
from gennas.graph import GraphSchema
from gennas.spaces import NASBench201
from gennas.spaces.parts import SHIFT, Choice, Routing, Shared, bind


def routed(choice: Choice, symbols: int = 3) -> Routing:
    routing = Routing(np.ones((1, symbols), dtype=bool))
    bind(choice, routing)
    return routing


def test_a_shift_is_added_and_nothing_stays_nothing() -> None:
    choice = Choice(0, {1: nn.Identity()})
    routing, x = routed(choice), torch.randn(2, 3)
    routing.follow([{1: torch.tensor(1.0), SHIFT: torch.tensor(0.5)}])
    assert torch.equal(choice(x), x + 0.5)
    routing.follow([{0: torch.tensor(1.0), SHIFT: torch.tensor(0.5)}])
    assert choice(x) is None and choice.is_idle
    routing.follow([0])
    assert choice(x) is None and choice.chosen([0]) is None and choice.chosen([1]) is choice["1"]


@pytest.mark.parametrize("stride", [1, 2])
def test_a_part_of_the_channels_is_mixed_and_all_are_dealt_round(stride: int) -> None:
    torch.manual_seed(0)
    make = {s: nn.Conv2d(2, 2, 3, stride, padding=1) for s in (1, 2)}
    choice, x = Choice(0, make, partial=4), torch.randn(2, 8, 5, 5)
    routing, w = routed(choice), torch.tensor([0.2, 0.3, 0.5])
    routing.follow([w])
    mixed = 0.3 * make[1](x[:, :2]) + 0.5 * make[2](x[:, :2])
    rest = x[:, 2:] if stride == 1 else nn.functional.max_pool2d(x[:, 2:], 2, ceil_mode=True)
    joined = torch.cat([mixed, rest * w.sum()], 1)
    order = [0, 2, 4, 6, 1, 3, 5, 7]
    torch.testing.assert_close(choice(x), joined[:, order])
    assert nn.functional.channel_shuffle(joined, 4).equal(joined[:, order])
    routing.follow([1])
    assert choice(x).shape == joined.shape


def test_channels_that_cannot_be_divided_are_refused() -> None:
    schema: GraphSchema = NASBench201().schema
    assert Shared(schema, 4).share(8) == 2 and Shared(schema).share(7) == 7
    with pytest.raises(ConfigError, match="multiple of partial=4"):
        Shared(schema, 4).share(6)
    with pytest.raises(ConfigError, match="at least 1"):
        Shared(schema, 0)
