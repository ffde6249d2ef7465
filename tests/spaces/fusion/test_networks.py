"""What fusion cells compute, and what encoders give."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from gennas.spaces.fusion.networks import Encoder, FusionCell, encoder_parameters


def normed(x: torch.Tensor) -> torch.Tensor:
    return functional.layer_norm(x, x.shape[-1:])


def test_cells_compute_their_operation() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(2, 4, 6), torch.randn(2, 4, 6)
    torch.testing.assert_close(FusionCell("sum", 6)(x, y), normed(x + y))
    expected = torch.nn.functional.scaled_dot_product_attention(x, y, y)
    torch.testing.assert_close(FusionCell("attention", 6)(x, y), normed(expected))
    glu = FusionCell("linear-glu", 6)
    assert glu.linear is not None
    a, b = glu.linear(torch.cat([x, y], -1)).chunk(2, -1)
    torch.testing.assert_close(glu(x, y), normed(a * torch.sigmoid(b)))
    both = FusionCell("concat-fc", 6)
    assert both.linear is not None
    torch.testing.assert_close(both(x, y), normed(torch.relu(both.linear(torch.cat([x, y], -1)))))


@pytest.mark.parametrize("shape", [(3,), (6, 2), (1, 8, 3), (3, 32, 32), (2, 1, 1)])
def test_encoders_give_four_features_of_any_input(shape: tuple[int, ...]) -> None:
    encoder = Encoder(shape, 5)
    features = encoder(torch.randn(2, *shape))
    assert [tuple(f.shape) for f in features] == [(2, 4, 5)] * 4
    assert encoder_parameters(shape, 5) == sum(p.numel() for p in encoder.parameters())


def test_networks_are_written_as_plain_source() -> None:
    from gennas.export import module_source
    from gennas.spaces import Fusion, TaskSpec

    space, spec = Fusion(width=4), TaskSpec("pair", (1, 8, 4), 4, second_shape=(5,))
    network = space.build(space.from_text("attention~a1,b2|concat-fc~b4,cell1"), spec).eval()
    scope: dict[str, object] = {}
    exec(module_source(network), scope)
    assert "gennas" not in scope and any(isinstance(part, type) for part in scope.values())
