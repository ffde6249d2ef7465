"""FBNet: 22 layers with one of nine blocks each.

Source: Wu et al., "FBNet: Hardware-Aware Efficient ConvNet Design via Differentiable Neural Architecture Search",
CVPR 2019, arXiv 1812.03443. The order of the blocks is that of HW-NAS-Bench (Li et al. 2021, arXiv 2103.10584).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, ClassVar

from gennas.errors import InvalidArchitectureError
from gennas.graph import Architecture
from gennas.spaces.base import SPACES
from gennas.spaces.layered import Decision, Group
from gennas.spaces.layered.decision import Value
from gennas.spaces.mobilenet.base import MobileSpace
from gennas.spaces.mobilenet.blocks import Block, Skeleton

if TYPE_CHECKING:
    from torch import nn

    from gennas.spaces.parts import Parts
    from gennas.spaces.spec import TaskSpec

__all__ = ["FBNet"]

_DEPTHS, _STRIDES = (1, 4, 4, 4, 4, 4, 1), (1, 2, 2, 2, 1, 2, 1)
_STEM, _WIDTHS = 16, (16, 24, 32, 64, 112, 184, 352)
_BLOCKS = {f"k{k}_{e}": (k, int(e[1]), 2 if "g" in e else 1) for k in (3, 5) for e in ("e1", "e1_g2", "e3", "e6")}
_OPERATIONS = (*_BLOCKS, "skip")


@SPACES.register("fbnet")
class FBNet(MobileSpace):
    r"""Layers ``k3_e1``, ``k3_e1_g2``, ``k3_e3``, ``k3_e6``, the same with ``k5``, or ``skip``: 22 in seven stages.

    A block always has its 1x1 expansion; ``g2`` splits the 1x1 convolutions into two groups and shuffles the channels
    in between. A skip where the width or the resolution changes is a 1x1 convolution with batch norm. The space holds
    :math:`9^{22}` = 984,770,902,183,611,232,881 texts; as in the paper a skip counts where it stands, although
    a stage computes the same wherever its later skips are. The text form lists the layers, stages between bars.

    Args:
        head: channels of the last 1x1 convolution: 1,984 for ImageNet, 1,504 in HW-NAS-Bench's CIFAR-100.
        width_mult: factor of all channels.
        min_side: least side of the last feature map: on images of 96 pixels or fewer the first strides are left out; at
            32 pixels the strides are those of HW-NAS-Bench's CIFAR-100.

    Raises:
        ConfigError: settings out of range.

    Example:
        >>> space = FBNet()
        >>> space.size
        984770902183611232881
        >>> arch = space.from_config({"op_idx_list": [0, 3, 8, *[7] * 19]})
        >>> space.to_text(arch)[:31]
        'k3_e1|k3_e6,skip,k5_e6,k5_e6|k5'
    """

    name = "fbnet"
    reference: ClassVar[Mapping[str, str]] = {
        "FBNet-C": "k3_e1|k3_e6,skip,k3_e1,k3_e1|k5_e6,k5_e3,k5_e6,k3_e6|k5_e6,k5_e3,k5_e6,k5_e6|"
        "k5_e6,k5_e6,k5_e6,k5_e3|k5_e6,k5_e6,k5_e6,k5_e6|k3_e6",
    }

    def __init__(self, head: int = 1984, width_mult: float = 1, min_side: int = 4) -> None:
        self.head = head
        op = Decision("op", _OPERATIONS)
        stages = [Group(f"stage{i}", (n,), (op,)) for i, n in enumerate(_DEPTHS, start=1)]
        super().__init__(self.name, stages, (), width_mult, min_side)

    def skeleton(self) -> Skeleton:
        """Stem of stride 2, head."""
        return Skeleton(self.channels(_STEM), 2, self.channels(self.head), activation="relu")

    def block(self, stage: int, layer: int, values: Mapping[str, Value]) -> Block:
        """The block of a layer with its published stride."""
        before, published = (_STEM, *_WIDTHS)[stage], _WIDTHS[stage]
        outputs = self.channels(published)
        inputs, stride = (outputs, 1) if layer else (self.channels(before), _STRIDES[stage])
        if values["op"] == "skip":
            return Block(inputs, outputs, 0, stride=stride, projects=not layer and (stride > 1 or before != published))
        kernel, expansion, groups = _BLOCKS[str(values["op"])]
        return Block(inputs, outputs, inputs * expansion, kernel, stride, groups=groups, activation="relu")

    def network(self, parts: Parts, spec: TaskSpec) -> nn.Module:
        """A network of parts; in a shared one every layer has one block for each word.

        Raises:
            ConfigError: the task is not about images.
        """
        return self._assembled(parts, spec)

    def to_text(self, arch: Architecture) -> str:
        """The layers, stages between bars: ``k3_e1|k3_e6,skip,k3_e1,k3_e1|…``."""
        return self._operations_text(arch)

    def from_text(self, text: str) -> Architecture:
        """Read what :meth:`to_text` writes.

        Raises:
            InvalidArchitectureError: not seven stages of 1, 4, 4, 4, 4, 4 and 1 known layers.
        """
        return self._from_operations([[word.strip() for word in stage.split(",")] for stage in text.split("|")])

    def from_config(self, config: Mapping[str, Any]) -> Architecture:
        """The architecture of HW-NAS-Bench's ``{"op_idx_list": 22 indices}``, or of what :meth:`config` gives.

        Raises:
            InvalidArchitectureError: not 22 indices from 0 to 8, or as in every layered space.
        """
        if "op_idx_list" not in config:
            return super().from_config(config)
        found = config["op_idx_list"]
        known = range(len(_OPERATIONS))
        if not isinstance(found, Sequence) or len(found) != sum(_DEPTHS) or any(i not in known for i in found):
            raise InvalidArchitectureError(
                f"{self.name}: expected op_idx_list of {sum(_DEPTHS)} indices from 0 to {len(_OPERATIONS) - 1}, "
                f"got {found!r:.200}."
            )
        ends = accumulate(_DEPTHS, initial=0)
        return self._from_operations([[_OPERATIONS[i] for i in found[a:b]] for a, b in pairwise(ends)])
