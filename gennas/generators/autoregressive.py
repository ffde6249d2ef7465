"""Fitting the autoregressive generator: weighted, return-conditioned maximum likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gennas.generators.base import NetworkGenerator
from gennas.generators.fitting import chunks, descend, drop_conditions, training_tensors, weighted_rows
from gennas.graph import Population
from gennas.models.autoregressive import DecisionLM, DecisionVocabulary
from gennas.models.base import FloatArray
from gennas.models.schema import check_schema
from gennas.runtime.threads import one_thread

__all__ = ["AutoregressiveGenerator", "AutoregressiveSettings", "fit_autoregressive"]


def fit_autoregressive(
    model: DecisionLM,
    archs: Population,
    conditions: FloatArray | None = None,
    weights: FloatArray | None = None,
    steps: int = 100,
    batch_size: int = 64,
    lr: float = 2e-3,
    cond_dropout: float = 0.15,
    seed: int = 0,
) -> FloatArray:
    """Train a model in place, from whatever weights it has, and return the loss of every step.

    Each step draws architectures in proportion to ``weights`` and descends the cross-entropy of
    every decision among the labels that the schema allows there, in nats per decision, with AdamW
    and a learning rate that warms up over a tenth of the steps and falls as a cosine. Conditions
    become "any" with probability ``cond_dropout``, each and all together, for classifier-free
    guidance over any subset.

    Shapes: ``conditions (b, c)`` with NaN for unknown, ``weights (b,)``.

    Raises:
        ConfigError: no architectures, or shapes that do not fit.
    """
    D, c, w = training_tensors(archs.decisions, model.vocabulary.num_conditions, conditions, weights)
    generator = torch.Generator().manual_seed(seed)

    def loss(rows: Tensor) -> Tensor:
        x = D[rows].to(model.device)
        logits = model(x, drop_conditions(c[rows], cond_dropout, generator))
        return nn.functional.cross_entropy(logits.flatten(0, 1), x.flatten())

    return descend(model, weighted_rows(w, batch_size, generator), loss, steps, lr)


@dataclass(frozen=True)
class AutoregressiveSettings:
    """What an :class:`AutoregressiveGenerator` is made of; the defaults serve every space.

    Args:
        dim: width of the language model.
        num_layers: its number of blocks.
        num_bins: intervals between the values of a condition that have a token of their own.
        batch_size: architectures per training step.
        lr: learning rate.
        cond_dropout: how often conditions are dropped in training.
        guidance_scale: strength of the conditions in sampling; 1 is the plain conditional model.
        chunk: architectures drawn or scored at a time, which bounds memory.
        shared: whether decisions share the tokens of their labels.
    """

    dim: int = 64
    num_layers: int = 2
    num_bins: int = 10
    batch_size: int = 64
    lr: float = 2e-3
    cond_dropout: float = 0.15
    guidance_scale: float = 2.0
    chunk: int = 2048
    shared: bool = False


class AutoregressiveGenerator(NetworkGenerator[DecisionLM, AutoregressiveSettings]):
    """A causal language model over decisions as a :class:`gennas.models.base.Generator`.

    Besides sampling it gives exact likelihoods (:meth:`log_prob`), and it ranks candidates such as
    mutants of the best architectures by their likelihood ratio (:meth:`rank_mutations`).

    Args:
        schema: the schema of the architectures.
        legal: legality of the space; without it only the schema's masks hold.
        num_conditions: how many numbers in [0, 1] an architecture can be asked for by.
        settings: everything else.
        seed: seed of the initial weights.

    Example:
        >>> from gennas.spaces.nasbench201.space import NASBench201
        >>> space = NASBench201()
        >>> generator = AutoregressiveGenerator(space.schema, space.legal)
        >>> archs = space.sample(200, np.random.default_rng(0))
        >>> losses = generator.fit(archs, np.linspace(0, 1, 200)[:, None], steps=2)
        >>> generator.rank_mutations(space.mutate(archs, np.random.default_rng(1))).shape
        (200,)
    """

    kind = "autoregressive"
    network_type = DecisionLM
    settings_type = AutoregressiveSettings

    def _untrained(self, num_conditions: int) -> DecisionLM:
        s = self.settings
        vocabulary = DecisionVocabulary(self.schema, num_conditions, s.num_bins, s.shared)
        return DecisionLM(vocabulary, s.dim, s.num_layers).eval()

    def _adopt(self, network: DecisionLM, kept: Sequence[int | None]) -> None:
        self.model.adopt(network, kept)

    @property
    def model(self) -> DecisionLM:
        """The language model."""
        return self.network

    @property
    def num_conditions(self) -> int:
        """How many conditions the model knows."""
        return self.model.vocabulary.num_conditions

    def fit(
        self,
        archs: Population,
        conditions: FloatArray | None = None,
        weights: FloatArray | None = None,
        steps: int = 100,
        seed: int = 0,
    ) -> FloatArray:
        """Train further from the present weights, see :func:`fit_autoregressive`; returns the losses."""
        check_schema(self.schema, archs.schema)
        s = self.settings
        return fit_autoregressive(
            self.model, archs, conditions, weights, steps, s.batch_size, s.lr, s.cond_dropout, seed
        )

    def _draw(self, n: int, generator: torch.Generator, conditions: FloatArray | None) -> Population:
        return self.model.sample(n, conditions, self.settings.guidance_scale, generator, self.legal)

    def complete(
        self, archs: Population, keep: NDArray[np.bool_], conditions: FloatArray | None = None, seed: int = 0
    ) -> Population:
        """Draw the decisions of ``archs`` that are not to be kept anew, each legal, ``(b,)``.

        From first to last: what is to be kept ``(b, d)`` stays where it is legal after the ones before it, the rest
        is drawn under ``conditions`` ``(c,)`` or ``(b, c)`` given the ones before it.

        Example:
            >>> from gennas.spaces.nasbench201.space import NASBench201
            >>> space = NASBench201()
            >>> generator, archs = AutoregressiveGenerator(space.schema), space.sample(5, np.random.default_rng(0))
            >>> completed = generator.complete(archs, np.arange(6) < 4 + np.zeros((5, 6)))
            >>> bool((completed.decisions[:, :4] == archs.decisions[:, :4]).all())
            True
        """
        check_schema(self.schema, archs.schema)
        kept = np.where(keep, archs.decisions, -1)
        return self._in_chunks(self._redraw, len(archs), seed, conditions, kept)

    def _redraw(
        self, n: int, generator: torch.Generator, conditions: FloatArray | None, kept: NDArray[np.integer]
    ) -> Population:
        return self.model.sample(n, conditions, self.settings.guidance_scale, generator, self.legal, kept)

    def log_prob(
        self, archs: Population, conditions: FloatArray | None = None, guidance_scale: float = 1.0
    ) -> FloatArray:
        """Exact log-likelihood of each architecture under ``conditions``, in nats, ``(b,)``.

        The likelihoods of all legal decisions sum to 1; what is not legal has minus infinity. With
        the settings' ``guidance_scale`` they are those of :meth:`sample`.
        """
        check_schema(self.schema, archs.schema)
        D, parts, start = archs.decisions, [np.empty(0)], 0
        with one_thread():
            for size, (c,) in chunks(len(D), self.settings.chunk, conditions):
                parts.append(self.model.log_prob(D[start : start + size], c, self.legal, guidance_scale))
                start += size
        return np.concatenate(parts)

    def rank_mutations(
        self, candidates: Population, high: float | FloatArray = 0.95, low: float | FloatArray = 0.25
    ) -> FloatArray:
        r"""Likelihood ratio :math:`\log p(a \mid c_{high}) - \log p(a \mid c_{low})` of each candidate, ``(b,)``.

        What both conditions make likely, such as whatever is common in the space, cancels. Candidates
        should be legal: the difference is undefined (NaN) otherwise.

        Args:
            candidates: for instance mutants of the best architectures.
            high: quantile of what is wanted, one number for all conditions or ``(c,)``.
            low: quantile of what is not.
        """
        wanted, unwanted = (np.broadcast_to(q, self.num_conditions).astype(np.float64) for q in (high, low))
        return self.log_prob(candidates, wanted) - self.log_prob(candidates, unwanted)
