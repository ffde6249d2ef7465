"""Small real networks that every proxy is checked on."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gennas.spaces import NASBench201, TaskSpec

SHAPE = (3, 8, 8)
CLASSES = 5
CELL = "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|"


def plain_cnn() -> nn.Module:
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU()),
        nn.Sequential(nn.Conv2d(6, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU()),
        nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        nn.Linear(8, CLASSES),
    )


def residual_cell() -> nn.Module:
    space = NASBench201(num_cells=1, width=4)
    return space.build(space.from_text(CELL), TaskSpec("image", SHAPE, CLASSES))


class Block(nn.Module):
    """Pre-norm attention and a two-layer perceptron with GELU."""

    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.attention = nn.MultiheadAttention(d, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class SmallViT(nn.Module):
    """Patches of four pixels, a class token, two blocks."""

    def __init__(self, d: int = 8) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, d, 4, stride=4)
        self.token = nn.Parameter(torch.randn(1, 1, d))
        self.position = nn.Parameter(torch.randn(1, 5, d))
        self.blocks = nn.Sequential(Block(d, 2), Block(d, 2))
        self.norm = nn.LayerNorm(d)
        self.head = nn.Linear(d, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.position
        return self.head(self.norm(self.blocks(x))[:, 0])


NETWORKS = {"cnn": plain_cnn, "cell": residual_cell, "vit": SmallViT}


@pytest.fixture(params=list(NETWORKS))
def net(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(3)
    network = NETWORKS[request.param]()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1:  # biases and normalisation that are not at their defaults
                parameter.add_(0.3 * torch.randn_like(parameter))
    return network
