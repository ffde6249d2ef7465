"""Once-for-all: five units of MobileNetV3 blocks with depth, kernels and expansions, and the images' resolution.

Source: Cai et al., "Once-for-All: Train One Network and Specialize it for Efficient Deployment", ICLR 2020,
arXiv 1908.09791.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.graph import Architecture
from gennas.spaces.base import SPACES
from gennas.spaces.layered import Decision, Group
from gennas.spaces.layered.decision import Value
from gennas.spaces.mobilenet.base import MobileSpace
from gennas.spaces.mobilenet.blocks import Block, Skeleton, make_divisible

if TYPE_CHECKING:
    from torch import nn

    from gennas.spaces.parts import Parts
    from gennas.spaces.spec import TaskSpec

__all__ = ["OFA"]

_STEM, _WIDTHS, _HEAD, _MIX = 16, (24, 40, 80, 112, 160), 960, 1280
_STRIDES = (2, 2, 2, 1, 2)
_ACTIVATIONS = ("relu", "relu", "h_swish", "h_swish", "h_swish")
_SQUEEZES = (False, True, False, True, True)
_MOST = 4  # layers of a unit


def _of(value: Any, function: Callable[[Any], int]) -> Any:
    """A function of a number, or of all that it can be."""
    if isinstance(value, (int, float)):
        return function(value)
    from gennas.spaces.parts import sized

    return sized(function, value)


def _alike(kernel: int, expansion: int, depth: int) -> str:
    """The text of a network whose layers are all alike."""
    kernels, expansions = (",".join([str(value)] * depth) for value in (kernel, expansion))
    return ";".join(f"unit{i}.depth={depth};unit{i}.k={kernels};unit{i}.e={expansions}" for i in range(1, 6))


@SPACES.register("ofa")
class OFA(MobileSpace):
    r"""Five units of two to four layers, each with kernel 3, 5 or 7 and expansion 3, 4 or 6.

    The skeleton is MobileNetV3-large: a fixed block, squeeze-and-excitation in units 2, 4 and 5, a 1x1 convolution to
    960 channels, and one to 1,280 after the average. The space holds :math:`(9^2 + 9^3 + 9^4)^5` =
    21,758,655,492,572,485,851 architectures, times the number of resolutions.

    Args:
        resolutions: sides to choose from, to which the network scales its images; none leaves images as they are.
            The published ones are 128, 132, …, 224.
        width_mult: factor of all channels; 1.2 is published, too.
        min_side: least side of the last feature map: on images of 96 pixels or fewer the first strides are left out.

    Raises:
        ConfigError: settings out of range.

    Example:
        >>> space = OFA()
        >>> space.size
        21758655492572485851
        >>> arch = space.from_config({"ks": [3] * 20, "e": [6] * 20, "d": [2, 2, 2, 2, 3]})
        >>> space.to_text(arch)[-40:]
        'nit5.depth=3;unit5.k=3,3,3;unit5.e=6,6,6'
        >>> space.official(arch)["d"]
        [2, 2, 2, 2, 3]
    """

    name = "ofa"
    reference: ClassVar[Mapping[str, str]] = {
        "OFA-smallest": _alike(3, 3, 2),
        "OFA-middle": _alike(5, 4, 3),
        "OFA-largest": _alike(7, 6, 4),
    }

    def __init__(self, resolutions: Sequence[int] = (), width_mult: float = 1, min_side: int = 4) -> None:
        if any(type(side) is not int or side < 1 for side in resolutions):
            raise ConfigError(f"{self.name}: expected positive resolutions, got {tuple(resolutions)}.")
        self.resolutions = tuple(resolutions)
        layer = (Decision("k", (3, 5, 7)), Decision("e", (3, 4, 6)))
        units = [Group(f"unit{i}", (2, 3, _MOST), layer) for i in range(1, 6)]
        whole = [Decision("resolution", self.resolutions)] if self.resolutions else []
        super().__init__(self.name, units, whole, width_mult, min_side)

    def skeleton(self) -> Skeleton:
        """Stem of stride 2, a block without expansion, and the two 1x1 convolutions of MobileNetV3."""
        stem = self.channels(_STEM)
        first = Block(stem, stem, stem, 3, expands=False, activation="relu")
        return Skeleton(stem, 2, self.channels(_HEAD), self.channels(_MIX), first, "h_swish")

    def block(self, stage: int, layer: int, values: Mapping[str, Value]) -> Block:
        """The block of a layer with its published stride."""
        outputs = self.channels(_WIDTHS[stage])
        inputs = outputs if layer else self.channels((_STEM, *_WIDTHS)[stage])
        stride, activation = 1 if layer else _STRIDES[stage], _ACTIVATIONS[stage]
        hidden = _of(values["e"], lambda e: make_divisible(inputs * float(e)))
        squeeze = _of(hidden, lambda c: make_divisible(c / 4)) if _SQUEEZES[stage] else 0
        kernel = _of(values["k"], int)
        return Block(inputs, outputs, hidden, kernel, stride, squeeze=squeeze, activation=activation)

    def network(self, parts: Parts, spec: TaskSpec) -> nn.Module:
        """A network of parts; in a shared one the first layers of a unit run, their hidden channels are slices.

        Kernels shrink by learned matrices: :class:`~gennas.spaces.parts.ElasticKernelConv2d`. They can be chosen, not
        mixed.

        Raises:
            ConfigError: the task is not about images, or resolutions are decisions: strides depend on them.
        """
        if self.resolutions:
            raise ConfigError(
                f"Space {self.name!r} has no weight-sharing network with resolutions as decisions, on which its "
                "strides depend: leave resolutions empty."
            )
        return self._assembled(parts, spec)

    def resolution(self, config: Mapping[str, Any]) -> int:
        """The side to which a network scales its images; 0 where that is not searched."""
        return int(config.get("resolution", 0))

    def official(self, arch: Architecture) -> dict[str, Any]:
        """The official dictionary: four kernels ``ks`` and expansions ``e`` for each unit, depths ``d``.

        A searched resolution is ``r``. Layers that are not there repeat the last one.
        """
        config = self.config(arch)
        found: dict[str, Any] = {"ks": [], "e": [], "d": [config[f"unit{i}.depth"] for i in range(1, 6)]}
        for i in range(1, 6):
            for field, name in (("ks", "k"), ("e", "e")):
                values = config[f"unit{i}.{name}"]
                found[field] += [*values, *[values[-1]] * (_MOST - len(values))]
        return found | ({"r": [config["resolution"]]} if self.resolutions else {})

    def from_config(self, config: Mapping[str, Any]) -> Architecture:
        """The architecture of an official dictionary ``{ks, e, d}``, or of values as :meth:`config` gives them.

        ``ks`` and ``e`` have four entries for each unit, of which those beyond the depth are not read; ``r`` is read
        where the resolution is searched; ``wid`` must be None.

        Raises:
            InvalidArchitectureError: lists of another length, a width, or values outside the space.
        """
        if "ks" not in config:
            return super().from_config(config)
        for field, length in (("ks", 5 * _MOST), ("e", 5 * _MOST), ("d", 5)):
            got = config.get(field)
            if not isinstance(got, Sequence) or len(got) != length:
                number = len(got) if isinstance(got, Sequence) else repr(got)
                raise InvalidArchitectureError(f"{self.name}: expected {length} entries of {field}, got {number}.")
        if config.get("wid") is not None:
            raise InvalidArchitectureError(f"{self.name}: expected no 'wid' (it is the space's width_mult).")
        read: dict[str, Any] = {}
        if self.resolutions:
            side = config.get("r", self.resolutions[-1])
            read["resolution"] = side[0] if isinstance(side, Sequence) and side else side
        for i, depth in enumerate(config["d"]):
            start, end = _MOST * i, _MOST * i + (depth if isinstance(depth, int) else 0)
            layers = {"k": list(config["ks"][start:end]), "e": list(config["e"][start:end])}
            read |= {f"unit{i + 1}.depth": depth, **{f"unit{i + 1}.{name}": values for name, values in layers.items()}}
        return super().from_config(read)
