"""Vision transformers whose blocks choose a token mixer, a channel mixer and what they read."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.graph import Architecture, Population
from gennas.spaces.base import SPACES
from gennas.spaces.layered import Decision, LayeredSpace
from gennas.spaces.patches import patch_grid
from gennas.spaces.scaling import refuse_shared_depth, scaled_count
from gennas.spaces.spec import TaskSpec

if TYPE_CHECKING:
    from torch import nn

    from gennas.spaces.dasvit.networks import Choice
    from gennas.spaces.parts import Parts

__all__ = ["DASViT"]

TOKEN_MIXERS = ("attention2", "attention4", "conv3", "conv5", "pool3", "identity")
CHANNEL_MIXERS = ("mlp2", "mlp4", "glu", "none")
_NO_EXTRA = "none"
_PATCHES = "patches"  # the input of the first block
_MULTIPLE = 4  # of the width, so that four heads divide it


@SPACES.register("dasvit")
class DASViT(LayeredSpace):
    r"""Vision transformers of mixers: every block chooses how tokens and channels mix, and a second input.

    A block has a token mixer (attention of 2 or 4 heads, depthwise convolution 3 x 3 or 5 x 5, average pool 3 x 3,
    identity), then a channel mixer (MLP of ratio 2 or 4, a gated linear unit of ratio 2, none), each on normalised
    input and added to it. Block :math:`v` reads the output of block :math:`v - 1`, to which at most one earlier
    output (the patches' or another block's) is added: :math:`v` possibilities. With :math:`B` blocks the space holds

    .. math:: (6 \cdot 4)^B \, B!

    architectures, 7,962,624 by default. The text form has the fields ``block1.token=attention2;block1.channel=mlp4;
    block2.token=conv3;block2.channel=glu;block2.extra=patches;…``; ``extra`` is ``none``, ``patches`` or ``block1``, ….

    This is a space of our own, after the idea of a differentiable search of vision transformers (DASViT, IJCNN
    2025), whose space is not published in a form that could be rebuilt.

    Args:
        blocks: number of blocks.
        width: channels of the tokens, a multiple of four.
        patch: height and width of a patch; by default the largest divisor of the image's sides, at most 16, that
            leaves 7 x 7 patches.

    Raises:
        ConfigError: a setting is out of range.

    Example:
        >>> DASViT().size, DASViT(blocks=2).size
        (7962624, 1152)
    """

    name = "dasvit"
    _depth_factor = 1.0  # of the blocks in networks; part of the identity only where it is set

    def __init__(self, blocks: int = 4, width: int = 64, patch: int | None = None) -> None:
        rules = (
            (blocks >= 1, f"at least one block, got {blocks}"),
            (width >= 1 and width % _MULTIPLE == 0, f"a width that is a multiple of {_MULTIPLE}, got {width}"),
            (patch is None or patch >= 1, f"patch >= 1, got {patch}"),
        )
        for holds, rule in rules:
            if not holds:
                raise ConfigError(f"{self.name}: expected {rule}.")
        self._blocks, self._channels, self._patch = blocks, width, patch
        decisions = []
        for v in range(1, blocks + 1):
            decisions += [Decision(f"block{v}.token", TOKEN_MIXERS), Decision(f"block{v}.channel", CHANNEL_MIXERS)]
            earlier = (_NO_EXTRA, *((_PATCHES, *(f"block{u}" for u in range(1, v - 1))) if v > 1 else ()))
            decisions.append(Decision(f"block{v}.extra", earlier, prefix="+"))
        super().__init__(self.name, decisions)

    def choices(self, arch: Architecture) -> list[Choice]:
        """What every block of the network has, in order."""
        return self._choices(self.config(arch))

    def _choices(self, config: Mapping[str, Any]) -> list[Choice]:
        from gennas.spaces.dasvit.networks import Choice
        from gennas.spaces.parts import sized

        blocks = [f"block{v}" for v in range(1, self._blocks + 1)]
        return [
            Choice(config[f"{b}.token"], config[f"{b}.channel"], sized(_number, config[f"{b}.extra"])) for b in blocks
        ]

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        """A transformer of mixers for images.

        Raises:
            ConfigError: the task is no image classification, or its images are smaller than the patch.
        """
        from gennas.spaces.dasvit.networks import Choice, MixerTransformer

        choices = self.choices(arch)
        count = scaled_count(len(choices), self._depth_factor)
        more = [Choice(choices[-1].token, choices[-1].channel, -1)] * (count - len(choices))
        patch, grid = patch_grid(self.name, self._patch, spec)
        return MixerTransformer([*choices[:count], *more], self._channels, patch, grid, spec)

    def network(self, parts: Parts, spec: TaskSpec) -> nn.Module:
        """The same, of parts; in a shared one every block has one module for each mixer.

        Raises:
            ConfigError: as :meth:`build`, or another depth than the space's.
        """
        from gennas.spaces.dasvit.networks import MixerTransformer

        refuse_shared_depth(self.name, self._depth_factor)
        patch, grid = patch_grid(self.name, self._patch, spec)
        return MixerTransformer(self._choices(self.values(parts)), self._channels, patch, grid, spec, parts)

    def count_parameters(self, population: Population, spec: TaskSpec) -> NDArray[np.int64] | None:
        """Patches, positions, mixers with their normalisation, and classifier, ``(b,)``."""
        if self._depth_factor != 1:
            return None
        patch, grid = patch_grid(self.name, self._patch, spec)
        c = self._channels
        conv = {f"conv{k}": c * k**2 + c for k in (3, 5)}
        costs = dict.fromkeys(("attention2", "attention4"), (c + 1) * 3 * c + (c + 1) * c) | conv | {"pool3": 0}
        costs |= {f"mlp{r}": (c + 1) * r * c + (r * c + 1) * c for r in (2, 4)}
        costs["glu"] = (c + 1) * 4 * c + (2 * c + 1) * c
        by_label = np.array([costs[x] + 2 * c if x in costs else 0 for x in self.schema.node_labels], dtype=np.int64)
        ends = c * (spec.input_shape[0] * patch**2 + 1 + grid[0] * grid[1] + 2) + (c + 1) * spec.num_outputs
        total: NDArray[np.int64] = ends + by_label[population.X].sum(1)
        return total

    def scaled(self, width: float = 1.0, depth: float = 1.0) -> DASViT:
        """The same space with ``width`` times the channels, a multiple of four, and ``depth`` times the blocks.

        Blocks are cut from the end, or the last one is repeated without a second input.
        """
        space = copy(self)
        space._channels = _MULTIPLE * max(1, round(self._channels * width / _MULTIPLE))
        if depth != 1:
            space._depth_factor = self._depth_factor * depth
        return space


def _number(extra: str) -> int:
    """Number of an earlier output, 0 for the patches, -1 for none."""
    source = {_NO_EXTRA: -1, _PATCHES: 0}.get(extra)
    return int(extra.removeprefix("block")) if source is None else source
