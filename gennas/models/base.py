"""The interface of generative models of architectures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from gennas.graph import GraphSchema, Population

__all__ = ["FloatArray", "Generator", "Legality"]

FloatArray = NDArray[np.float64]

Legality = Callable[[NDArray[np.integer], int], NDArray[np.bool_]]
"""``legal(D (b, d), t) -> (b, L)``: the labels that decision ``t`` may take after the first ``t`` columns of ``D``."""


@runtime_checkable
class Generator(Protocol):
    """Learns a distribution over architectures of one schema and draws from it.

    Diffusion, autoregressive, latent and language-model generators are interchangeable behind
    these four methods. Conditions are numbers in [0, 1], such as the quantile of every objective;
    NaN means "unknown" in :meth:`fit` and "any" in :meth:`sample`.
    """

    def fit(
        self,
        archs: Population,
        conditions: FloatArray | None = None,
        weights: FloatArray | None = None,
        steps: int = 100,
        seed: int = 0,
    ) -> FloatArray:
        """Train further on ``archs`` and return the loss of every step.

        Args:
            archs: ``b`` architectures of the generator's schema.
            conditions: ``(b, c)``, or None for "all unknown".
            weights: ``(b,)`` non-negative, how often each is drawn in training; None: equally.
            steps: optimiser steps.
            seed: fixes everything that is random.
        """
        ...

    def sample(self, n: int, conditions: FloatArray | None = None, seed: int = 0) -> Population:
        """Draw ``n`` architectures, valid where legality is known; repetitions are possible.

        Args:
            n: how many.
            conditions: ``(c,)`` for all of them or ``(n, c)``; None: unconditional.
            seed: fixes the draw, whatever the state of any global random generator.
        """
        ...

    def save_pretrained(self, directory: str | Path) -> None:
        """Write weights and configuration into a directory."""
        ...

    @classmethod
    def from_pretrained(cls, directory: str | Path, schema: GraphSchema, legal: Legality | None = None) -> Generator:
        """Read what :meth:`save_pretrained` wrote.

        Raises:
            CheckpointError: nothing readable is there, or it belongs to another schema.
        """
        ...
