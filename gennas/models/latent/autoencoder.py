"""A graph autoencoder: message passing in, decisions out, a standardised vector between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from numpy.typing import NDArray
from torch import Tensor, nn

from gennas.graph import GraphSchema, Population
from gennas.models.base import Legality
from gennas.models.encoder import GraphEncoder
from gennas.models.schema import check_schema, schema_from_config, schema_to_config
from gennas.models.tensors import graph_tensors

__all__ = ["GraphAutoencoder"]


class GraphAutoencoder(ModelMixin, ConfigMixin):  # type: ignore[misc]
    r"""Architectures to latent vectors :math:`z` of zero mean and unit variance, and back.

    A :class:`~gennas.models.encoder.GraphEncoder` passes messages over the graph; every node that a
    decision belongs to keeps ``node_dim`` numbers of its state. Together they are the latent vector,
    standardised over the data as in latent diffusion (Rombach et al. 2022, arXiv 2112.10752). A
    feed-forward network turns it into logits of all decisions, which are decoded in order, each the
    most likely of the labels that are legal after the ones before. In training the latent is
    blurred with noise of ``noise`` standard deviations, so that a neighbourhood of it decodes alike.

    Shapes: ``X (b, n)``, ``E (b, n, n)``, latents ``(b, Z)`` with ``Z = node_dim *`` nodes that have
    decisions, logits ``(b, d, L)``, minus infinity where the schema does not allow a label.

    Args:
        schema: the schema as JSON-able values (:meth:`for_schema` takes a ``GraphSchema``).
        dim: width of the encoder.
        num_layers: its rounds of message passing.
        node_dim: latent numbers per node.
        decoder_dim: width of the decoder.
        noise: standard deviation of the blur.

    Example:
        >>> edges = np.zeros((2, 2, 2), dtype=bool)
        >>> edges[..., 0] = edges[0, 1, 1] = True
        >>> schema = GraphSchema("two", ("a", "b"), ("none", "e"), np.ones((2, 2), dtype=bool), edges)
        >>> model = GraphAutoencoder.for_schema(schema, dim=16).eval()
        >>> z = model.embed(Population.from_decisions(schema, np.array([[0, 1, 1]])))
        >>> z.shape, model.decode(z).shape
        (torch.Size([1, 8]), (1, 3))
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        schema: Mapping[str, Any],
        dim: int = 64,
        num_layers: int = 2,
        node_dim: int = 4,
        decoder_dim: int = 256,
        noise: float = 0.2,
    ) -> None:
        super().__init__()
        self.schema = graph = schema_from_config(schema)
        self.noise = noise
        targets = sorted({slot.target for slot in graph.slots})
        self.latent_dim = node_dim * len(targets)
        self.register_buffer("targets", torch.tensor(targets))
        self.register_buffer("mask", torch.tensor(graph.decision_mask))
        self.register_buffer("trained", torch.tensor(False))
        self.encoder = GraphEncoder.for_schema(graph, dim=dim, num_layers=num_layers)
        self.narrow = nn.Linear(dim, node_dim)
        self.standardise = nn.BatchNorm1d(self.latent_dim, affine=False)
        self.decoder = nn.Sequential(
            nn.Linear(self.latent_dim, decoder_dim),
            nn.SiLU(),
            nn.Linear(decoder_dim, decoder_dim),
            nn.SiLU(),
            nn.Linear(decoder_dim, graph.decision_mask.size),
        )

    @classmethod
    def for_schema(cls, schema: GraphSchema, **settings: Any) -> GraphAutoencoder:
        """A new autoencoder for a schema; ``settings`` are those of the class."""
        return cast(GraphAutoencoder, cls(schema_to_config(schema), **settings))

    def encode(self, X: Tensor, E: Tensor) -> Tensor:
        """Latent vectors, ``(b, Z)``."""
        states = self.encoder.node_states(X, E)[:, self.targets]
        return cast(Tensor, self.standardise(self.narrow(states).flatten(1)))

    def logits(self, z: Tensor) -> Tensor:
        """Logits of all decisions, ``(b, d, L)``."""
        return cast(Tensor, self.decoder(z).unflatten(1, self.mask.shape).masked_fill(~self.mask, -torch.inf))

    def forward(self, X: Tensor, E: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Logits of the decisions after a blurred passage through the latent, ``(b, d, L)``."""
        z = self.encode(X, E)
        blur = torch.randn(z.shape, generator=generator).to(z)
        return self.logits(z + self.noise * blur)

    @torch.no_grad()
    def embed(self, archs: Population, batch_size: int = 1024) -> Tensor:
        """Latent vectors of a population, ``(b, Z)``.

        Raises:
            CheckpointError: the population has another schema.
        """
        check_schema(self.schema, archs.schema)
        X, E = graph_tensors(archs, self.device)
        parts = [self.encode(X[i : i + batch_size], E[i : i + batch_size]) for i in range(0, len(X), batch_size)]
        return torch.cat(parts)

    @torch.inference_mode()
    def decode(self, z: Tensor, legal: Legality | None = None) -> NDArray[np.int16]:
        """The most likely legal decisions in order, ``(b, d)``."""
        logits = self.logits(z).cpu().numpy()
        D = np.zeros((len(logits), self.schema.num_decisions), dtype=np.int16)
        for t in range(self.schema.num_decisions):
            allowed = self.schema.decision_mask[t] if legal is None else legal(D, t)
            D[:, t] = np.where(allowed, logits[:, t], -np.inf).argmax(1)
        return D

    def exactness(self, archs: Population, legal: Legality | None = None) -> float:
        """Share of architectures that come back exactly."""
        decoded = self.decode(self.embed(archs), legal)
        return float((decoded == archs.decisions).all(1).mean())
