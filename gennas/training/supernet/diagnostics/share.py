"""How sure the decisions are, and how much of them is skips."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gennas.graph import GraphSchema, slot_name

__all__ = ["decision_entropies", "discrete_skip_share", "mean_entropy", "skip_mask", "skip_share"]

MAX_DECISIONS = 40  # with a figure each
_SKIPS = ("skip", "identity")


def skip_mask(schema: GraphSchema) -> NDArray[np.bool_]:
    """Which labels are skips, ``(d, L)``: allowed ones whose name begins with ``skip`` or ``identity``."""
    found = np.zeros(schema.decision_mask.shape, dtype=bool)
    for t, symbol in zip(*np.nonzero(schema.decision_mask), strict=True):
        found[t, symbol] = schema.label(int(t), int(symbol)).lower().startswith(_SKIPS)
    return found


def skip_share(p: Tensor, schema: GraphSchema) -> float:
    """Mean probability of a skip over the decisions that have one; 0 where none has.

    Args:
        p: probabilities ``(d, L)``.
        schema: what the labels mean.
    """
    mask = skip_mask(schema)
    rows = mask.any(1)
    if not rows.any():
        return 0.0
    found = p.detach().cpu().masked_fill(~torch.from_numpy(mask), 0.0).sum(-1)[torch.from_numpy(rows)]
    return float(found.mean())


def discrete_skip_share(decisions: NDArray[np.integer], schema: GraphSchema) -> float:
    """Share of skips among the decisions of one architecture ``(d,)`` that could be one and are not left out."""
    mask = skip_mask(schema)
    rows = mask.any(1)
    taken = mask[np.arange(len(mask)), decisions]
    present = rows & np.array([schema.slots[t].is_node or s != 0 for t, s in enumerate(decisions.tolist())], dtype=bool)
    return float(taken[present].mean()) if present.any() else 0.0


def mean_entropy(p: Tensor) -> float:
    """Mean entropy of the decisions in nats.

    Args:
        p: probabilities ``(d, L)``.
    """
    return float(_entropies(p).mean())


def decision_entropies(p: Tensor, schema: GraphSchema) -> dict[str, float]:
    """Entropy of every decision in nats, by its place and name: they sort as the decisions do.

    Of more than forty decisions only the ``least`` and the ``largest`` are told.

    Args:
        p: probabilities ``(d, L)``.
        schema: what the decisions are called.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> found = decision_entropies(torch.full((6, 5), 0.2), NASBench201().schema)
        >>> list(found)[:2], round(found["01_edge_0-2"], 3)
        (['00_edge_0-1', '01_edge_0-2'], 1.609)
    """
    found: list[float] = _entropies(p).tolist()
    if len(found) > MAX_DECISIONS:
        return {"least": min(found), "largest": max(found)}
    return {f"{t:02}_{slot_name(schema, t).replace(' ', '_')}": value for t, value in enumerate(found)}


def _entropies(p: Tensor) -> Tensor:
    p = p.detach()
    found: Tensor = torch.special.xlogy(p, p).sum(-1)
    return -found
