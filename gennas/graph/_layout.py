"""Where the boxes and edges of an architecture's drawing go: layers from left to right.

The steps are those of Sugiyama, Tagawa and Toda (1981): longest-path layers, one dummy for every
layer that an edge passes, barycentre ordering, then positions. A long plain chain is wrapped into rows; one of many
layers with decisions becomes a table.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from gennas.graph._shapes import MARGIN, NEUTRAL, Box, Curve, Drawing, Line, Point, colors, text_width
from gennas.graph._table import place_table
from gennas.graph.architecture import Architecture
from gennas.graph.layers import layer_table

ROW_GAP, PER_ROW = 30.0, 5
MOST_BOXES = 8  # layers that are drawn as a chain of boxes; more are a table
BOX_GAP, DUMMY_HEIGHT = 16.0, 20.0
EDGE_LABEL_SIZE = 10.5
HIDDEN = "off"


Edges = dict[tuple[int, int], str]  # (box, box) -> label, empty where the schema has one kind of edge


def lay_out(arch: Architecture) -> Drawing:
    """Place everything that is drawn of ``arch``, with the upper left corner at the origin."""
    table = layer_table(arch)
    if table is not None and table.num_layers > MOST_BOXES:
        return place_table(table)
    boxes, box_of = make_boxes(arch)
    edges = make_edges(arch, box_of)
    layers = longest_path_layers(len(boxes), edges)
    joined = {i for edge in edges for i in edge}  # all but boxes that stand alone
    is_chain = sorted(layers[i] for i in joined) == list(range(len(joined))) and len(edges) == len(joined) - 1
    return _rows(boxes, edges) if is_chain and len(boxes) > PER_ROW + 1 else _columns(boxes, edges, layers)


def make_boxes(arch: Architecture) -> tuple[list[Box], dict[int, int]]:
    """Boxes in slot order and the box of every drawn node.

    Slots named ``prefix.part`` share the box of their prefix, except those that are ``off``. Free
    slots that an edge could touch and none does are left out: nothing passes through them. In a graph without edges
    all are shown.
    """
    schema = arch.schema
    possible = schema.edge_mask[..., 1:].any(-1)
    alone = ~np.any(possible | possible.T, axis=0)
    members: dict[str, list[int]] = {}
    present = np.any(arch.edges + arch.edges.T, axis=0)
    for v, symbol in enumerate(arch.nodes):
        prefix, dot, _ = (schema.node_names[v] if schema.node_names else "").rpartition(".")
        shown = present[v] or alone[v] or not present.any() or schema.node_mask[v].sum() == 1
        if shown and schema.node_labels[symbol] != HIDDEN:
            members.setdefault(prefix if dot else f"#{v}", []).append(v)
    boxes = [_box(arch, group, nodes) for group, nodes in members.items()]
    return boxes, {v: i for i, nodes in enumerate(members.values()) for v in nodes}


def _box(arch: Architecture, group: str, nodes: list[int]) -> Box:
    schema = arch.schema
    labels = [schema.node_labels[arch.nodes[v]] for v in nodes]
    is_group = not group.startswith("#")
    is_choice = is_group or schema.node_mask[nodes[0]].sum() > 1
    fill, stroke = colors(labels[0]) if is_choice and labels[0] not in schema.ordinals else NEUTRAL
    if not is_group:
        return Box(labels[0], tuple(Line(part, 12, bold=True) for part in _broken(labels[0])), fill, stroke)
    details = [" · ".join(labels[i : i + 3]) for i in range(1, len(labels), 3)]
    lines = (Line(group, 9.5), Line(labels[0], 12, bold=True), *(Line(text, 10) for text in details))
    return Box(" ".join((group, *labels)), lines, fill, stroke)


def _broken(label: str) -> list[str]:
    """A long label in two lines, broken after the separator nearest to its middle."""
    cuts = [i + 1 for i, c in enumerate(label[:-1]) if c in "-_ "]
    if len(label) <= 11 or not cuts:
        return [label]
    cut = min(cuts, key=lambda i: abs(2 * i - len(label)))
    return [label[:cut], label[cut:]]


def make_edges(arch: Architecture, box_of: dict[int, int]) -> Edges:
    """Edges between different boxes, with their label where the schema has several."""
    labels = arch.schema.edge_labels
    edges: Edges = {}
    for u, v in np.argwhere(arch.edges).tolist():
        a, b = box_of.get(u), box_of.get(v)
        if a is not None and b is not None and a < b:
            edges.setdefault((a, b), labels[arch.edges[u, v]] if len(labels) > 2 else "")
    return edges


def longest_path_layers(n: int, edges: Iterable[tuple[int, int]]) -> list[int]:
    """Layer of every box: the edges of the longest path that leads to it."""
    layers = [0] * n
    for a, b in sorted(edges):
        layers[b] = max(layers[b], layers[a] + 1)
    return layers


@dataclass
class _Place:
    """A box, or the passage of a long edge through one layer."""

    layer: int
    width: float
    height: float
    y: float = 0.0


def _columns(boxes: list[Box], edges: Edges, layers: list[int]) -> Drawing:
    """Layers from left to right; long edges keep a lane of their own in every layer they pass."""
    last = max(layers)
    places = [_Place(layer, box.width, box.height) for box, layer in zip(boxes, layers, strict=True)]
    routes: dict[tuple[int, int], list[int]] = {}
    for (a, b), label in edges.items():
        lanes = []
        for layer in range(layers[a] + 1, layers[b]):
            lanes.append(len(places))
            width = text_width(label, EDGE_LABEL_SIZE) + 14 if layer == layers[a] + 1 else 0.0
            places.append(_Place(layer, width, DUMMY_HEIGHT))
        routes[a, b] = [a, *lanes, b]
    links = [pair for route in routes.values() for pair in pairwise(route)]
    order = _order([[i for i, p in enumerate(places) if p.layer == layer] for layer in range(last + 1)], links)
    _spread(places, order, links)
    widths = [max(places[i].width for i in column) for column in order]
    lefts = _lefts(widths, edges, layers)
    top = min(p.y - p.height / 2 for p in places) - MARGIN
    centers = {i: (lefts[p.layer] + widths[p.layer] / 2, p.y - top) for i, p in enumerate(places)}
    placed = [replace(box, x=centers[i][0], y=centers[i][1]) for i, box in enumerate(boxes)]
    lanes_of = {
        pair: [
            ((lefts[places[i].layer], centers[i][1]), (lefts[places[i].layer] + widths[places[i].layer], centers[i][1]))
            for i in route[1:-1]
        ]
        for pair, route in routes.items()
    }
    curves = _curves(placed, edges, lanes_of)
    height = max(p.y + p.height / 2 for p in places) - top + MARGIN
    return Drawing(tuple(placed), tuple(curves), lefts[-1] + widths[-1] + MARGIN, height)


def _order(columns: list[list[int]], links: list[tuple[int, int]]) -> list[list[int]]:
    """Order within every layer by the mean position of neighbours, sweeping both ways."""
    before: dict[int, list[int]] = {}
    after: dict[int, list[int]] = {}
    for a, b in links:
        before.setdefault(b, []).append(a)
        after.setdefault(a, []).append(b)
    for sweep in range(8):
        position = {i: k - (len(c) - 1) / 2 for c in columns for k, i in enumerate(c)}
        forward = sweep % 2 == 0
        for column in columns if forward else columns[::-1]:
            near = {i: [position[j] for j in (before if forward else after).get(i, [])] for i in column}
            column.sort(key=lambda i: float(np.mean(near[i])) if near[i] else position[i])
            position.update({i: k - (len(column) - 1) / 2 for k, i in enumerate(column)})
    return columns


def _spread(places: list[_Place], order: list[list[int]], links: list[tuple[int, int]]) -> None:
    """Heights: pull every place towards its neighbours, keeping order and distance in each layer."""
    near: dict[int, list[int]] = {i: [] for i in range(len(places))}
    for a, b in links:
        near[a].append(b)
        near[b].append(a)
    for column in order:
        _separate(places, column, [0.0] * len(column))
    for _ in range(12):
        for column in order:
            wishes = [float(np.mean([places[j].y for j in near[i]])) if near[i] else places[i].y for i in column]
            _separate(places, column, wishes)


def _separate(places: list[_Place], column: list[int], wishes: list[float]) -> None:
    """Set heights as near to ``wishes`` as order and gaps admit, without moving the mean."""
    y = list(wishes)
    for k in range(1, len(column)):
        distance = (places[column[k - 1]].height + places[column[k]].height) / 2 + BOX_GAP
        y[k] = max(y[k], y[k - 1] + distance)
    shift = float(np.mean(wishes)) - float(np.mean(y))
    for i, value in zip(column, y, strict=True):
        places[i].y = value + shift


def _lefts(widths: list[float], edges: Edges, layers: list[int]) -> list[float]:
    """Left border of every layer: gaps are as wide as the edge labels in them."""
    lefts = [MARGIN]
    for layer in range(1, len(widths)):
        labels = [label for (a, b), label in edges.items() if (layers[a], layers[b]) == (layer - 1, layer)]
        gap = max(34.0, *(text_width(label, EDGE_LABEL_SIZE) + 40 for label in labels)) if any(labels) else 34.0
        lefts.append(lefts[-1] + widths[layer - 1] + gap)
    return lefts


def _curves(boxes: list[Box], edges: Edges, lanes: dict[tuple[int, int], list[tuple[Point, Point]]]) -> list[Curve]:
    """Smooth curves from right to left borders, fanned out over each border."""
    ahead = {pair: lanes[pair][0][0][1] if lanes[pair] else boxes[pair[1]].y for pair in edges}
    behind = {pair: lanes[pair][-1][1][1] if lanes[pair] else boxes[pair[0]].y for pair in edges}
    curves = []
    for (a, b), label in edges.items():
        start_y = _port(boxes[a], ahead[a, b], [ahead[e] for e in edges if e[0] == a])
        end_y = _port(boxes[b], behind[a, b], [behind[e] for e in edges if e[1] == b])
        stops = [(boxes[a].x + boxes[a].width / 2, start_y)]
        stops += [end for lane in lanes[a, b] for end in lane]
        stops.append((boxes[b].x - boxes[b].width / 2, end_y))
        points = [stops[0]]
        for (x0, y0), (x1, y1) in pairwise(stops):
            middle = (x0 + x1) / 2
            points += [(middle, y0), (middle, y1), (x1, y1)]
        (x0, y0), (x1, y1) = lanes[a, b][0] if lanes[a, b] else (stops[0], stops[-1])
        color = colors(label)[1] if label else NEUTRAL[1]
        curves.append(Curve(tuple(points), color, label, ((x0 + x1) / 2, (y0 + y1) / 2)))
    return curves


def _port(box: Box, toward: float, all_toward: list[float]) -> float:
    """Where on a vertical border an edge starts or ends, in the order of the other ends."""
    rank = sorted(all_toward).index(toward)
    step = min(9.0, (box.height - 12) / max(len(all_toward) - 1, 1))
    return box.y + step * (rank - (len(all_toward) - 1) / 2)


def _rows(boxes: list[Box], edges: Edges) -> Drawing:
    """A chain in rows of ``PER_ROW`` boxes; the edge to the next row turns around at the border."""
    width, height, gap = max(b.width for b in boxes), max(b.height for b in boxes), 26.0
    turn = 14.0
    placed = []
    for i, box in enumerate(boxes):
        row, column = divmod(i, PER_ROW)
        x = MARGIN + turn + column * (width + gap) + width / 2
        placed.append(replace(box, x=x, y=MARGIN + row * (height + ROW_GAP) + height / 2))
    curves = []
    for (a, b), label in edges.items():
        (x0, y0), (x1, y1) = (
            (placed[a].x + placed[a].width / 2, placed[a].y),
            (placed[b].x - placed[b].width / 2, placed[b].y),
        )
        points: tuple[Point, ...] = ((x0, y0), ((x0 + x1) / 2, y0), ((x0 + x1) / 2, y1), (x1, y1))
        if y0 != y1:
            y = (y0 + y1) / 2
            right, left = max(x0, placed[a].x + width / 2), min(x1, placed[b].x - width / 2)
            points = ((x0, y0), (right + turn, y0), (right + turn, y), (right, y), (right, y), (left, y), (left, y))
            points += ((left - turn, y), (left - turn, y1), (x1, y1))
        curves.append(Curve(points, colors(label)[1] if label else NEUTRAL[1], label, ((x0 + x1) / 2, (y0 + y1) / 2)))
    rows = (len(boxes) - 1) // PER_ROW + 1
    total = 2 * (MARGIN + turn) + PER_ROW * (width + gap) - gap
    return Drawing(tuple(placed), tuple(curves), total, 2 * MARGIN + rows * (height + ROW_GAP) - ROW_GAP)
