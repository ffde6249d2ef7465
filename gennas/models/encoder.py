"""A graph neural network that reads architectures: directed message passing, attention pooling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from gennas.errors import ConfigError
from gennas.graph import GraphSchema, Population
from gennas.models.base import FloatArray
from gennas.models.schema import check_schema, schema_from_config, schema_to_config
from gennas.models.tensors import graph_tensors

__all__ = ["GraphEncoder"]


class GraphEncoder(ModelMixin, ConfigMixin):  # type: ignore[misc]
    r"""Embeds architectures of any schema, ``(b, dim)``.

    Nodes start from their label and topological position. Every layer passes messages along the
    edges and, with other weights, against them, each message carrying its edge's label (GINE,
    Hu et al. 2019, arXiv 1905.12265), and updates

    .. math:: h_v \leftarrow h_v + f\Big(\mathrm{LN}(h)_v + \sum_{u \to v} \mathrm{ReLU}(\mathrm{LN}(h)_u + e_{uv})\Big)
              + g\Big(\mathrm{LN}(h)_v + \sum_{v \to w} \mathrm{ReLU}(\mathrm{LN}(h)_w + e'_{vw})\Big)

    The embedding joins an attention-weighted sum of the node states and their mean. Edge label 0 is
    "no edge" and carries no message. Two heads reconstruct masked labels and a third reads properties
    off the embedding, for pre-training without accuracies
    (:func:`gennas.generators.encoder.pretrain_encoder`).

    It serves as embedding (:meth:`embed`), as what
    :class:`~gennas.models.surrogate.gnn.GNNSurrogate` starts from, and as kernel: ``embed`` is a
    function of populations like any other, ``GPSurrogate([Group(encoder.embed, "common")])``.

    Shapes: ``X (b, n)`` node and ``E (b, n, n)`` edge labels; ``X = k`` and ``E = l`` mean "masked".

    Args:
        schema: the schema as JSON-able values (:meth:`for_schema` takes a ``GraphSchema``).
        dim: width.
        num_layers: rounds of message passing.
        properties: names of the properties that the third head predicts.

    Example:
        >>> import numpy as np
        >>> from gennas.graph import GraphSchema, Population
        >>> edges = np.zeros((2, 2, 2), dtype=bool)
        >>> edges[..., 0] = edges[0, 1, 1] = True
        >>> schema = GraphSchema("two", ("a", "b"), ("none", "e"), np.ones((2, 2), dtype=bool), edges)
        >>> encoder = GraphEncoder.for_schema(schema, dim=16)
        >>> encoder.embed(Population.from_decisions(schema, np.array([[0, 1, 1], [1, 0, 0]]))).shape
        (2, 16)
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self, schema: Mapping[str, Any], dim: int = 64, num_layers: int = 3, properties: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self.schema = graph = schema_from_config(schema)
        k, m = len(graph.node_labels), len(graph.edge_labels)
        self.register_buffer("node_mask", torch.tensor(graph.node_mask))
        self.register_buffer("edge_mask", torch.tensor(graph.edge_mask))
        self.node_label = nn.Embedding(k + 1, dim)
        self.position = nn.Embedding(graph.num_nodes, dim)
        self.edge_label = nn.Embedding(m + 1, dim)
        self.layers = nn.ModuleList(_DirectedLayer(dim) for _ in range(num_layers))
        self.norm = nn.LayerNorm(dim)
        self.score = nn.Linear(dim, 1)
        self.out = nn.Linear(2 * dim, dim)
        self.node_head = nn.Linear(dim, k)
        self.edge_head = nn.Sequential(nn.Linear(2 * dim, dim), nn.ReLU(), nn.Linear(dim, m))
        self.property_head = nn.Linear(dim, len(properties)) if properties else None

    @classmethod
    def for_schema(cls, schema: GraphSchema, **settings: Any) -> GraphEncoder:
        """A new encoder for a schema; ``settings`` are those of the class."""
        return cast(GraphEncoder, cls(schema_to_config(schema), **settings))

    def forward(self, X: Tensor, E: Tensor) -> Tensor:
        """Embeddings ``(b, dim)``."""
        h = self.node_states(X, E)
        attention = self.score(h).softmax(1)  # (b, n, 1)
        return cast(Tensor, self.out(torch.cat([(attention * h).sum(1), h.mean(1)], -1)))

    def node_states(self, X: Tensor, E: Tensor) -> Tensor:
        """States of all nodes after message passing, ``(b, n, dim)``."""
        b, n = X.shape
        batch, u, v = E.nonzero(as_tuple=True)
        edge_index = torch.stack([batch * n + u, batch * n + v])
        edge_attr = self.edge_label(E[batch, u, v])
        h = (self.node_label(X) + self.position.weight).flatten(0, 1)
        for layer in self.layers:
            h = layer(h, edge_index, edge_attr)
        return cast(Tensor, self.norm(h).unflatten(0, (b, n)))

    def reconstruct(self, X: Tensor, E: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the node labels ``(b, n, k)`` and edge labels ``(b, n, n, l)``, within the masks."""
        h = self.node_states(X, E)
        n = h.shape[1]
        nodes = self.node_head(h).masked_fill(~self.node_mask, -torch.inf)
        if not self.schema.has_free_edges:  # nothing to say: one label each
            one = torch.zeros_like(self.edge_mask, dtype=h.dtype).masked_fill(~self.edge_mask, -torch.inf)
            return nodes, one.expand(len(h), -1, -1, -1)
        pairs = torch.cat([h.unsqueeze(2).expand(-1, -1, n, -1), h.unsqueeze(1).expand(-1, n, -1, -1)], -1)
        return nodes, self.edge_head(pairs).masked_fill(~self.edge_mask, -torch.inf)

    def read_properties(self, z: Tensor) -> Tensor:
        """Normal scores ``(b, p)`` of the properties, from embeddings ``z (b, dim)``.

        Raises:
            ConfigError: the encoder was made without properties.
        """
        if self.property_head is None:
            raise ConfigError("Expected an encoder made with properties=(names…) to predict them, got one without.")
        return cast(Tensor, self.property_head(z))

    @torch.inference_mode()
    def predict_properties(self, archs: Population) -> dict[str, FloatArray]:
        """Normal scores of the properties that it was pre-trained on, by name, each ``(b,)``.

        Raises:
            ConfigError: the encoder was made without properties.
            CheckpointError: the population has another schema.
        """
        embedded = torch.from_numpy(self.embed(archs)).float().to(self.device)
        values = self.read_properties(embedded).cpu().numpy().astype(np.float64)
        return dict(zip(self.config.properties, values.T, strict=True))

    @torch.inference_mode()
    def embed(self, archs: Population, batch_size: int = 1024) -> FloatArray:
        """Embeddings of a population, ``(b, dim)``.

        Raises:
            CheckpointError: the population has another schema.
        """
        check_schema(self.schema, archs.schema)
        X, E = graph_tensors(archs, self.device)
        parts = [self(X[i : i + batch_size], E[i : i + batch_size]) for i in range(0, len(X), batch_size)]
        return cast(FloatArray, torch.cat(parts).cpu().numpy().astype(np.float64))


class _DirectedLayer(nn.Module):
    """One round of messages along and against the edges."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        from torch_geometric.nn import GINEConv

        self.norm = nn.LayerNorm(dim)
        self.along, self.against = (
            GINEConv(nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim)), edge_dim=dim) for _ in range(2)
        )

    def forward(self, h: Tensor, edge_index: Tensor, edge_attr: Tensor) -> Tensor:
        z = self.norm(h)
        along = self.along(z, edge_index, edge_attr)
        return cast(Tensor, h + along + self.against(z, edge_index.flip(0), edge_attr))
