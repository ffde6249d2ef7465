"""Networks of the DASViT space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from gennas.spaces.parts import PLAIN, Elastic, Parts, Routed, Size
from gennas.spaces.spec import TaskSpec
from gennas.spaces.transformer import EPSILON, MLP, Attention, learned_tokens


@dataclass(frozen=True)
class Choice:
    """What one block has: its token mixer, its channel mixer and the earlier output that it reads, too; or all of them.

    Args:
        token: ``attention2``, ``attention4``, ``conv3``, ``conv5``, ``pool3`` or ``identity``.
        channel: ``mlp2``, ``mlp4``, ``glu`` or ``none``.
        extra: number of an earlier output, 0 for the patches, -1 for none.
    """

    token: Any
    channel: Any
    extra: Size


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


def _residual(width: int, name: str, grid: tuple[int, int] | None) -> nn.Module | None:
    """The residual mixer of a name, of tokens on a grid or of channels; None where it leaves them as they are."""
    if name in ("identity", "none"):
        return None
    return Residual(width, channel_mixer(name, width) if grid is None else token_mixer(name, width, grid))


class MixerTransformer(Routed):
    """Patches and positions, blocks of mixers, normalisation, mean over the tokens, head.

    ``(b, c, h, w)`` to ``(b, k)``. A block reads the output before it, and may add an earlier one, in a mixture the
    weighted sum of all that it may add.
    """

    def __init__(
        self,
        choices: Sequence[Choice],
        width: int,
        patch: int,
        grid: tuple[int, int],
        spec: TaskSpec,
        parts: Parts = PLAIN,
    ) -> None:
        super().__init__()
        self.patches = nn.Conv2d(spec.input_shape[0], width, patch, patch)
        self.positions = learned_tokens(width, 1, grid[0] * grid[1], width)
        self.extra = [choice.extra for choice in choices]
        self.blocks = nn.ModuleList()
        for choice in choices:
            token = parts.labelled(choice.token, lambda name: _residual(width, name, grid), passes=True)
            channel = parts.labelled(choice.channel, lambda name: _residual(width, name, None), passes=True)
            self.blocks.append(parts.row([token, channel]))
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.head = nn.Linear(width, spec.num_outputs)

    def forward(self, images: Tensor) -> Tensor:
        outputs = [self.patches(images).flatten(2).transpose(1, 2) + self.positions]
        for block, extra in zip(self.blocks, self.extra, strict=True):
            x = outputs[-1]
            for earlier, weight in self._added(extra).items():
                if earlier >= 0:
                    x = x + (outputs[earlier] if weight is None else weight * outputs[earlier])
            outputs.append(block(x))
        logits: Tensor = self.head(self.norm(outputs[-1]).mean(1))
        return logits

    def _added(self, extra: Size) -> Mapping[int, Tensor | None]:
        """Numbers of earlier outputs that are added, with their weights."""
        return extra.spread(self.route) if isinstance(extra, Elastic) else {extra: None}
