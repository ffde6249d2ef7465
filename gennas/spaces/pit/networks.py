"""Networks of the PiT space: vision transformers that pool between three stages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gennas.spaces.spec import TaskSpec
from gennas.spaces.transformer import EPSILON, Block, learned_tokens


@dataclass(frozen=True)
class Stage:
    """One stage: as many blocks as its depth, ``heads * head_dim`` channels wide."""

    heads: int
    depth: int


class Pooling(nn.Module):
    """Between two stages: a grouped 3 x 3 convolution of stride 2 of the map, a linear layer of the class token.

    The groups are as many as divide both widths; where the width grows by a whole factor that is one per input channel.
    """

    def __init__(self, inputs: int, outputs: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.to_map = nn.Unflatten(2, grid)
        self.conv = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, groups=math.gcd(inputs, outputs))
        self.fc = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.conv(self.to_map(x[:, 1:].transpose(1, 2))).flatten(2).transpose(1, 2)
        return torch.cat([self.fc(x[:, :1]), patches], 1)


class PoolingTransformer(nn.Module):
    """Overlapping patches, positions, three stages with pooling between them, normalisation and head.

    ``(b, c, h, w)`` to ``(b, k)``; the class token is classified, and it has no position.
    """

    def __init__(
        self, stages: Sequence[Stage], head_dim: int, ratio: float, patch: int, grid: tuple[int, int], spec: TaskSpec
    ) -> None:
        super().__init__()
        width = head_dim * stages[0].heads
        self.patches = nn.Conv2d(spec.input_shape[0], width, patch, max(1, patch // 2))
        self.positions = learned_tokens(width, 1, width, *grid)
        self.class_token = learned_tokens(width, 1, 1, width)
        self.stages = nn.Sequential()
        for i, stage in enumerate(stages):
            inputs, width = width, head_dim * stage.heads
            layers = [Block(width, stage.heads, head_dim, int(width * ratio)) for _ in range(stage.depth)]
            if i:
                self.stages.append(Pooling(inputs, width, grid))
                grid = pooled(grid)
            self.stages.append(nn.Sequential(*layers))
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.head = nn.Linear(width, spec.num_outputs)

    def forward(self, images: Tensor) -> Tensor:
        x = (self.patches(images) + self.positions).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(x.shape[0], -1, -1), x], 1)
        logits: Tensor = self.head(self.norm(self.stages(x)[:, 0]))
        return logits


def pooled(grid: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns after a pooling: halves, rounded up."""
    return (grid[0] + 1) // 2, (grid[1] + 1) // 2
