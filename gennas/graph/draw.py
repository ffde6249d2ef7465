"""Drawings of architectures, layered from left to right, as SVG text or PNG files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from gennas.graph._layout import EDGE_LABEL_SIZE, lay_out
from gennas.graph._shapes import Box, Curve, Drawing, text_width
from gennas.graph.architecture import Architecture
from gennas.runtime.files import draft

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_png", "draw_svg"]

_TITLE_HEIGHT = 24.0
_INK = "#1f2933"


def draw_svg(arch: Architecture, title: str = "") -> str:
    """A self-contained SVG drawing of ``arch``: no scripts, no fonts or styles from outside.

    Every operation has one colour that depends on its name only; what the schema fixes is grey.
    Edges carry their operation where the schema has several; decisions named ``prefix.part`` share a box.
    More than eight layers are a table (:func:`~gennas.graph.layers.layer_table`): one row per layer, one column per
    decision, numbers the darker the higher they are.

    Args:
        arch: what to draw.
        title: a line above the drawing.

    Example:
        >>> from gennas.spaces import MacroChain
        >>> space = MacroChain()
        >>> svg = draw_svg(space.from_text("conv3x3-w16-s1/inverted5x5-w32-s2"))
        >>> svg.count("<rect"), "inverted" in svg
        (3, True)
    """
    drawing = lay_out(arch)
    width, height, top = _canvas(drawing, title)
    heads = {c.color: f"arrow-{c.color[1:]}" for c in drawing.curves}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.1f} {height:.1f}" font-family="Helvetica, Arial, sans-serif" role="img">',
        f"<title>{escape(title or arch.schema.name)}</title>",
        f"<defs>{''.join(_svg_arrowhead(color, name) for color, name in heads.items())}</defs>",
        _svg_text(title, 14, top - 8, 14, _INK, bold=True, anchor="start") if title else "",
        f'<g transform="translate(0 {top:.1f})">',
        *(_svg_path(curve, heads[curve.color]) for curve in drawing.curves),
        *(_svg_box(box) for box in drawing.boxes),
        *(_svg_edge_label(curve) for curve in drawing.curves if curve.label),
        "</g></svg>",
    ]
    return "\n".join(part for part in parts if part)


def _canvas(drawing: Drawing, title: str) -> tuple[float, float, float]:
    """Width, height and the space that the title takes."""
    top = _TITLE_HEIGHT if title else 0.0
    return max(drawing.width, text_width(title, 14) + 28), drawing.height + top, top


def _svg_arrowhead(color: str, name: str) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto" '
        f'markerUnits="userSpaceOnUse"><path d="M0 0.5 L8 4 L0 7.5 z" fill="{color}"/></marker>'
    )


def _svg_path(curve: Curve, head: str) -> str:
    numbers = [f"{x:.1f} {y:.1f}" for x, y in curve.points]
    pieces = " ".join("C" + ", ".join(numbers[i : i + 3]) for i in range(1, len(numbers), 3))
    return (
        f'<path d="M{numbers[0]} {pieces}" fill="none" stroke="{curve.color}" stroke-width="1.6" '
        f'marker-end="url(#{head})"/>'
    )


def _svg_box(box: Box) -> str:
    x, y = box.x - box.width / 2, box.y - box.height / 2
    texts = [
        _svg_text(line.text, box.x, baseline, line.size, _INK, bold=line.bold)
        for line, baseline in zip(box.lines, _baselines(box), strict=True)
    ]
    return (
        f'<g><title>{escape(box.name)}</title><rect x="{x:.1f}" y="{y:.1f}" width="{box.width:.1f}" '
        f'height="{box.height:.1f}" rx="7" fill="{box.fill}" stroke="{box.stroke}" stroke-width="1.3"/>'
        f"{''.join(texts)}</g>"
    )


def _baselines(box: Box) -> list[float]:
    baselines, y = [], box.y - box.height / 2 + 6
    for line in box.lines:
        baselines.append(y + line.size)
        y += 1.3 * line.size
    return baselines


def _svg_edge_label(curve: Curve) -> str:
    x, y = curve.label_at
    halo = 'stroke="#ffffff" stroke-width="4" stroke-linejoin="round" paint-order="stroke"'
    return _svg_text(curve.label, x, y + 0.35 * EDGE_LABEL_SIZE, EDGE_LABEL_SIZE, curve.color, bold=True, extra=halo)


def _svg_text(
    text: str,
    x: float,
    y: float,
    size: float,
    fill: str,
    *,
    bold: bool = False,
    anchor: str = "middle",
    extra: str = "",
) -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="{fill}" text-anchor="{anchor}"{weight} {extra}>'
        f"{escape(text)}</text>"
    )


def draw_png(arch: Architecture, path: str | Path, title: str = "", scale: float = 2.0) -> Path:
    """Write the drawing of :func:`draw_svg` as a PNG file and return its path.

    Args:
        arch: what to draw.
        path: the file; its folder is made if it is missing.
        title: a line above the drawing.
        scale: pixels of the file per pixel of the SVG drawing.
    """
    from matplotlib.figure import Figure

    drawing = lay_out(arch)
    width, height, top = _canvas(drawing, title)
    figure = Figure(figsize=(width / 72, height / 72), dpi=72 * scale)  # one unit is one point
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height - top, -top))
    axes.axis("off")
    if title:
        axes.text(14, -8, title, size=14, weight="bold", color=_INK)
    for curve in drawing.curves:
        _plot_curve(axes, curve)
    for box in drawing.boxes:
        _plot_box(axes, box)
    with draft(Path(path)) as place:
        figure.savefig(place, format="png")
    return Path(path)


def _plot_curve(axes: Axes, curve: Curve) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path as Outline

    outline = Outline(curve.points, [Outline.MOVETO, *[Outline.CURVE4] * (len(curve.points) - 1)])
    head = "-|>,head_length=3.5,head_width=2"
    axes.add_patch(FancyArrowPatch(path=outline, arrowstyle=head, mutation_scale=1.6, lw=1.6, color=curve.color))
    if curve.label:
        style: dict[str, Any] = {
            "size": EDGE_LABEL_SIZE,
            "weight": "bold",
            "color": curve.color,
            "ha": "center",
            "va": "center",
        }
        axes.text(*curve.label_at, curve.label, bbox={"fc": "white", "ec": "none", "pad": 1.0}, zorder=4, **style)


def _plot_box(axes: Axes, box: Box) -> None:
    from matplotlib.patches import FancyBboxPatch

    corner = (box.x - box.width / 2 + 7, box.y - box.height / 2 + 7)
    patch = FancyBboxPatch(
        corner, box.width - 14, box.height - 14, boxstyle="round,pad=7", facecolor=box.fill, edgecolor=box.stroke
    )
    axes.add_patch(patch)
    for line, baseline in zip(box.lines, _baselines(box), strict=True):
        weight = "bold" if line.bold else "normal"
        axes.text(box.x, baseline, line.text, size=line.size, weight=weight, color=_INK, ha="center", va="baseline")
