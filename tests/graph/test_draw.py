from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from gennas.graph import Architecture, GraphSchema
from gennas.graph._layout import PER_ROW, Box, Drawing, colors, lay_out, longest_path_layers
from gennas.graph.draw import draw_png, draw_svg
from gennas.spaces import AutoFormerTiny, DASViT, MacroChain, NASBench101, NASBench201, NASBenchGraph, PiT, Space

SVG = "{http://www.w3.org/2000/svg}"
SPACES = [NASBench201(), NASBench101(), NASBenchGraph(), MacroChain(), AutoFormerTiny(), PiT(), DASViT()]
CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|none~1|avg_pool_3x3~2|"


def texts(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter() if element.tag in (f"{SVG}text", f"{SVG}title")]


def overlap(a: Box, b: Box) -> bool:
    return abs(a.x - b.x) < (a.width + b.width) / 2 and abs(a.y - b.y) < (a.height + b.height) / 2


def test_cell_with_operations_on_edges() -> None:
    root = ET.fromstring(draw_svg(NASBench201().from_text(CELL), title="a < b"))
    found = texts(root)
    assert "a < b" in found
    assert [t for t in found if "_" in t] == ["nor_conv_3x3", "nor_conv_1x1", "skip_connect", "avg_pool_3x3"]
    assert "none" not in found
    assert len(root.findall(f".//{SVG}rect")) == 4
    assert len(root.findall(f".//{SVG}path[@marker-end]")) == 4


def test_cell_with_operations_on_nodes() -> None:
    space = NASBench101()
    root = ET.fromstring(draw_svg(space.from_text("conv1x1-bn-relu~0|maxpool3x3~0|output~1,2")))
    found = texts(root)
    assert {"input", "conv1x1-bn-relu", "maxpool3x3", "output"} <= set(found)
    assert "none" not in found and "edge" not in found
    assert len(root.findall(f".//{SVG}rect")) == 4  # unused slots are not drawn
    assert len(root.findall(f".//{SVG}path[@marker-end]")) == 4


def test_decisions_of_one_layer_share_a_box() -> None:
    space = MacroChain()
    root = ET.fromstring(draw_svg(space.from_text("conv3x3-w16-s1/separable5x5-w32-s2/inverted7x7-w32-s1")))
    found = texts(root)
    assert {"depth3", "layer1", "conv", "k3 · w16 · s1", "separable", "k7 · w32 · s1"} <= set(found)
    assert "off" not in found and "layer4" not in found
    assert len(root.findall(f".//{SVG}rect")) == 1 + 3
    assert len(root.findall(f".//{SVG}path[@marker-end]")) == 3


def test_long_chain_is_wrapped() -> None:
    space = MacroChain()
    short = lay_out(space.from_text("/".join(["conv3x3-w16-s1"] * 5)))
    long = lay_out(space.from_text("/".join(["conv3x3-w16-s1"] * 8)))
    assert len({box.y for box in short.boxes}) == 1
    rows = [round(box.y) for box in long.boxes]
    assert [rows.count(y) for y in sorted(set(rows))] == [PER_ROW, 9 - PER_ROW]
    assert long.width < 700


def test_many_layers_are_a_table() -> None:
    """One row per layer; equal numbers have equal colours in all rows, higher ones darker."""
    space = AutoFormerTiny()
    heads = [3, 4] * 7
    text = f"embed=192;depth=14;mlp={','.join(['4'] * 14)};heads={','.join(map(str, heads))}"
    drawing = lay_out(space.from_text(text))
    assert_tidy(drawing)
    assert not drawing.curves and drawing.width < 250 and drawing.height < 510
    rows = sorted({round(box.y, 3) for box in drawing.boxes})
    by_row = [sorted((b for b in drawing.boxes if round(b.y, 3) == y), key=lambda b: b.x) for y in rows]
    assert [[b.name for b in row] for row in by_row[:2]] == [["embed 192", "depth 14"], ["", "mlp", "heads"]]
    expected = [[f"layer{i + 1}", "4", str(h)] for i, h in enumerate(heads)]
    assert [[b.name for b in row] for row in by_row[2:]] == expected
    assert len({round(row[2].x, 3) for row in by_row[1:]}) == 1  # a column is a column
    fills = {row[2].name: row[2].fill for row in by_row[2:]}
    assert len(fills) == 2 and len({row[2].fill for row in by_row[2:]}) == 2
    light, dark = (sum(bytes.fromhex(fills[h][1:])) for h in ("3", "4"))
    assert light > dark


def test_a_long_table_is_cut_into_blocks() -> None:
    """36 layers stand in two blocks of 18 rows, each with the names of the columns."""
    space = MacroChain(max_depth=40, max_downsamplings=40)
    drawing = lay_out(space.from_text("/".join(["conv3x3-w16-s1", "inverted7x7-w64-s2"] * 18)))
    assert_tidy(drawing)
    names = [box.name for box in drawing.boxes]
    assert names.count("kernel") == 2 and names.index("layer18") < names.index("layer19")
    first, second = (next(b for b in drawing.boxes if b.name == name) for name in ("layer1", "layer19"))
    assert first.y == second.y and first.x < second.x
    root = ET.fromstring(draw_svg(space.from_text("/".join(["conv3x3-w16-s1"] * 9))))
    assert "conv" in texts(root) and len(root.findall(f".//{SVG}rect")) == 1 + 5 + 9 * 5


