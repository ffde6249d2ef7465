"""Fitting the autoregressive generator: weighted, return-conditioned maximum likelihood."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from gennas.errors import CheckpointError
from gennas.graph import GraphSchema, Population
from gennas.models._schema import check_schema
from gennas.models.autoregressive import DecisionLM, DecisionVocabulary
from gennas.models.generator import FloatArray, Legality
from gennas.training._fitting import (
    chunks,
    drop_conditions,
    load_settings,
    one_thread,
    save_settings,
    training_tensors,
    warm_cosine,
)

__all__ = ["AutoregressiveGenerator", "AutoregressiveSettings", "fit_autoregressive"]

_SETTINGS_FILE = "generator.json"


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
    optimiser = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.01, betas=(0.9, 0.99), fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda i: warm_cosine(i, steps))
    losses = np.empty(steps)
    model.train()
    with one_thread():
        for i in range(steps):
            rows = torch.multinomial(w, batch_size, replacement=True, generator=generator)
            x = D[rows].to(model.device)
            logits = model(x, drop_conditions(c[rows], cond_dropout, generator))
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), x.flatten())
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            losses[i] = loss.item()
    model.eval()
    return losses


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
    """

    dim: int = 64
    num_layers: int = 2
    num_bins: int = 10
    batch_size: int = 64
    lr: float = 2e-3
    cond_dropout: float = 0.15
    guidance_scale: float = 2.0
    chunk: int = 2048


class AutoregressiveGenerator:
    """A causal language model over decisions as a :class:`gennas.models.generator.Generator`.

    Besides sampling it gives exact likelihoods (:meth:`log_prob`), and it ranks candidates such as
    mutants of the best architectures by their likelihood ratio (:meth:`rank_mutations`).

    Args:
        schema: the schema of the architectures.
        legal: legality of the space; without it only the schema's masks hold.
        num_conditions: how many numbers in [0, 1] an architecture can be asked for by.
        settings: everything else.
        seed: seed of the initial weights.

    Example:
        >>> from gennas.spaces.nasbench201 import NASBench201
        >>> space = NASBench201()
        >>> generator = AutoregressiveGenerator(space.schema, space.legal)
        >>> archs = space.sample(200, np.random.default_rng(0))
        >>> losses = generator.fit(archs, np.linspace(0, 1, 200)[:, None], steps=2)
        >>> generator.rank_mutations(space.mutate(archs, np.random.default_rng(1))).shape
        (200,)
    """

    def __init__(
        self,
        schema: GraphSchema,
        legal: Legality | None = None,
        num_conditions: int = 1,
        settings: AutoregressiveSettings | None = None,
        seed: int = 0,
    ) -> None:
        self.schema, self.legal, self.settings = schema, legal, settings or AutoregressiveSettings()
        vocabulary = DecisionVocabulary(schema, num_conditions, self.settings.num_bins)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = DecisionLM(vocabulary, self.settings.dim, self.settings.num_layers).eval()

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

    def sample(self, n: int, conditions: FloatArray | None = None, seed: int = 0) -> Population:
        """Draw ``n`` architectures, each legal, under ``conditions`` ``(c,)`` or ``(n, c)``."""
        generator = torch.Generator().manual_seed(seed)
        w = self.settings.guidance_scale
        with one_thread():
            parts = [
                self.model.sample(size, c, w, generator, self.legal)
                for size, c in chunks(n, self.settings.chunk, conditions)
            ]
        return Population.concat([Population.of(self.schema, []), *parts])

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
            for size, c in chunks(len(D), self.settings.chunk, conditions):
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

    def save_pretrained(self, directory: str | Path) -> None:
        """Write weights, vocabulary and settings into a directory."""
        self.model.save_pretrained(directory)
        save_settings(self.settings, Path(directory) / _SETTINGS_FILE)

    @classmethod
    def from_pretrained(
        cls, directory: str | Path, schema: GraphSchema, legal: Legality | None = None
    ) -> AutoregressiveGenerator:
        """Read what :meth:`save_pretrained` wrote.

        Raises:
            CheckpointError: nothing readable is there, or it belongs to another schema.
        """
        model = DecisionLM.from_pretrained(directory, schema)
        settings = load_settings(AutoregressiveSettings, Path(directory) / _SETTINGS_FILE)
        found = cls(schema, legal, model.vocabulary.num_conditions, settings)
        found.model = model
        return found
