"""A denoiser that sees all decisions at once: one vector per architecture, for schemas whose edges are fixed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import torch
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from gennas.graph import GraphSchema
from gennas.models.diffusion.base import Denoiser, Mixer
from gennas.models.schema import schema_from_config

__all__ = ["DenseDenoiser"]


class DenseDenoiser(Denoiser):
    r"""Predicts the clean labels from the sum of what every slot shows, :math:`h = \sum_i E_{i, x_i} + C c`.

    Residual blocks of two layers, :math:`h \leftarrow h + B\,\mathrm{relu}(A\,\mathrm{norm}(h))`, and one output
    for each label that a slot allows. Where the decisions are a list rather than a graph there is nothing that
    slots have in common for a network over tokens to share, and this one takes a product of a vector and a matrix
    where that one takes ``d`` of them: at 75 decisions a hundredth of the time. The output layer starts at zero,
    so that an untrained model is uniform over each slot's allowed labels.

    Inside, labels are numbered anew in each slot, ``0 … K-1`` with ``K`` the most that a slot allows
    (:meth:`compact`), because a schema's labels are those of all slots together, often five times as many.

    Args:
        schema: the schema as JSON-able values (:meth:`for_schema` takes a ``GraphSchema``).
        num_conditions: ``c``.
        dim: width.
        num_layers: number of blocks.
        mlp_ratio: width inside of a block over ``dim``.
        timed: whether the network sees the time.

    Attributes:
        labels: label of each of a slot's columns, ``(d, K)``, ``L`` where there is none.
        column: column of each label, ``(d, L + 1)``, 0 where there is none.

    Example:
        >>> from gennas.spaces import make_space
        >>> denoiser = DenseDenoiser.for_schema(make_space("pit").schema, timed=False)
        >>> absorbed = torch.full((1, 8), 18)
        >>> denoiser(absorbed, torch.ones(1)).shape, denoiser.compact(absorbed, torch.ones(1)).shape
        (torch.Size([1, 8, 18]), torch.Size([1, 8, 4]))
    """

    batch_size: ClassVar[int] = 64
    lr: ClassVar[float] = 1.5e-3
    _inputs: ClassVar[str] = "context.weight"
    labels: Tensor
    column: Tensor
    rows: Tensor

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        schema: Mapping[str, Any],
        num_conditions: int = 0,
        dim: int = 128,
        num_layers: int = 1,
        mlp_ratio: int = 2,
        timed: bool = True,
    ) -> None:
        super().__init__()
        self.schema = graph = schema_from_config(schema)
        self.num_conditions, self.timed = num_conditions, timed
        size = self._register_slots(graph)
        d, K = self.labels.shape
        self.table = nn.Parameter(torch.randn(size, dim) * d**-0.5)
        self.context = nn.Linear(self._register_frequencies(persistent=False), dim)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, mlp_ratio * dim), nn.ReLU(), nn.Linear(mlp_ratio * dim, dim))
            for _ in range(num_layers)
        )
        self.head = nn.Linear(dim, d * K)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def _register_slots(self, graph: GraphSchema) -> int:
        """Constants of the schema: which labels slots allow and where they stand; returns how many rows there are."""
        mask = torch.tensor(graph.decision_mask)
        d, L = mask.shape
        allowed = mask.sum(1, keepdim=True)
        column = torch.where(mask, mask.cumsum(1) - 1, 0)
        labels = torch.full((d, int(allowed.max()) + 1), L)
        labels.scatter_(1, torch.where(mask, column, labels.shape[1] - 1), torch.arange(L).expand(d, L))
        labels = labels[:, :-1].contiguous()
        column = torch.cat([column, torch.zeros(d, 1, dtype=torch.long)], 1)
        first = torch.cumsum(allowed + 1, 0) - allowed - 1  # of each slot's rows in the table; absorbed is the last
        rows = first + torch.where(torch.nn.functional.pad(mask, (0, 1)), column, allowed)
        constants = {"mask": mask, "labels": labels, "column": column, "rows": rows}
        constants["absent"] = torch.where(labels < L, 0.0, -torch.inf)
        for name, value in constants.items():
            self.register_buffer(name, value, persistent=False)
        return int((allowed + 1).sum())

    def columns(self, x: Tensor) -> Tensor:
        """Where the labels ``x (b, d)`` stand among those that their slots allow, ``(b, d)``; 0 of absorbed ones."""
        return self.column.gather(1, x.T).T.contiguous()

    def compact(self, x: Tensor, time: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Logits of the labels that slots allow, ``(b, d, K)``, minus infinity in columns that stand for none."""
        codes = self.rows.gather(1, x.T).T  # (b, d)
        h = nn.functional.embedding_bag(codes, self.table, mode="sum")
        h = h + self.context(self._features(time, conditions))
        for block in self.blocks:
            h = h + block(_norm(h))
        return cast(Tensor, self.head(_norm(h)).view(len(x), *self.labels.shape) + self.absent)

    def forward(
        self, x: Tensor, time: Tensor, conditions: Tensor | None = None, mixers: Sequence[Mixer] | None = None
    ) -> Tensor:
        """Logits of the clean labels, ``(b, d, L)``; there are no ``mixers``."""
        logits = self.compact(x, time, conditions)
        return logits.gather(-1, self.column[:, :-1].expand(len(x), -1, -1)).masked_fill(~self.mask, -torch.inf)


def _norm(h: Tensor) -> Tensor:
    return nn.functional.layer_norm(h, h.shape[-1:])
