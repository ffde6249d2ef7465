"""Where the cells of a table of layers go: the whole network's choices above, then one row per layer.

Tables of many rows are cut into blocks that stand beside one another. A number is the darker the higher it is among
those that its decision may have; a word has the colour that it has everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from gennas.graph._shapes import MARGIN, NEUTRAL, Box, Drawing, Line, colors, shades
from gennas.graph.layers import Cell, LayerTable, Row

MOST_ROWS = 20  # of one block
_GAP, _BLOCK_GAP = 3.0, 26.0
_SIZE, _HEAD_SIZE = 11.0, 10.0
_PLAIN = ("#ffffff", "#ffffff")  # of names


def place_table(table: LayerTable) -> Drawing:
    """Boxes of all cells, with the upper left corner at the origin."""
    boxes = _row_of([_named(name, cell) for name, cell in table.whole], MARGIN, MARGIN)
    top = MARGIN + (boxes[0].height + 4 * _GAP if boxes else 0.0)
    blocks = math.ceil(len(table.rows) / MOST_ROWS)
    per_block = math.ceil(len(table.rows) / blocks)
    widths = _widths(table)
    left = MARGIN
    for start in range(0, len(table.rows), per_block):
        boxes += _block(table, table.rows[start : start + per_block], widths, left, top)
        left += sum(widths) + _GAP * (len(widths) - 1) + _BLOCK_GAP
    right = max(box.x + box.width / 2 for box in boxes)
    bottom = max(box.y + box.height / 2 for box in boxes)
    return Drawing(tuple(boxes), (), right + MARGIN, bottom + MARGIN)


def _block(table: LayerTable, rows: Sequence[Row], widths: Sequence[float], left: float, top: float) -> list[Box]:
    """Names of the columns, and rows below them."""
    boxes = _row_of([_name(text) for text in ("", *table.columns)], left, top, widths)
    for row in rows:
        y = boxes[-1].y + boxes[-1].height / 2 + _GAP  # the last cell is the highest
        if row.group:
            text = " · ".join((row.name, *(f"{name} {cell.text}" for name, cell in row.group)))
            boxes += _row_of([_box(text, NEUTRAL)], left, y, [sum(widths) + _GAP * (len(widths) - 1)])
            continue
        cells = [_cell(column, cell) for column, cell in zip(table.columns, row.cells, strict=True)]
        boxes += _row_of([_name(row.name), *cells], left, y, widths)
    return boxes


def _widths(table: LayerTable) -> list[float]:
    """Widths of the column of names and of every decision's, over all blocks; rows of groups fit, too."""
    columns = [_name(row.name).width for row in table.rows if not row.group]
    widths = [max(columns, default=0.0)]
    for i, column in enumerate(table.columns):
        cells = [_cell(column, row.cells[i]).width for row in table.rows if not row.group]
        widths.append(max(_name(column).width, *cells))
    groups = [
        _box(" · ".join((row.name, *(f"{name} {cell.text}" for name, cell in row.group))), NEUTRAL).width
        for row in table.rows
        if row.group
    ]
    missing = max(groups, default=0.0) - sum(widths) - _GAP * (len(widths) - 1)
    return [width + max(0.0, missing) / len(widths) for width in widths]


def _row_of(boxes: Sequence[Box], left: float, top: float, widths: Sequence[float] = ()) -> list[Box]:
    """Boxes beside one another, of the given widths."""
    placed = []
    middle = top + max((box.height for box in boxes), default=0.0) / 2
    for i, box in enumerate(boxes):
        wide = replace(box, least_width=widths[i]) if widths else box
        placed.append(replace(wide, x=left + wide.width / 2, y=middle))
        left += wide.width + _GAP
    return placed


def _box(text: str, paint: tuple[str, str], size: float = _SIZE, bold: bool = False) -> Box:
    return Box(text, (Line(text, size, bold),), *paint)


def _name(text: str) -> Box:
    return _box(text, _PLAIN, _HEAD_SIZE)


def _named(name: str, cell: Cell) -> Box:
    paint = shades(name, cell.level) if cell.level is not None else colors(cell.label)
    return _box(f"{name} {cell.text}", paint, bold=True)


def _cell(column: str, cell: Cell | None) -> Box:
    if cell is None:
        return _box("", _PLAIN)
    if cell.label == "off":
        return _box(cell.text, NEUTRAL)
    return _box(cell.text, shades(column, cell.level) if cell.level is not None else colors(cell.label))
