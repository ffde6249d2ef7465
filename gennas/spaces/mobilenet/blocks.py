"""Inverted bottlenecks: what one is, how many parameters it has, and its module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gennas.errors import ConfigError

if TYPE_CHECKING:
    from gennas.spaces.spec import TaskSpec

__all__ = ["Block", "Skeleton", "check_scale", "make_divisible"]


@dataclass(frozen=True)
class Block:
    """An inverted bottleneck (Sandler et al. 2018, arXiv 1801.04381): expand, depthwise, project linearly.

    Of shared weights hidden channels, kernel and squeezed channels may be all that they can be. A block is residual
    where stride and widths let it be. With ``hidden=0`` it is a skip: the identity, or where it
    ``projects`` a 1x1 convolution with batch norm.

    Args:
        inputs: channels that come in.
        outputs: channels that go out.
        hidden: channels of the depthwise convolution; 0 for a skip.
        kernel: size of the depthwise convolution.
        stride: its stride.
        expands: whether a 1x1 convolution leads to the hidden channels.
        projects: whether a skip is a convolution.
        groups: groups of the 1x1 convolutions, whose channels are shuffled in between.
        squeeze: channels of squeeze-and-excitation's bottleneck; 0 for none.
        activation: ``relu``, ``relu6`` or ``h_swish``.
    """

    inputs: int
    outputs: int
    hidden: Any
    kernel: Any = 1
    stride: int = 1
    expands: bool = True
    projects: bool = False
    groups: int = 1
    squeeze: Any = 0
    activation: str = "relu6"

    @property
    def num_parameters(self) -> int:
        """Weights, two for each channel of a batch norm, and the biases of squeeze-and-excitation."""
        if not self.hidden:
            return (self.inputs + 2) * self.outputs if self.projects else 0
        expand = self.inputs * self.hidden // self.groups + 2 * self.hidden if self.expands else 0
        depthwise = (self.kernel**2 + 2) * self.hidden
        excite = (2 * self.hidden + 1) * self.squeeze + self.hidden if self.squeeze else 0
        total: int = expand + depthwise + excite + self.hidden * self.outputs // self.groups + 2 * self.outputs
        return total


@dataclass(frozen=True)
class Skeleton:
    """What surrounds the searched blocks: stem, a fixed block, 1x1 convolutions before and after the pooling.

    Args:
        stem: channels of the first 3x3 convolution.
        stem_stride: its stride.
        head: channels of the 1x1 convolution before the average over all places.
        mix: channels of a 1x1 convolution without batch norm after it; 0 for none.
        first: a block before the searched ones.
        activation: of stem, head and mix.
    """

    stem: int
    stem_stride: int
    head: int
    mix: int = 0
    first: Block | None = None
    activation: str = "relu6"

    def num_parameters(self, last: int, spec: TaskSpec) -> int:
        """Parameters around blocks that end with ``last`` channels."""
        stem = (9 * spec.input_shape[0] + 2) * self.stem + (self.first.num_parameters if self.first else 0)
        features = self.mix or self.head
        return stem + (last + 2) * self.head + self.head * self.mix + (features + 1) * spec.num_outputs


def make_divisible(value: float, divisor: int = 8) -> int:
    """The nearest multiple of ``divisor``, at least ``divisor``, and at least nine tenths of ``value``.

    The rule of MobileNet's reference code for numbers of channels.

    Example:
        >>> make_divisible(24 * 4), make_divisible(40 * 0.75), make_divisible(3)
        (96, 32, 8)
    """
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def check_scale(name: str, width_mult: float, min_side: int) -> None:
    """Refuse settings of the size of networks.

    Raises:
        ConfigError: no positive ``width_mult``, or ``min_side`` below 1.
    """
    if width_mult <= 0 or min_side < 1:
        raise ConfigError(f"{name}: expected width_mult > 0 and min_side >= 1, got {width_mult} and {min_side}.")
