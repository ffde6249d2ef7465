"""Vision transformers whose layers choose their heads and MLP ratios."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, InvalidArchitectureError, shown
from gennas.graph import Architecture, Population
from gennas.spaces.base import SPACES
from gennas.spaces.layered import Decision, Group, LayeredSpace
from gennas.spaces.patches import patch_grid
from gennas.spaces.scaling import refuse_shared_depth, scaled_count, stretched
from gennas.spaces.spec import TaskSpec

if TYPE_CHECKING:
    from torch import nn

    from gennas.spaces.autoformer.networks import Sizes
    from gennas.spaces.parts import Parts

__all__ = ["AutoFormer", "AutoFormerBase", "AutoFormerSmall", "AutoFormerTiny"]

_POOLINGS = ("mean", "token")
_OFFICIAL = {"EMBED_DIM": "embed", "DEPTH": "depth", "MLP_RATIO": "mlp", "NUM_HEADS": "heads"}
_SAMPLED = {"embed_dim": "embed", "layer_num": "depth", "mlp_ratio": "mlp", "num_heads": "heads"}


class AutoFormer(LayeredSpace):
    r"""Vision transformers: width and depth of the whole, MLP ratio and heads of every layer.

    With ``E`` widths, ``r`` ratios and ``h`` numbers of heads, the space holds

    .. math:: E \sum_{d \in depths} (r h)^d

    architectures. The text form is ``embed=192;depth=12;mlp=4,4,…;heads=3,3,…``. Queries, keys and values
    have ``head_dim`` channels per head whatever the width. Without ``relative`` and with ``pooling="token"`` the
    networks are those of DeiT.

    With width :math:`E`, :math:`q` channels of all heads, :math:`m = \lfloor E r \rfloor`, :math:`N` patches of
    :math:`p \times p` pixels and :math:`D = 2 d_{max} + 2` distances, a network for ``k`` classes has

    .. math:: E (c p^2 + 1) + E + E (N + 1) + 2 E + (E + 1) k +
              \sum_l [4 E + (E + 1) 3 q + (q + 1) E + 4 D\,head\_dim + (E + 1) m + (m + 1) E]

    parameters. Source: Chen et al. 2021, "AutoFormer", arXiv 2107.00651; DeiT: Touvron et al. 2021, arXiv 2012.12877.

    Args:
        embeds: widths of the tokens.
        depths: numbers of layers.
        ratios: channels of an MLP, by the width.
        heads: numbers of heads.
        head_dim: channels of a head.
        patch: height and width of a patch; by default the largest divisor of the image's sides, at most 16, that
            leaves 7 x 7 patches: 16 for 224 x 224, 4 for 32 x 32, 1 for 8 x 8. Pixels that fill no patch are not
            seen.
        relative: learn relative positions for keys and values.
        max_distance: largest relative distance that is told apart; never more than the longer side of the grid.
        pooling: ``mean`` over the patches, or the class ``token``, before the classifier.

    Raises:
        ConfigError: a setting is empty, repeated or out of range.

    Example:
        >>> AutoFormerTiny().size
        1056964608
        >>> AutoFormerTiny(embeds=(16, 32), depths=(1, 2), ratios=(2, 4), heads=(1, 2)).size  # 2 * (4 + 16)
        40
    """

    def __init__(
        self,
        embeds: Sequence[int],
        depths: Sequence[int],
        ratios: Sequence[float],
        heads: Sequence[int],
        head_dim: int = 64,
        patch: int | None = None,
        relative: bool = True,
        max_distance: int = 14,
        pooling: str = "mean",
    ) -> None:
        self._head_dim, self._patch, self._pooling = head_dim, patch, pooling
        self._max_distance = max_distance if relative else 0
        self._width = self._depth_factor = 1.0  # of networks, at low fidelity
        name = getattr(self, "name", "autoformer")
        rules = (
            (all(e >= 1 for e in embeds), f"positive embeds, got {tuple(embeds)}"),
            (all(h >= 1 for h in heads), f"positive heads, got {tuple(heads)}"),
            (all(r * e >= 1 for r in ratios for e in embeds), f"ratios that leave a channel, got {tuple(ratios)}"),
            (head_dim >= 1, f"head_dim >= 1, got {head_dim}"),
            (patch is None or patch >= 1, f"patch >= 1, got {patch}"),
            (not relative or max_distance >= 1, f"max_distance >= 1 or relative=false, got {max_distance}"),
            (pooling in _POOLINGS, f"pooling out of {', '.join(_POOLINGS)}, got {shown(pooling)}"),
        )
        for holds, rule in rules:
            if not holds:
                raise ConfigError(f"{name}: expected {rule}.")
        layer = (Decision("mlp", tuple(ratios)), Decision("heads", tuple(heads)))
        super().__init__(name, [Decision("embed", tuple(embeds))], [Group("layer", tuple(depths), layer)])

    def from_config(self, config: Mapping[str, Any]) -> Architecture:
        """The architecture with these values by name.

        The names are ``embed``, ``depth``, ``mlp`` and ``heads``, or those of the official files (``EMBED_DIM``,
        ``DEPTH``, ``MLP_RATIO``, ``NUM_HEADS``, also within ``RETRAIN``), or those of its sampled configurations
        (``embed_dim`` with one entry per layer, ``layer_num``, ``mlp_ratio``, ``num_heads``).

        Raises:
            InvalidArchitectureError: a name is missing or unknown, a value is not in the space, or a list has not
                as many entries as there are layers.
        """
        config = config.get("RETRAIN", config)
        for names in (_OFFICIAL, _SAMPLED):
            if set(names) & set(config):
                config = {names.get(name, name): value for name, value in config.items()}
        width = config.get("embed")
        if isinstance(width, Sequence) and not isinstance(width, str):
            if len(set(width)) != 1:
                raise InvalidArchitectureError(f"{self.name}: expected one width in all layers, got {list(width)}.")
            config = {**config, "embed": width[0]}
        return super().from_config(config)

    # ------------------------------------------------------------------ networks

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        """A vision transformer for images.

        Raises:
            ConfigError: the task is no image classification, or its images are smaller than the patch.
        """
        from gennas.spaces.parts import Plain

        return self.network(Plain(arch), spec)

    def network(self, parts: Parts, spec: TaskSpec) -> nn.Module:
        """A vision transformer of parts; in a shared one sizes are leading slices, and the first layers run.

        Raises:
            ConfigError: as :meth:`build`.
        """
        from gennas.spaces.autoformer.networks import VisionTransformer

        return VisionTransformer(self._sizes(self.values(parts), spec), spec, parts)

    def _sizes(self, config: Mapping[str, Any], spec: TaskSpec) -> Sizes:
        from gennas.spaces.autoformer.networks import Sizes
        from gennas.spaces.parts import Elastic, sized

        if isinstance(config["depth"], Elastic):
            refuse_shared_depth(self.name, self._depth_factor)
        layers = stretched(range(len(config["heads"])), self._depth_factor)
        patch, grid = patch_grid(self.name, self._patch, spec)
        width = sized(self._scaled, config["embed"])
        return Sizes(
            width,
            sized(lambda depth: scaled_count(depth, self._depth_factor), config["depth"]),
            [sized(int, config["heads"][i]) for i in layers],
            [sized(lambda channels, ratio: int(channels * ratio), width, config["mlp"][i]) for i in layers],
            self._scaled(self._head_dim),
            patch,
            grid,
            min(self._max_distance, max(grid)),
            self._pooling,
        )

    def count_parameters(self, population: Population, spec: TaskSpec) -> NDArray[np.int64]:
        """The formula above, ``(b,)``."""
        patch, grid = patch_grid(self.name, self._patch, spec)
        head_dim = self._scaled(self._head_dim)
        largest = min(self._max_distance, max(grid))
        tables = 4 * (2 * largest + 2) * head_dim if largest else 0
        E = np.array([self._scaled(e) for e in self.column(population, "embed")], dtype=np.int64)
        depth = self.depth(population.decisions)
        count = np.array([scaled_count(int(d), self._depth_factor) for d in depth])
        layers = np.minimum(np.arange(count.max(initial=1)), depth[:, None] - 1)  # the last one is repeated
        q = head_dim * np.take_along_axis(self.column(population, "heads"), layers, axis=1).astype(np.int64)
        m = (E[:, None] * np.take_along_axis(self.column(population, "mlp"), layers, axis=1)).astype(np.int64)
        width = E[:, None]
        each = 4 * width + (width + 1) * 3 * q + (q + 1) * width + tables + (width + 1) * m + (m + 1) * width
        there = np.arange(layers.shape[1]) < count[:, None]
        ends = E * (spec.input_shape[0] * patch**2 + 1 + 1 + math.prod(grid) + 1 + 2) + (E + 1) * spec.num_outputs
        total: NDArray[np.int64] = ends + np.where(there, each, 0).sum(1)
        return total

    def _scaled(self, channels: float) -> int:
        return max(1, round(channels * self._width))

    def scaled(self, width: float = 1.0, depth: float = 1.0) -> AutoFormer:
        """The same space with ``width`` times the channels of tokens and of heads, and ``depth`` times the layers.

        Numbers of heads stay. Layers are cut from the end, or the last one is repeated.
        """
        space = copy(self)
        space._width, space._depth_factor = self._width * width, self._depth_factor * depth
        return space


@SPACES.register("autoformer-tiny")
class AutoFormerTiny(AutoFormer):
    """AutoFormer-T: 1,056,964,608 vision transformers of 5.4 to 10.5 million parameters.

    The network that was released as AutoFormer-T (:attr:`released`; 5,867,944 parameters) has MLP ratios of 3,
    which the published space lacks: ``AutoFormerTiny(ratios=(3, 3.5, 4))`` has it.
    """

    name = "autoformer-tiny"
    released: ClassVar[str] = (
        "embed=192;depth=13;mlp=3.5,3.5,3,3.5,3,3,4,4,3.5,4,3.5,4,3.5;heads=3,3,3,3,3,3,3,3,3,3,4,3,3"
    )
    """Text of the released network."""

    def __init__(
        self,
        embeds: Sequence[int] = (192, 216, 240),
        depths: Sequence[int] = (12, 13, 14),
        ratios: Sequence[float] = (3.5, 4),
        heads: Sequence[int] = (3, 4),
        head_dim: int = 64,
        patch: int | None = None,
        relative: bool = True,
        max_distance: int = 14,
        pooling: str = "mean",
    ) -> None:
        super().__init__(embeds, depths, ratios, heads, head_dim, patch, relative, max_distance, pooling)


@SPACES.register("autoformer-small")
class AutoFormerSmall(AutoFormer):
    """AutoFormer-S: 77,103,263,459,313 vision transformers of 13 to 35 million parameters."""

    name = "autoformer-small"
    reference: ClassVar[Mapping[str, str]] = {
        "AutoFormer-S": "embed=384;depth=13;mlp=3,3.5,3,3.5,4,4,4,4,4,4,4,3.5,4;heads=6,6,5,7,5,5,5,6,6,7,7,6,7"
    }

    def __init__(
        self,
        embeds: Sequence[int] = (320, 384, 448),
        depths: Sequence[int] = (12, 13, 14),
        ratios: Sequence[float] = (3, 3.5, 4),
        heads: Sequence[int] = (5, 6, 7),
        head_dim: int = 64,
        patch: int | None = None,
        relative: bool = True,
        max_distance: int = 14,
        pooling: str = "mean",
    ) -> None:
        super().__init__(embeds, depths, ratios, heads, head_dim, patch, relative, max_distance, pooling)


@SPACES.register("autoformer-base")
class AutoFormerBase(AutoFormer):
    """AutoFormer-B: 10,108,977,168,384 vision transformers of 42 to 77 million parameters.

    Layers have 9 or 10 heads as in the published supernet; with ``heads=(8, 9, 10)``, which the file of the
    released network lists, there are 6,245,364,340,204,353.
    """

    name = "autoformer-base"
    reference: ClassVar[Mapping[str, str]] = {
        "AutoFormer-B": "embed=576;depth=14;mlp=3.5,3.5,4,3.5,4,3.5,3.5,3,4,4,3,4,3,3.5;"
        "heads=9,9,9,9,9,10,9,9,10,9,10,9,9,10"
    }

    def __init__(
        self,
        embeds: Sequence[int] = (528, 576, 624),
        depths: Sequence[int] = (14, 15, 16),
        ratios: Sequence[float] = (3, 3.5, 4),
        heads: Sequence[int] = (9, 10),
        head_dim: int = 64,
        patch: int | None = None,
        relative: bool = True,
        max_distance: int = 14,
        pooling: str = "mean",
    ) -> None:
        super().__init__(embeds, depths, ratios, heads, head_dim, patch, relative, max_distance, pooling)
