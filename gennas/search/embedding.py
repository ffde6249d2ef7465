"""Embeddings of an encoder that never saw a label, as columns of a surrogate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gennas.graph import Population
from gennas.search.columns import Columns, MeasuredColumns
from gennas.spaces.base import Space

if TYPE_CHECKING:
    from gennas.models.encoder import GraphEncoder

__all__ = ["EncoderColumns"]

FloatArray = NDArray[np.float64]


class EncoderColumns(Columns):
    """What a graph encoder makes of architectures, pre-trained on random ones when it is first needed.

    It learns to restore masked labels and to predict counts, path numbers, depth and width
    (:func:`gennas.generators.encoder.free_properties`), and the paid columns of the first ``measured`` architectures,
    which are computed for that; see :func:`gennas.generators.encoder.pretrain_encoder`. No label is used.

    Args:
        space: where architectures belong.
        seed: of the random architectures, weights and batches.
        paid: columns that cost something, such as proxies; None: the free properties alone.
        unlabelled: random architectures.
        measured: those of them with paid columns.
        steps: optimiser steps.
        dim: width of an embedding.
    """

    name = "encoder"
    scale = "common"

    def __init__(
        self,
        space: Space,
        seed: int = 0,
        paid: MeasuredColumns | None = None,
        unlabelled: int = 2000,
        measured: int = 200,
        steps: int = 400,
        dim: int = 64,
    ) -> None:
        self.space, self.seed, self.paid = space, seed, paid
        self.unlabelled, self.measured, self.steps, self.dim = unlabelled, measured, steps, dim
        self._encoder: GraphEncoder | None = None

    def __call__(self, archs: Population) -> FloatArray:
        """Embeddings ``(b, dim)``."""
        if self._encoder is None:
            self._encoder = self._pretrained()
        return self._encoder.embed(archs)

    def _pretrained(self) -> GraphEncoder:
        from gennas.generators.encoder import free_properties, pretrain_encoder

        archs = self.space.sample(self.unlabelled, np.random.default_rng(self.seed)).unique()
        properties, names = free_properties(self.space, archs)
        if self.paid is not None:
            self.paid.compute(archs[: self.measured])
            properties = np.concatenate([properties, self.paid.raw(archs)], axis=1)
            names = (*names, *self.paid.names)
        encoder = self._untrained(names)
        pretrain_encoder(encoder, archs, steps=self.steps, seed=self.seed, properties=properties)
        return encoder

    def _untrained(self, names: tuple[str, ...]) -> GraphEncoder:
        from gennas.models.encoder import GraphEncoder
        from gennas.runtime.seeds import seeded

        with seeded(self.seed):
            encoder: GraphEncoder = GraphEncoder.for_schema(self.space.schema, dim=self.dim, properties=names)
        return encoder

    def state_dict(self) -> dict[str, Any]:
        """The weights, once there are some."""
        if self._encoder is None:
            return {}
        weights = {name: tensor.cpu().numpy().copy() for name, tensor in self._encoder.state_dict().items()}
        return {"properties": list(self._encoder.config.properties), "weights": weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore them."""
        if "weights" not in state:
            self._encoder = None
            return
        import torch

        self._encoder = self._untrained(tuple(state["properties"]))
        self._encoder.load_state_dict({name: torch.from_numpy(w.copy()) for name, w in state["weights"].items()})
