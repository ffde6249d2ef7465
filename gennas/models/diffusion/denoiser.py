"""The denoiser: a small directed graph transformer with one token per decision, cheap enough for one CPU core."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Literal, cast

import torch
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from gennas.graph import GraphSchema
from gennas.models.diffusion.base import Denoiser, Mixer
from gennas.models.schema import schema_from_config

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


class GraphDenoiser(Denoiser):
    r"""Predicts the clean labels of an architecture from corrupted ones, :math:`p_\theta(x_0 \mid x_t, t, c)`.

    Every decision of the schema, node or edge, is one token: embeddings of its slot (its own, and
    its source and target position) and of its current label. Each block mixes all slots by
    attention without queries (:class:`_Block`), whose bias per head is learned for each relation
    between slots of a *directed* graph (:func:`slot_relations`) and for each pair of slots. That takes
    time and memory with the square of ``d``; ``mixing="relations"`` mixes the means of related slots
    instead (:class:`_Relations`), in time that grows with ``d``. Time and
    conditions enter as one vector, added to every token and scaling every norm, by one network
    shared between the blocks (after Chen et al. 2023, PixArt, arXiv 2310.00426). The output layer
    starts at zero, so that an untrained model is uniform over each slot's allowed labels.

    Under the absorbing kernel the clean labels depend on the time only through what is absorbed, so
    ``timed=False`` loses nothing (Ou et al. 2024, arXiv 2406.03736) and lets a sampler keep what it
    computed for an architecture that a step did not change.

    Args:
        schema: the schema as JSON-able values (:meth:`for_schema` takes a ``GraphSchema``).
        num_conditions: ``c``.
        dim: width.
        num_layers: number of blocks.
        num_heads: groups of channels with biases of their own.
        mlp_ratio: width of the feed-forward layers over ``dim``.
        timed: whether the network sees the time.
        mixing: ``pairs`` or ``relations``.
    """

    batch_size: ClassVar[int] = 32
    lr: ClassVar[float] = 1e-2
    _inputs: ClassVar[str] = "context.0.weight"

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        schema: Mapping[str, Any],
        num_conditions: int = 0,
        dim: int = 64,
        num_layers: int = 2,
        num_heads: int = 4,
        mlp_ratio: int = 2,
        timed: bool = True,
        mixing: Literal["pairs", "relations"] = "pairs",
    ) -> None:
        super().__init__()
        self.schema = graph = schema_from_config(schema)
        self.num_conditions, self.timed = num_conditions, timed
        self._register_slots(graph)
        d, L = self.mask.shape
        self.slot = nn.Parameter(torch.randn(d, dim) * 0.02)
        self.source = nn.Embedding(graph.num_nodes, dim)
        self.target = nn.Embedding(graph.num_nodes, dim)
        self.label = nn.Embedding(2 * (L + 1), dim)
        inputs = self._register_frequencies(persistent=True)
        self.context = nn.Sequential(nn.Linear(inputs, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.scales = nn.Sequential(nn.SiLU(), nn.Linear(dim, (num_layers + 1) * dim))
        if mixing == "pairs":
            self.pair = nn.Parameter(torch.zeros(d, d, num_layers * num_heads))
            self.relation = nn.Linear(_RELATIONS, num_layers * num_heads)
            self.register_buffer("relations", slot_relations(graph))
        else:
            self.means = _Relations(graph, num_layers, num_heads)
        self.blocks = nn.ModuleList(_Block(dim, mlp_ratio) for _ in range(num_layers))
        self.head = nn.Linear(dim, 2 * L)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def _register_slots(self, graph: GraphSchema) -> None:
        """Constants of the schema: where slots are, what they allow, how they are related."""
        is_edge = torch.tensor([not slot.is_node for slot in graph.slots])
        start = [slot.target if slot.source is None else slot.source for slot in graph.slots]
        self.register_buffer("starts", torch.tensor(start))
        self.register_buffer("ends", torch.tensor([slot.target for slot in graph.slots]))
        self.register_buffer("is_edge", is_edge.unsqueeze(-1))
        self.register_buffer("label_offset", is_edge.long() * (graph.num_symbols + 1))
        self.register_buffer("mask", torch.tensor(graph.decision_mask))
        self.register_buffer("forbidden", torch.where(self.mask, 0.0, -math.inf))

    def mixers(self) -> list[Mixer]:
        """What mixes the slots in each block; it depends on the weights alone, and may serve many calls."""
        if self.config.mixing == "relations":
            return cast(list[Mixer], self.means())
        biases = (self.relation(self.relations) + self.pair).permute(2, 0, 1).chunk(len(self.blocks))
        return [partial(_mix_pairs, bias.exp()) for bias in biases]

    def forward(
        self, x: Tensor, time: Tensor, conditions: Tensor | None = None, mixers: Sequence[Mixer] | None = None
    ) -> Tensor:
        """Logits of the clean labels, ``(b, d, L)``; ``mixers`` are those of :meth:`mixers`, where they are known."""
        context = self.context(self._features(time, conditions))  # (b, dim)
        slots = self.slot + self.source(self.starts) + self.target(self.ends)
        h = self.label(x + self.label_offset) + slots + context.unsqueeze(1)
        *scales, last = (1 + self.scales(context)).unsqueeze(1).chunk(len(self.blocks) + 1, -1)
        for block, scale, mixer in zip(self.blocks, scales, mixers or self.mixers(), strict=True):
            h = block(h, scale, mixer)
        nodes, edges = self.head(_norm(h) * last).chunk(2, -1)
        return cast(Tensor, torch.where(self.is_edge, edges, nodes) + self.forbidden)


class _Block(nn.Module):
    r"""Mixes the slots and feeds each forward, side by side on the same norm.

    The mixing is that of the attention-free transformer (Zhai et al. 2021, arXiv 2105.14103), with
    bounded keys:

    .. math:: y_i = \sigma(g_i) \odot \frac{\sum_j e^{B_{ij}} \sigma(k_j) \odot v_j}{\sum_j e^{B_{ij}} \sigma(k_j)}

    On a few tens of slots it is one product of matrices, where a softmax of queries and keys is
    thousands of tiny ones.
    """

    def __init__(self, dim: int, mlp_ratio: int) -> None:
        super().__init__()
        self.widths = [dim, dim, dim, mlp_ratio * dim]
        self.inner = nn.Linear(dim, sum(self.widths))
        self.outer = nn.Linear(dim + mlp_ratio * dim, dim)

    def forward(self, h: Tensor, scale: Tensor, mixer: Mixer) -> Tensor:
        key, value, gate, hidden = self.inner(_norm(h) * scale).split(self.widths, -1)
        mixed = mixer(key.sigmoid(), value) * gate.sigmoid()
        return cast(Tensor, h + self.outer(torch.cat([mixed, hidden.relu()], -1)))


def _mix_pairs(weight: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Means of ``value (b, d, dim)`` over slots, weighted by ``key (b, d, dim)`` times ``weight (heads, d, d)``."""
    b, d, dim = key.shape
    heads = len(weight)
    both = torch.stack([key * value, key]).view(2, b, d, heads, dim // heads).permute(3, 2, 0, 1, 4)
    sums: Tensor = weight @ both.reshape(heads, d, -1)  # (heads, d, 2 b dim / heads)
    above, below = sums.view(heads, d, 2, b, -1).permute(2, 3, 1, 0, 4)
    return cast(Tensor, (above / below).reshape(b, d, dim))


class _Relations(nn.Module):
    r"""Mixes the means over the slots that are related to each, :math:`R_r(i)` by relation ``r``.

    .. math:: y_i = \frac{\sum_r e^{a_r} \operatorname{mean}_{j \in R_r(i)} k_j v_j}
                         {\sum_r e^{a_r} \operatorname{mean}_{j \in R_r(i)} k_j}

    with :math:`a_r` learned for each block and head. The relations: the slot itself; those of its source; of its
    target; that start at its target; that end at its source; that end at later nodes; of the other kind; all.
    Sums are made once for each node, and looked up by its slots.
    """

    means: Tensor
    by_start: Tensor
    by_end: Tensor

    def __init__(self, schema: GraphSchema, num_layers: int, num_heads: int) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.zeros(num_layers, _RELATIONS + 1, num_heads))
        n = schema.num_nodes
        starts = torch.tensor([slot.target if slot.source is None else slot.source for slot in schema.slots])
        ends = torch.tensor([slot.target for slot in schema.slots])
        is_edge = torch.tensor([not slot.is_node for slot in schema.slots])
        by_start, by_end = (nn.functional.one_hot(places, n).T for places in (starts, ends))
        after = torch.triu(torch.ones(n, n, dtype=torch.long), 1) @ by_end
        groups = torch.cat([by_start, by_end, after, ~is_edge[None], is_edge[None], torch.ones_like(is_edge[None])])
        means = groups / groups.sum(1, keepdim=True).clamp_min(1)  # (3 n + 3, d): by start, by end, after, kinds, all
        self.register_buffer("means", means, persistent=False)
        self.register_buffer("by_start", is_edge * n + starts, persistent=False)
        self.register_buffer("by_end", ends, persistent=False)

    def forward(self) -> list[Mixer]:
        return [partial(self._mix, weight) for weight in self.strength.exp()]

    def _mix(self, weight: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Means of ``value (b, d, dim)`` weighted by ``key (b, d, dim)``; ``weight (8, heads)``."""
        dim, n = key.shape[2], (len(self.means) - 3) // 3
        w = weight.repeat_interleave(dim // weight.shape[1], 1).repeat(1, 2)  # (8, 2 dim)
        both = torch.cat([key * value, key], -1)  # (b, d, 2 dim)
        start, end, after, nodes, edges, every = torch.split(self.means @ both, [n, n, n, 1, 1, 1], 1)
        source = w[1] * start + w[4] * end + w[7] * every
        source = torch.cat([source + w[6] * edges, source + w[6] * nodes], 1)  # for nodes, for edges
        target = w[2] * end + w[3] * start + w[5] * after
        sums = w[0] * both + source.index_select(1, self.by_start) + target.index_select(1, self.by_end)
        above, below = sums.chunk(2, -1)
        return above / below


def _norm(h: Tensor) -> Tensor:
    return nn.functional.layer_norm(h, h.shape[-1:])


_RELATIONS = 7
