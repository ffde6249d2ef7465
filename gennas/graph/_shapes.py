"""What drawings consist of: boxes, curves, and the colours of labels."""

from __future__ import annotations

import colorsys
import hashlib
from dataclasses import dataclass

Point = tuple[float, float]

NEUTRAL = ("#e9edf2", "#8592a3")  # fill and stroke of what is no choice
MARGIN = 14.0
_SALT = b"1689"  # keeps the operations of the published spaces well apart in hue


@dataclass(frozen=True)
class Line:
    """One line of text in a box."""

    text: str
    size: float
    bold: bool = False

    @property
    def width(self) -> float:
        return text_width(self.text, self.size) * (1.1 if self.bold else 1.0)


@dataclass(frozen=True)
class Box:
    """A rounded box around ``(x, y)``, at least ``least_width`` wide; ``name`` is its whole text."""

    name: str
    lines: tuple[Line, ...]
    fill: str
    stroke: str
    x: float = 0.0
    y: float = 0.0
    least_width: float = 0.0

    @property
    def width(self) -> float:
        return max(self.least_width, max(line.width for line in self.lines) + 14)

    @property
    def height(self) -> float:
        return sum(line.size * 1.3 for line in self.lines) + 12


@dataclass(frozen=True)
class Curve:
    """A chain of cubic Bézier pieces (``1 + 3 k`` points) ending in an arrowhead."""

    points: tuple[Point, ...]
    color: str
    label: str = ""
    label_at: Point = (0.0, 0.0)


@dataclass(frozen=True)
class Drawing:
    """Boxes and curves on a canvas of ``width`` by ``height`` pixels."""

    boxes: tuple[Box, ...]
    curves: tuple[Curve, ...]
    width: float
    height: float


def text_width(text: str, size: float) -> float:
    """Estimated width of ``text`` in a sans-serif font."""
    return 0.62 * size * len(text)


def colors(label: str) -> tuple[str, str]:
    """A light and a dark colour that depend on the label alone."""
    hue, tone = _hue(label)
    return _hex(hue, 0.88 - 0.06 * tone, 0.75), _hex(hue, 0.42 - 0.06 * tone, 0.6)


def shades(name: str, level: float) -> tuple[str, str]:
    """Fill and stroke of a number: one hue for each name, darker from level 0 to 1."""
    hue, _ = _hue(name)
    return _hex(hue, 0.96 - 0.24 * level, 0.65), _hex(hue, 0.55, 0.35)


def _hue(label: str) -> tuple[float, int]:
    digest = hashlib.blake2b(label.encode(), digest_size=2, key=_SALT).digest()
    return digest[0] / 256, digest[1] % 3


def _hex(hue: float, lightness: float, saturation: float) -> str:
    return "#" + "".join(f"{round(255 * c):02x}" for c in colorsys.hls_to_rgb(hue, lightness, saturation))
