"""Decisions by name, for people: what a slot is called, and which labels architectures chose."""

from __future__ import annotations

from collections.abc import Sequence

from gennas.graph.architecture import Architecture, Population
from gennas.graph.schema import GraphSchema

__all__ = ["decision_labels", "slot_name"]


def slot_name(schema: GraphSchema, t: int) -> str:
    """The name of decision ``t``: that of its node, or the edge's ends.

    Example:
        >>> from gennas.spaces import MacroChain, NASBench201
        >>> slot_name(NASBench201().schema, 1), slot_name(MacroChain().schema, 1)
        ('edge 0-2', 'layer1.op')
    """
    slot = schema.slots[t]
    if slot.source is not None:
        return f"edge {slot.source}-{slot.target}"
    return schema.node_names[slot.target] if schema.node_names else f"node {slot.target}"


def decision_labels(schema: GraphSchema, archs: Sequence[Architecture]) -> dict[str, list[str]]:
    """The labels that ``b`` architectures chose, by the name of each decision; those of equal names are numbered.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> space = NASBench201()
        >>> arch = space.from_text("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|")
        >>> decision_labels(space.schema, [arch])["edge 1-2"]
        ['skip_connect']
    """
    D = Population.of(schema, archs).decisions
    found: dict[str, list[str]] = {}
    for t in range(schema.num_decisions):
        name = slot_name(schema, t)
        found[name if name not in found else f"{name} ({t})"] = [schema.label(t, int(s)) for s in D[:, t]]
    return found
