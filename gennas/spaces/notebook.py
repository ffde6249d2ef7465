"""What notebooks show of a search space, as HTML with every text escaped."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from html import escape

import numpy as np

from gennas.graph.notebook import table_html
from gennas.registry import options_of, summary_of
from gennas.spaces.base import Space

__all__ = ["space_html"]


def space_html(space: Space, rows: int = 20) -> str:
    """Name, size, what it was made with, and the first ``rows`` decisions with the labels that each may take.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> "15,625 architectures" in space_html(NASBench201())
        True
    """
    options = [
        (option.name, reprlib.repr(space.options.get(option.name, option.default)), option.meaning.replace("``", ""))
        for option in options_of(type(space))
    ]
    decisions = list(_decisions(space))
    more = len(decisions) - rows
    parts = [
        f"<p><b>{escape(space.name)}</b>: {escape(summary_of(type(space)))}</p>",
        f"<p>{space.size_text}, {len(decisions)} decisions</p>",
        table_html(["option", "value", "meaning"], options) if options else "",
        table_html(["decision", "labels"], decisions[:rows]),
        f"<p>… and {more} more decisions</p>" if more > 0 else "",
    ]
    return "".join(parts)


def _decisions(space: Space) -> Iterator[tuple[str, str]]:
    """Place and labels of every decision."""
    schema = space.schema
    for t, slot in enumerate(schema.slots):
        node = schema.node_names[slot.target] if schema.node_names else f"node {slot.target}"
        where = node if slot.is_node else f"edge {slot.source} → {slot.target}"
        yield where, ", ".join(schema.label(t, int(symbol)) for symbol in np.flatnonzero(schema.decision_mask[t]))
