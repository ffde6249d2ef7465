"""Networks of the DASViT space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from gennas.spaces.spec import TaskSpec
from gennas.spaces.transformer import EPSILON, MLP, Attention, learned_tokens


@dataclass(frozen=True)
class Choice:
    """What one block has: its token mixer, its channel mixer and the earlier output that it reads, too.

    Args:
        token: ``attention2``, ``attention4``, ``conv3``, ``conv5``, ``pool3`` or ``identity``.
        channel: ``mlp2``, ``mlp4``, ``glu`` or ``none``.
        extra: number of an earlier output, 0 for the patches, -1 for none.
    """

    token: str
    channel: str
    extra: int


class MapMixer(nn.Module):
    """A depthwise convolution or an average pool of the map of tokens."""

    def __init__(self, mixer: nn.Module, grid: tuple[int, int]) -> None:
        super().__init__()
        self.to_map = nn.Unflatten(2, grid)
        self.mixer = mixer

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.mixer(self.to_map(x.transpose(1, 2))).flatten(2).transpose(1, 2)
        return y


def token_mixer(name: str, width: int, grid: tuple[int, int]) -> nn.Module:
    """The module that mixes tokens; identity has none."""
    if name.startswith("attention"):
        heads = int(name.removeprefix("attention"))
        return Attention(width, heads, width // heads)
    if name.startswith("conv"):
        kernel = int(name.removeprefix("conv"))
        return MapMixer(nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width), grid)
    return MapMixer(nn.AvgPool2d(3, 1, 1, count_include_pad=False), grid)


def channel_mixer(name: str, width: int) -> nn.Module:
    """The module that mixes channels; a gated one has hidden layers twice as wide, the half of them gates."""
    if name == "glu":
        return nn.Sequential(nn.Linear(width, 4 * width), nn.GLU(), nn.Linear(2 * width, width))
    return MLP(width, width * int(name.removeprefix("mlp")))


class Residual(nn.Module):
    """A normalised mixer, added to its input."""

    def __init__(self, width: int, mixer: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.mixer = mixer

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.mixer(self.norm(x))
        return y


class MixerTransformer(nn.Module):
    """Patches and positions, blocks of mixers, normalisation, mean over the tokens, head.

    ``(b, c, h, w)`` to ``(b, k)``. A block reads the output before it, and may add an earlier one.
    """

    def __init__(
        self, choices: Sequence[Choice], width: int, patch: int, grid: tuple[int, int], spec: TaskSpec
    ) -> None:
        super().__init__()
        self.patches = nn.Conv2d(spec.input_shape[0], width, patch, patch)
        self.positions = learned_tokens(width, 1, grid[0] * grid[1], width)
        self.extra = [choice.extra for choice in choices]
        self.blocks = nn.ModuleList()
        for choice in choices:
            block = nn.Sequential()
            if choice.token != "identity":
                block.append(Residual(width, token_mixer(choice.token, width, grid)))
            if choice.channel != "none":
                block.append(Residual(width, channel_mixer(choice.channel, width)))
            self.blocks.append(block)
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.head = nn.Linear(width, spec.num_outputs)

    def forward(self, images: Tensor) -> Tensor:
        outputs = [self.patches(images).flatten(2).transpose(1, 2) + self.positions]
        for block, extra in zip(self.blocks, self.extra, strict=True):
            outputs.append(block(outputs[-1] if extra < 0 else outputs[-1] + outputs[extra]))
        logits: Tensor = self.head(self.norm(outputs[-1]).mean(1))
        return logits
