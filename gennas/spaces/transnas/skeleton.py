"""What the two spaces of TransNAS-Bench-101 share: modules that double the width, halve the resolution, or both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gennas.errors import ConfigError

__all__ = ["MODULES", "Place", "channels", "check_skeleton", "places", "stem_parameters"]

MODULES = ("plain", "double", "half", "both")  # digits 1 to 4


@dataclass(frozen=True)
class Place:
    """Where a cell or block stands.

    Args:
        inputs: channels that come in.
        outputs: channels that go out.
        stride: its published stride.
    """

    inputs: int
    outputs: int
    stride: int

    @property
    def keeps_shape(self) -> bool:
        """Whether resolution and channels stay."""
        return self.stride == 1 and self.inputs == self.outputs


def places(modules: Sequence[str], width: int, blocks: int) -> Iterator[Place]:
    """The places of all cells: ``blocks`` in each module, of which the first doubles and halves.

    Example:
        >>> [(p.inputs, p.outputs, p.stride) for p in places(["both", "plain"], 64, 2)]
        [(64, 128, 2), (128, 128, 1), (128, 128, 1), (128, 128, 1)]
    """
    for module in modules:
        outputs = 2 * width if module in ("double", "both") else width
        yield Place(width, outputs, 2 if module in ("half", "both") else 1)
        width = outputs
        yield from [Place(width, width, 1)] * (blocks - 1)


def channels(width: int, factor: float) -> int:
    """Channels of the stem at a factor: an even number, since its first convolution has half of them."""
    return max(2, 2 * round(width * factor / 2))


def stem_parameters(inputs: int, width: int) -> int:
    """Weights and batch norms of two 3x3 convolutions to half the width and to all of it."""
    half = width // 2
    return (9 * inputs + 2) * half + (9 * half + 2) * width


def check_skeleton(name: str, width: int, blocks: int, min_side: int) -> None:
    """Refuse settings out of range.

    Raises:
        ConfigError: an odd or non-positive width, no blocks, or ``min_side`` below 1.
    """
    if width < 2 or width % 2 or blocks < 1 or min_side < 1:
        raise ConfigError(
            f"{name}: expected an even, positive width, blocks >= 1 and min_side >= 1, got width={width}, "
            f"blocks={blocks}, min_side={min_side}."
        )
