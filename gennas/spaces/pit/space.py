"""Pooling-based vision transformers: three stages that choose heads and depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, InvalidArchitectureError, shown
from gennas.graph import Architecture, Population
from gennas.spaces.base import SPACES
from gennas.spaces.layered import Decision, Group, LayeredSpace
from gennas.spaces.scaling import scaled_count
from gennas.spaces.spec import TaskSpec

if TYPE_CHECKING:
    from torch import nn

    from gennas.spaces.parts import Parts

__all__ = ["PiT"]

_LARGEST_PATCH = 16
_PATCHES = 14  # strides along a side that the default leaves


@SPACES.register("pit")
class PiT(LayeredSpace):
    r"""Pooling-based vision transformers of three stages (PiT), with the choices of TF-TAS.

    The channels of a head and the MLP ratio are chosen for the whole, heads and depth for every stage; a stage
    is ``base heads`` channels wide. With ``s`` stages the space holds

    .. math:: |base|\,|mlp| \prod_s |heads|\,|depths_s|

    architectures, 11,664 by default. The text form is
    ``base=32;mlp=4;stage1.heads=2;stage1.depth=2;stage2.heads=4;…``. Patches of :math:`p` pixels lie :math:`p / 2`
    apart; between the stages a grouped convolution halves the map and a linear layer changes the class token.

    Where the width does not grow by a whole factor, which PiT never does but the space contains, the convolution has
    as many groups as divide both widths. Sources: Heo et al. 2021, "Rethinking spatial dimensions of vision
    transformers", arXiv 2103.16302; Zhou et al. 2022, "Training-free transformer architecture search",
    arXiv 2203.12217.

    Args:
        bases: channels of a head.
        ratios: channels of an MLP, by the width of its stage.
        heads: numbers of heads of a stage.
        depths: for each stage, its numbers of layers.
        patch: height and width of a patch, even; by default a power of two up to 16 whose halves fit 14 times into
            the image's sides: 16 for 224 x 224 (27 x 27 patches), 4 for 32 x 32 (15 x 15), 2 for 8 x 8 (7 x 7).

    Raises:
        ConfigError: a setting is empty, repeated or out of range.

    Example:
        >>> PiT().size
        11664
    """

    name = "pit"
    reference: ClassVar[Mapping[str, str]] = {
        "PiT-Ti": "base=32;mlp=4;stage1.heads=2;stage1.depth=2;stage2.heads=4;stage2.depth=6;"
        "stage3.heads=8;stage3.depth=4"
    }

    def __init__(
        self,
        bases: Sequence[int] = (16, 24, 32, 40),
        ratios: Sequence[float] = (2, 4, 6, 8),
        heads: Sequence[int] = (2, 4, 8),
        depths: Sequence[Sequence[int]] = ((1, 2, 3), (4, 6, 8), (2, 4, 6)),
        patch: int | None = None,
    ) -> None:
        self._patch = patch
        self._width = self._depth_factor = 1.0  # of networks, at low fidelity
        rules = (
            (all(x >= 1 for x in (*bases, *heads)), f"positive bases and heads, got {tuple(bases)} and {tuple(heads)}"),
            (all(r > 0 for r in ratios), f"positive ratios, got {tuple(ratios)}"),
            (len(depths) >= 1, f"depths of at least one stage, got {depths}"),
            (patch is None or (patch >= 2 and patch % 2 == 0), f"an even positive patch, got {patch}"),
        )
        for holds, rule in rules:
            if not holds:
                raise ConfigError(f"{self.name}: expected {rule}.")
        whole = [Decision("base", tuple(bases)), Decision("mlp", tuple(ratios))]
        choice = Decision("heads", tuple(heads))
        groups = [Group(f"stage{i}", tuple(d), whole=(choice,)) for i, d in enumerate(depths, start=1)]
        super().__init__(self.name, whole, groups)
        self._stages = tuple(self._layout.prefix(g) for g in range(len(groups)))

    def from_config(self, config: Mapping[str, Any]) -> Architecture:
        """The architecture with these values by name.

        The names are those of the text form, or those of PiT's constructor: ``base_dims`` (one per stage, all the
        same), ``mlp_ratio``, ``heads`` and ``depth`` (one per stage).

        Raises:
            InvalidArchitectureError: a name is missing or unknown, a value is not in the space, or a list has not
                as many entries as there are stages.
        """
        if "base_dims" in config:
            config = self._from_constructor(config)
        return super().from_config(config)

    def _from_constructor(self, config: Mapping[str, Any]) -> dict[str, Any]:
        stages = len(self._stages)
        for name in ("base_dims", "heads", "depth"):
            if not isinstance(config.get(name), Sequence) or len(config[name]) != stages:
                raise InvalidArchitectureError(
                    f"{self.name}: expected {name} of {stages} stages, got {shown(config.get(name))}."
                )
        if len(set(config["base_dims"])) > 1:
            raise InvalidArchitectureError(
                f"{self.name}: expected one channel count per head in all stages, got base_dims {config['base_dims']}."
            )
        named = {"base": config["base_dims"][0], "mlp": config.get("mlp_ratio")}
        for prefix, heads, depth in zip(self._stages, config["heads"], config["depth"], strict=True):
            named |= {f"{prefix}heads": heads, f"{prefix}depth": depth}
        return named

    # ------------------------------------------------------------------ networks

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        """A pooling transformer for images.

        Raises:
            ConfigError: the task is no image classification, or its images are smaller than the patch.
        """
        from gennas.spaces.parts import Plain

        return self.network(Plain(arch), spec)

    def network(self, parts: Parts, spec: TaskSpec) -> nn.Module:
        """A pooling transformer of parts; in a shared one sizes are slices, and the first layers of a stage run.

        Heads and their channels can be chosen, not mixed.

        Raises:
            ConfigError: as :meth:`build`.
        """
        from gennas.spaces.parts import sized
        from gennas.spaces.pit.networks import PoolingTransformer, Stage

        patch, grid = self._patches(spec)
        config = self.values(parts)
        stages = [
            Stage(
                sized(int, config[f"{prefix}heads"]),
                sized(lambda depth: scaled_count(depth, self._depth_factor), config[f"{prefix}depth"]),
            )
            for prefix in self._stages
        ]
        return PoolingTransformer(stages, sized(self._scaled, config["base"]), config["mlp"], patch, grid, spec, parts)

    def _patches(self, spec: TaskSpec) -> tuple[int, tuple[int, int]]:
        """Side of a patch, and rows and columns of patches."""
        spec.require(self.name, "image")
        height, width = spec.input_shape[1:]
        patch = self._patch or _default_patch(min(height, width))
        if patch > min(height, width):
            raise ConfigError(
                f"{self.name}: expected images of at least {patch} x {patch} pixels, the size of a patch, "
                f"got {height} x {width}; set a smaller patch or take larger images."
            )
        stride = patch // 2
        return patch, ((height - patch) // stride + 1, (width - patch) // stride + 1)

    def count_parameters(self, population: Population, spec: TaskSpec) -> NDArray[np.int64]:
        """Patches, positions and class token, blocks, poolings, normalisation and classifier, ``(b,)``."""
        patch, grid = self._patches(spec)
        base = np.array([self._scaled(b) for b in self.column(population, "base")], dtype=np.int64)
        ratio = self.column(population, "mlp")
        total: NDArray[np.int64] = np.zeros(len(population), dtype=np.int64)
        before: NDArray[np.int64] | None = None
        for group, prefix in enumerate(self._stages):
            width = base * self.column(population, f"{prefix}heads").astype(np.int64)
            depth = np.array(
                [scaled_count(int(d), self._depth_factor) for d in self.depth(population.decisions, group)]
            )
            hidden = (width * ratio).astype(np.int64)
            block = 4 * width + (width + 1) * 3 * width + (width + 1) * width
            total += depth * (block + (width + 1) * hidden + (hidden + 1) * width)
            if before is None:  # patches, positions and the class token
                total += width * (spec.input_shape[0] * patch**2 + 1 + grid[0] * grid[1] + 1)
            else:  # a convolution and a linear layer
                total += 9 * width * (before // np.gcd(before, width)) + width + (before + 1) * width
            before = width
        total += 2 * width + (width + 1) * spec.num_outputs
        return total

    def _scaled(self, channels: float) -> int:
        return max(1, round(channels * self._width))

    def scaled(self, width: float = 1.0, depth: float = 1.0) -> PiT:
        """The same space with ``width`` times the channels of heads and ``depth`` times the layers of every stage."""
        space = copy(self)
        space._width, space._depth_factor = self._width * width, self._depth_factor * depth
        return space


def _default_patch(side: int) -> int:
    patch = _LARGEST_PATCH
    while patch > 2 and side < _PATCHES * patch // 2:
        patch //= 2
    return patch
