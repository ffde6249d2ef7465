"""Small language models, trained on which evaluated architectures are better, that rank candidates and write some."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gennas.graph import Population
from gennas.runtime.seeds import draw_seed
from gennas.search.strategies.rounds import check_positive
from gennas.spaces.base import Space

if TYPE_CHECKING:
    from gennas.generators.autoregressive import AutoregressiveGenerator

__all__ = ["LikelihoodRatio"]

FloatArray = NDArray[np.float64]


class LikelihoodRatio:
    r"""Ranks architectures by :math:`\log p(a) - \log p_{ref}(a)` of language models of the archive.

    ``p`` is a causal language model over decisions (:class:`gennas.models.autoregressive.DecisionLM`, whose decisions
    share the tokens of their labels), trained from scratch on the order of everything that was evaluated
    (:func:`gennas.generators.preferences.fit_preferences`); the reference is uniform. So it depends on the archive and
    on the seed alone and has no state to keep.

    Args:
        space: of the architectures.
        models: so many language models, whose ratios are averaged.
        steps: optimiser steps of each.
        lr: their peak learning rate.
        dim: their width.
        num_layers: their blocks.
        batch_size: architectures in a step; more labels than so many are seen in parts.

    Raises:
        ConfigError: a number that is not positive.
    """

    def __init__(
        self,
        space: Space,
        models: int = 1,
        steps: int = 30,
        lr: float = 3e-2,
        dim: int = 16,
        num_layers: int = 1,
        batch_size: int = 64,
    ) -> None:
        check_positive(models=models, steps=steps, lr=lr, dim=dim, num_layers=num_layers, batch_size=batch_size)
        self.space, self.number, self.steps, self.lr = space, models, steps, lr
        self.dim, self.num_layers, self.batch_size = dim, num_layers, batch_size
        self.models: list[AutoregressiveGenerator] = []

    def fit(
        self,
        archs: Population,
        utility: FloatArray,
        rng: np.random.Generator,
        hint: tuple[Population, FloatArray] | None = None,
        hint_weight: float = 0.0,
    ) -> None:
        """Learn the order of ``b`` evaluated architectures from how good they are, ``(b,)``.

        Args:
            archs: the architectures.
            utility: how good they are.
            rng: of weights and batches.
            hint: other architectures and what is known of them without labels, such as their sizes.
            hint_weight: how much their order counts.
        """
        from gennas.generators.autoregressive import AutoregressiveGenerator, AutoregressiveSettings
        from gennas.generators.preferences import fit_preferences

        settings = AutoregressiveSettings(dim=self.dim, num_layers=self.num_layers, shared=True)
        schema, legal = self.space.schema, self.space.legal
        self.models = []
        for _ in range(self.number):
            seed = draw_seed(rng)
            found = AutoregressiveGenerator(schema, legal, 0, settings, seed)
            fit_preferences(
                found.model, archs, utility, self.steps, self.batch_size, self.lr,
                seed=seed, hint=hint, hint_weight=hint_weight,
            )  # fmt: skip
            self.models.append(found)

    def score(self, archs: Population) -> FloatArray:
        """The ratio of each architecture in nats, ``(b,)``; 0 before the first :meth:`fit`."""
        import torch

        from gennas.generators.preferences import log_ratio
        from gennas.runtime.threads import one_thread

        D = torch.from_numpy(archs.decisions.astype(np.int64))
        with one_thread(), torch.inference_mode():
            parts = [[log_ratio(m.model, part).double().numpy() for part in torch.split(D, 2048)] for m in self.models]
        return np.mean([np.concatenate(part) for part in parts], axis=0) if parts else np.zeros(len(archs))

    def sample(self, n: int, rng: np.random.Generator) -> Population:
        """About ``n`` architectures that the models write, valid and canonical."""
        sizes = [len(part) for part in np.array_split(np.arange(n), max(1, len(self.models)))]
        drawn = [m.sample(k, seed=draw_seed(rng)) for m, k in zip(self.models, sizes, strict=False)]
        archs = Population.concat([Population.of(self.space.schema, []), *drawn])
        return self.space.canonical(archs[np.flatnonzero(self.space.is_valid(archs))]) if len(archs) else archs