def test_cell_without_edges_still_shows_its_nodes() -> None:
    root = ET.fromstring(draw_svg(NASBench201().architecture([0] * 6)))
    assert len(root.findall(f".//{SVG}rect")) == 4
    assert not root.findall(f".//{SVG}path[@marker-end]")


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)
def test_drawings_are_tidy(space: Space, rng: np.random.Generator) -> None:
    for arch in space.sample(25, rng):
        drawing = lay_out(arch)
        assert_tidy(drawing)
        assert max(drawing.width, 1) < 1100


def assert_tidy(drawing: Drawing) -> None:
    """Boxes are inside the canvas and apart; every arrow runs forward from a border to a border."""
    for i, box in enumerate(drawing.boxes):
        assert 0 < box.x - box.width / 2 and box.x + box.width / 2 < drawing.width
        assert 0 < box.y - box.height / 2 and box.y + box.height / 2 < drawing.height
        assert not any(overlap(box, other) for other in drawing.boxes[:i])
    for curve in drawing.curves:
        (x0, y0), (x1, y1) = curve.points[0], curve.points[-1]
        assert len(curve.points) % 3 == 1
        assert any(np.isclose(x0, b.x + b.width / 2) and abs(y0 - b.y) < b.height / 2 for b in drawing.boxes)
        assert any(np.isclose(x1, b.x - b.width / 2) and abs(y1 - b.y) < b.height / 2 for b in drawing.boxes)


def test_long_edges_keep_clear_of_boxes() -> None:
    space = NASBench101()
    drawing = lay_out(space.from_text("conv1x1-bn-relu~0|maxpool3x3~1|conv3x3-bn-relu~2|output~0,3"))
    skip = max(drawing.curves, key=lambda c: c.points[-1][0] - c.points[0][0])
    for box in drawing.boxes[1:-1]:
        inside = [y for x, y in skip.points if abs(x - box.x) <= box.width / 2 + 0.1]
        assert inside and all(abs(y - box.y) > box.height / 2 for y in inside)


def test_layers_are_longest_paths() -> None:
    assert longest_path_layers(5, [(0, 1), (1, 2), (0, 3), (2, 3), (0, 4)]) == [0, 1, 2, 3, 1]


def test_colours_depend_on_the_label_alone_and_differ() -> None:
    assert colors("gcn") == colors("gcn")
    for space in SPACES:
        schema = space.schema
        operations = [o for o in (*schema.node_labels, *schema.edge_labels) if o not in schema.ordinals]
        assert len({colors(o) for o in operations}) == len(set(operations))
    assert all(re.fullmatch("#[0-9a-f]{6}", c) for c in colors("nor_conv_3x3"))
    both = draw_svg(NASBench201().from_text(CELL)), draw_svg(NASBench201().architecture([3] * 6))
    assert all(colors("nor_conv_3x3")[1] in svg for svg in both)


def test_svg_is_self_contained_and_escaped() -> None:
    edge_mask = np.zeros((2, 2, 2), dtype=bool)
    edge_mask[..., 0] = True
    edge_mask[0, 1] = [False, True]
    schema = GraphSchema("x", ("<in>", 'a&"b"'), ("none", "edge"), np.ones((2, 2), dtype=bool), edge_mask)
    svg = draw_svg(Architecture(schema, np.array([0, 1]), np.array([[0, 1], [0, 0]])), title="<script>")
    root = ET.fromstring(svg)
    assert {"<in>", 'a&"b"', "<script>"} <= set(texts(root))
    assert "<script>" not in svg and svg.count("http") == 1  # the namespace


def test_a_graph_without_edges_is_drawn_whole() -> None:
    schema = GraphSchema("x", ("a", "b"), ("none",), np.ones((2, 2), dtype=bool), np.ones((2, 2, 1), dtype=bool))
    svg = draw_svg(Architecture(schema, np.array([0, 1]), np.zeros((2, 2), dtype=int)))
    assert svg.count("<rect") == 2 and '<path d="M' not in svg


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)
def test_png_shows_the_same_colours(space: Space, tmp_path: Path, rng: np.random.Generator) -> None:
    arch = space.sample(1, rng)[0]
    drawing = lay_out(arch)
    image = matplotlib.image.imread(draw_png(arch, tmp_path / "a.png", title="A", scale=1.0))
    assert abs(image.shape[1] - drawing.width) <= 1
    pixels = {
        "#" + "".join(f"{round(255 * c):02x}" for c in rgb) for rgb in np.unique(image[..., :3].reshape(-1, 3), axis=0)
    }
    assert {box.fill for box in drawing.boxes} <= pixels
