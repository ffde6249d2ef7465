"""Pre-training of the encoder: masked labels are predicted from the others."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from gennas.errors import ConfigError
from gennas.graph import GraphSchema, Population
from gennas.models._schema import check_schema
from gennas.models.encoder import GraphEncoder
from gennas.models.generator import FloatArray
from gennas.training._fitting import steps_on_one_thread, warm_cosine

__all__ = ["pretrain_encoder"]


def pretrain_encoder(
    encoder: GraphEncoder,
    archs: Population,
    steps: int = 200,
    seed: int = 0,
    batch_size: int = 128,
    lr: float = 2e-3,
    mask_ratio: float = 0.3,
) -> FloatArray:
    """Train an encoder in place to reconstruct masked labels, and return the loss of every step.

    Every decision, node or edge, is masked with probability ``mask_ratio`` (at least one in each
    architecture); the loss is the mean cross-entropy of the masked labels, in nats. No accuracies
    are used.

    Raises:
        CheckpointError: the architectures belong to another schema.
        ConfigError: there are none.
    """
    check_schema(encoder.schema, archs.schema)
    if not len(archs):
        raise ConfigError("Expected at least one architecture to pre-train the encoder on, got none.")
    generator = torch.Generator().manual_seed(seed)
    X = torch.from_numpy(archs.X.astype(np.int64)).to(encoder.device)
    E = torch.from_numpy(archs.E.astype(np.int64)).to(encoder.device)
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=lr, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda i: warm_cosine(i, steps))
    losses = np.empty(steps)
    encoder.train()
    for i in steps_on_one_thread(steps):
        rows = torch.randint(len(X), (batch_size,), generator=generator).to(X.device)
        hidden = _hidden_slots(archs.schema, batch_size, mask_ratio, generator)
        loss = _reconstruction_loss(encoder, X[rows], E[rows], *(h.to(X.device) for h in hidden))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        losses[i] = loss.item()
    encoder.eval()
    return losses


def _hidden_slots(schema: GraphSchema, b: int, mask_ratio: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Which node slots ``(b, n)`` and edge slots ``(b, n, n)`` to mask."""
    score = torch.rand(b, schema.num_decisions, generator=generator)
    chosen = (score < mask_ratio) | (score == score.amin(1, keepdim=True))
    nodes = torch.zeros(b, schema.num_nodes, dtype=torch.bool)
    edges = torch.zeros(b, schema.num_nodes, schema.num_nodes, dtype=torch.bool)
    for t, slot in enumerate(schema.slots):
        if slot.source is None:
            nodes[:, slot.target] = chosen[:, t]
        else:
            edges[:, slot.source, slot.target] = chosen[:, t]
    return nodes, edges


def _reconstruction_loss(encoder: GraphEncoder, X: Tensor, E: Tensor, nodes: Tensor, edges: Tensor) -> Tensor:
    k, m = len(encoder.schema.node_labels), len(encoder.schema.edge_labels)
    node_logits, edge_logits = encoder.reconstruct(X.masked_fill(nodes, k), E.masked_fill(edges, m))
    node_error = nn.functional.cross_entropy(node_logits[nodes], X[nodes], reduction="sum")
    edge_error = nn.functional.cross_entropy(edge_logits[edges], E[edges], reduction="sum")
    return (node_error + edge_error) / (nodes.sum() + edges.sum())
