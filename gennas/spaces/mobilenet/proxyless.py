"""ProxylessNAS: 21 layers of inverted bottlenecks with kernel and expansion of their own.

Source: Cai, Zhu and Han, "ProxylessNAS: Direct Neural Architecture Search on Target Task and Hardware", ICLR 2019,
arXiv 1812.00332.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from gennas.errors import ConfigError, shown
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

__all__ = ["ProxylessNAS"]

# stem, first block, the six units, head
_WIDTHS = {
    "search": (32, 16, (24, 40, 80, 96, 192, 320), 1280),
    "mobile": (32, 16, (32, 40, 80, 96, 192, 320), 1280),
    "gpu": (40, 24, (32, 56, 112, 128, 256, 432), 1728),
    "cpu": (40, 24, (32, 48, 88, 104, 216, 360), 1432),
}
_DEPTHS, _STRIDES = (4, 4, 4, 4, 4, 1), (2, 2, 2, 1, 2, 1)
_OPERATIONS = tuple(f"k{k}_e{e}" for k in (3, 5, 7) for e in (3, 6))


@SPACES.register("proxyless")
class ProxylessNAS(MobileSpace):
    r"""Six units of layers ``k3_e3`` to ``k7_e6``: kernel and expansion; all but the first of a unit may be ``skip``.

    With 6 first layers and 15 others the space holds :math:`6^6 \cdot 7^{15}` = 221,502,229,807,900,608 texts. As in
    the paper a skip counts where it stands, although a unit computes the same wherever its skips are. The text form
    lists the layers, units between bars: ``k5_e3,k3_e3,skip,skip|…|k7_e6``.

    Args:
        skeleton: widths of stem, units and head: those of the ``search``, or of the published ``mobile``, ``gpu`` and
            ``cpu`` networks. Architectures are the same in all of them.
        width_mult: factor of all channels.
        min_side: least side of the last feature map: on images of 96 pixels or fewer the first strides are left out.

    Raises:
        ConfigError: an unknown skeleton, or settings out of range.

    Example:
        >>> space = ProxylessNAS("mobile")
        >>> space.size
        221502229807900608
        >>> space.to_text(space.from_text(space.reference["ProxylessNAS-mobile"]))[:22]
        'k5_e3,k3_e3,skip,skip|'
    """

    name = "proxyless"
    reference: ClassVar[Mapping[str, str]] = {
        "ProxylessNAS-mobile": "k5_e3,k3_e3,skip,skip|k7_e3,k3_e3,k5_e3,k5_e3|k7_e6,k5_e3,k5_e3,k5_e3|"
        "k5_e6,k5_e3,k5_e3,k5_e3|k7_e6,k7_e6,k7_e3,k7_e3|k7_e6",
        "ProxylessNAS-GPU": "k5_e3,skip,skip,skip|k7_e3,skip,skip,k3_e3|k7_e6,skip,skip,k5_e3|"
        "k5_e6,skip,k3_e3,k5_e3|k7_e6,k7_e6,k7_e6,k5_e6|k7_e6",
        "ProxylessNAS-CPU": "k3_e6,k3_e3,k3_e3,k3_e3|k3_e6,k3_e3,k3_e3,k5_e3|k3_e6,skip,skip,k3_e3|"
        "k5_e6,k3_e3,k3_e3,k3_e3|k5_e6,k5_e3,k5_e3,k3_e3|k5_e6",
    }

    def __init__(
        self, skeleton: Literal["search", "mobile", "gpu", "cpu"] = "search", width_mult: float = 1, min_side: int = 4
    ) -> None:
        if skeleton not in _WIDTHS:
            raise ConfigError(f"{self.name}: expected skeleton out of {', '.join(_WIDTHS)}, got {shown(skeleton)}.")
        self.widths = _WIDTHS[skeleton]
        op = Decision("op", (*_OPERATIONS, "skip"), first=_OPERATIONS)
        single = Decision("op", _OPERATIONS)
        units = [Group(f"unit{i}", (n,), (op if n > 1 else single,)) for i, n in enumerate(_DEPTHS, start=1)]
        super().__init__(self.name, units, (), width_mult, min_side)

    def skeleton(self) -> Skeleton:
        """Stem of stride 2, and a block without expansion."""
        stem, first = self.channels(self.widths[0]), self.channels(self.widths[1])
        return Skeleton(stem, 2, self.channels(self.widths[3]), first=Block(stem, first, stem, 3, expands=False))

    def block(self, stage: int, layer: int, values: Mapping[str, Value]) -> Block:
        """The block of a layer with its published stride."""
        widths = [self.channels(width) for width in (self.widths[1], *self.widths[2])]
        outputs = widths[stage + 1]
        inputs = outputs if layer else widths[stage]
        if values["op"] == "skip":
            return Block(inputs, outputs, 0)
        kernel, expansion = (int(part[1:]) for part in str(values["op"]).split("_"))
        return Block(inputs, outputs, inputs * expansion, kernel, 1 if layer else _STRIDES[stage])

    def network(self, parts: Parts, spec: TaskSpec) -> nn.Module:
        """A network of parts; in a shared one every layer has one block for each word.

        Raises:
            ConfigError: the task is not about images.
        """
        return self._assembled(parts, spec)

    def to_text(self, arch: Architecture) -> str:
        """The layers, units between bars: ``k5_e3,k3_e3,skip,skip|…|k7_e6``."""
        return self._operations_text(arch)

    def from_text(self, text: str) -> Architecture:
        """Read what :meth:`to_text` writes.

        Raises:
            InvalidArchitectureError: not six units of 4, 4, 4, 4, 4 and 1 known layers.
        """
        return self._from_operations([[word.strip() for word in unit.split(",")] for unit in text.split("|")])
