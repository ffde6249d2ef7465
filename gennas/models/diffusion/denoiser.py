"""The denoiser: a small directed graph transformer with one token per decision."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from gennas.graph import GraphSchema
from gennas.models._schema import schema_from_config, schema_to_config

__all__ = ["GraphDenoiser", "slot_relations"]


def slot_relations(schema: GraphSchema) -> Tensor:
    """How the free slots of a directed graph are related, ``(d, d, 7)``, as 0 and 1.

    A node slot ``v`` has source and target ``v``. For slots ``i, j``: the same slot; same source;
    same target; ``i`` ends where ``j`` starts; ``j`` ends where ``i`` starts; ``i`` comes earlier
    in topological order; one is a node and the other an edge.
    """
    target = torch.tensor([slot.target for slot in schema.slots])
    source = torch.tensor([slot.target if slot.source is None else slot.source for slot in schema.slots])
    is_node = torch.tensor([slot.is_node for slot in schema.slots])
    order = torch.arange(len(target))

    def equal(a: Tensor, b: Tensor) -> Tensor:
        return a[:, None] == b[None, :]

    relations = [
        equal(order, order),
        equal(source, source),
        equal(target, target),
        equal(target, source),
        equal(source, target),
        order[:, None] < order[None, :],
        ~equal(is_node, is_node),
    ]
    return torch.stack(relations, -1).float()


class GraphDenoiser(ModelMixin, ConfigMixin):  # type: ignore[misc]
    r"""Predicts the clean labels of an architecture from corrupted ones, :math:`p_\theta(x_0 \mid x_t, t, c)`.

    Every decision of the schema, node or edge, is one token: embeddings of its slot (kind, source
    and target position) and of its current label. Self-attention over all slots carries a learned
    bias per head for each relation between slots of a *directed* graph (:func:`slot_relations`).
    Time and conditions modulate every block by adaptive layer norms whose network is shared between
    the blocks (Chen et al. 2023, PixArt, arXiv 2310.00426). The output layer starts at zero, so
    that an untrained model is uniform over each slot's allowed labels.

    Shapes: ``x (b, d)`` labels, ``L`` standing for the absorbing state; ``time (b,)`` in [0, 1];
    ``conditions (b, c)`` in [0, 1], NaN where unknown or dropped; logits ``(b, d, L)``, minus
    infinity where the schema does not allow a label.

    Args:
        schema: the schema as JSON-able values (:meth:`for_schema` takes a ``GraphSchema``).
        num_conditions: ``c``.
        dim: width.
        num_layers: number of blocks.
        num_heads: attention heads.
        mlp_ratio: width of the feed-forward layers over ``dim``.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        schema: Mapping[str, Any],
        num_conditions: int = 0,
        dim: int = 64,
        num_layers: int = 3,
        num_heads: int = 4,
        mlp_ratio: int = 2,
    ) -> None:
        super().__init__()
        self.schema = graph = schema_from_config(schema)
        self.num_conditions = num_conditions
        L, slots = graph.num_symbols, graph.slots
        is_edge = torch.tensor([not slot.is_node for slot in slots])
        start = torch.tensor([slot.target if slot.source is None else slot.source for slot in slots])
        end = torch.tensor([slot.target for slot in slots])
        self.register_buffer("places", torch.stack([start, end], -1))
        self.register_buffer("label_offset", is_edge.long() * (L + 1))
        self.register_buffer("mask", torch.tensor(graph.decision_mask))
        self.register_buffer("relations", slot_relations(graph))

        self.slot = nn.Parameter(torch.randn(len(slots), dim) * 0.02)
        self.source = nn.Embedding(graph.num_nodes, dim)
        self.target = nn.Embedding(graph.num_nodes, dim)
        self.label = nn.Embedding(2 * (L + 1), dim)
        self.time = nn.Sequential(nn.Linear(_FREQUENCIES * 2, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.conditions = nn.ModuleList(
            nn.Sequential(nn.Linear(_FREQUENCIES * 2, dim), nn.SiLU(), nn.Linear(dim, dim))
            for _ in range(num_conditions)
        )
        self.null = nn.Parameter(torch.zeros(num_conditions, dim))
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(dim, 6 * dim))
        self.blocks = nn.ModuleList(_Block(dim, num_heads, mlp_ratio) for _ in range(num_layers))
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, 2 * L)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    @classmethod
    def for_schema(cls, schema: GraphSchema, num_conditions: int = 0, **settings: int) -> GraphDenoiser:
        """A new denoiser for a schema; ``settings`` are those of the class."""
        return cast(GraphDenoiser, cls(schema_to_config(schema), num_conditions, **settings))

    def forward(self, x: Tensor, time: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Logits of the clean labels, ``(b, d, L)``."""
        places = self.source(self.places[:, 0]) + self.target(self.places[:, 1])
        context = self._context(len(x), time, conditions)
        h = self.label(x + self.label_offset) + self.slot + places + context.unsqueeze(1)
        modulation = self.modulation(context).unflatten(-1, (6, -1)).unsqueeze(2)  # (b, 6, 1, dim)
        for block in self.blocks:
            h = block(h, modulation, self.relations)
        return self._logits(self.norm(h))

    def _context(self, b: int, time: Tensor, conditions: Tensor | None) -> Tensor:
        """Time and conditions as one vector per architecture, ``(b, dim)``."""
        context = self.time(_waves(time))
        if conditions is None:
            conditions = torch.full((b, self.num_conditions), math.nan, device=time.device)
        for i, embed in enumerate(self.conditions):
            value = conditions[:, i]
            known = ~value.isnan()
            context = context + torch.where(known[:, None], embed(_waves(value.nan_to_num())), self.null[i])
        return cast(Tensor, context)

    def _logits(self, h: Tensor) -> Tensor:
        L = self.mask.shape[1]
        nodes, edges = self.head(h).split(L, -1)
        logits = torch.where(self.label_offset[:, None] > 0, edges, nodes)
        return logits.masked_fill(~self.mask, -math.inf)


class _Block(nn.Module):
    """Attention with relation biases and a feed-forward layer, both modulated (adaLN-single)."""

    def __init__(self, dim: int, num_heads: int, mlp_ratio: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.offset = nn.Parameter(torch.randn(6, 1, dim) / dim**0.5)
        self.bias = nn.Linear(_RELATIONS, num_heads)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, mlp_ratio * dim), nn.GELU("tanh"), nn.Linear(mlp_ratio * dim, dim))

    def forward(self, h: Tensor, modulation: Tensor, relations: Tensor) -> Tensor:
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = (modulation + self.offset).unbind(1)
        h = h + (1 + gate_a) * self._attend(self.norm(h) * (1 + scale_a) + shift_a, relations)
        return cast(Tensor, h + (1 + gate_m) * self.mlp(self.norm(h) * (1 + scale_m) + shift_m))

    def _attend(self, h: Tensor, relations: Tensor) -> Tensor:
        b, d, dim = h.shape
        q, k, v = self.qkv(h).view(b, d, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)  # (b, heads, d, dim / heads)
        bias = self.bias(relations).permute(2, 0, 1)  # (heads, d, d)
        mixed: Tensor = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias.expand(b, -1, -1, -1))
        return cast(Tensor, self.out(mixed.transpose(1, 2).reshape(b, d, dim)))


_FREQUENCIES = 6
_RELATIONS = 7


def _waves(value: Tensor) -> Tensor:
    """Smooth features of a value in [0, 1]: sines and cosines of up to one and a half turns, ``(b, 12)``."""
    angles = value.float().unsqueeze(-1) * (math.pi / 2 * torch.arange(1, _FREQUENCIES + 1, device=value.device))
    return torch.cat([angles.sin(), angles.cos()], -1)
