"""How often every candidate of a supernet was trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from gennas.graph import GraphSchema

__all__ = ["PathCounts"]


class PathCounts:
    """Counts of the routes in which every label of every decision took part.

    Args:
        schema: of the decisions.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> counts = PathCounts(NASBench201().schema)
        >>> counts.add([[0] * 6, [1] * 6])
        >>> counts.table[0].tolist()
        [1, 1, 0, 0, 0]
    """

    def __init__(self, schema: GraphSchema) -> None:
        self.mask = torch.from_numpy(schema.decision_mask.copy())
        self.table = torch.zeros(self.mask.shape, dtype=torch.long)

    def add(self, routes: Iterable[Sequence[int | Tensor | Mapping[int, Tensor]]]) -> None:
        """Count routes; a mixture trains all labels of its slot, a sparse entry those that it names."""
        for route in routes:
            for t, entry in enumerate(route):
                if isinstance(entry, int):
                    self.table[t, entry] += 1
                elif isinstance(entry, Tensor):
                    self.table[t] += self.mask[t]
                else:
                    for symbol in entry:
                        if symbol >= 0:
                            self.table[t, symbol] += 1

    @property
    def fairness(self) -> float:
        """The least of all decisions' ratios of the rarest to the most frequent candidate: 1 is strictly fair."""
        counts = self.table.to(torch.float64)
        least = counts.masked_fill(~self.mask, float("inf")).min(1).values
        most = counts.max(1).values.clamp_min(1)
        return float((least / most).min()) if len(counts) else 1.0
