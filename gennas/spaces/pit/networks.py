"""Networks of the PiT space: vision transformers that pool between three stages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gennas.spaces.parts import PLAIN, Parts, Size, read, sized
from gennas.spaces.spec import TaskSpec
from gennas.spaces.transformer import EPSILON, Block, learned_tokens


@dataclass(frozen=True)
class Stage:
    """One stage: as many blocks as its depth, ``heads * head_dim`` channels wide."""

    heads: Size
    depth: Size


class Pooling(nn.Module):
    """Between two stages: a grouped 3 x 3 convolution of stride 2 of the map, a linear layer of the class token.

    The groups are as many as divide both widths; where the width grows by a whole factor that is one per input channel.
    """

    def __init__(self, inputs: Size, outputs: Size, grid: tuple[int, int], parts: Parts = PLAIN) -> None:
        super().__init__()
        self.to_map = nn.Unflatten(2, grid)
        self.conv = parts.conv(inputs, outputs, 3, 2, groups=sized(math.gcd, inputs, outputs), padding=1)
        self.fc = parts.linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.conv(self.to_map(x[:, 1:].transpose(1, 2))).flatten(2).transpose(1, 2)
        return torch.cat([self.fc(x[:, :1]), patches], 1)


class PoolingTransformer(nn.Module):
    """Overlapping patches, positions, three stages with pooling between them, normalisation and head.

    ``(b, c, h, w)`` to ``(b, k)``; the class token is classified, and it has no position.

    Args:
        stages: the stages.
        head_dim: channels of a head.
        ratio: channels of an MLP by the width of its stage.
        patch: height and width of a patch.
        grid: rows and columns of patches.
        spec: the task.
        parts: what it is made of.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        head_dim: Size,
        ratio: Any,
        patch: int,
        grid: tuple[int, int],
        spec: TaskSpec,
        parts: Parts = PLAIN,
    ) -> None:
        super().__init__()
        widths = [sized(lambda d, h: d * h, head_dim, stage.heads) for stage in stages]
        first, last = widths[0], widths[-1]
        self.patches = parts.conv(spec.input_shape[0], first, patch, max(1, patch // 2))
        rows, columns = grid
        self.positions = parts.vector(lambda c: learned_tokens(c, 1, c, rows, columns), first, dim=1)
        self.class_token = parts.vector(lambda c: learned_tokens(c, 1, 1, c), first)
        self.stages = nn.Sequential()
        for i, (stage, width) in enumerate(zip(stages, widths, strict=True)):
            shape = (width, stage.heads, head_dim, sized(lambda c, r: int(c * r), width, ratio))
            layers = parts.rows([(stage.depth, lambda _, shape=shape: Block(*shape, parts))])
            if i:
                self.stages.append(Pooling(widths[i - 1], width, grid, parts))
                grid = pooled(grid)
            self.stages.append(layers)
        self.norm = parts.layer_norm(last, EPSILON)
        self.head = parts.linear(last, spec.num_outputs)

    def forward(self, images: Tensor) -> Tensor:
        x = (self.patches(images) + read(self.positions)).flatten(2).transpose(1, 2)
        x = torch.cat([read(self.class_token).expand(x.shape[0], -1, -1), x], 1)
        logits: Tensor = self.head(self.norm(self.stages(x)[:, 0]))
        return logits


def pooled(grid: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns after a pooling: halves, rounded up."""
    return (grid[0] + 1) // 2, (grid[1] + 1) // 2
