"""Fitting the latent generator: the autoencoder without labels, then denoiser and predictor on its latents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from gennas.errors import ConfigError
from gennas.generators.base import NetworkGenerator
from gennas.generators.fitting import descend, drop_conditions, training_tensors, weighted_rows
from gennas.graph import GraphSchema, Population
from gennas.models.base import FloatArray, Legality
from gennas.models.latent import (
    GraphAutoencoder,
    LatentDenoiser,
    LatentDiffusionPipeline,
    LatentPredictor,
    make_scheduler,
)
from gennas.models.latent.pipeline import SchedulerName
from gennas.models.schema import check_schema
from gennas.models.tensors import decision_tensor, graph_tensors
from gennas.models.weights import copy_weights
from gennas.runtime.threads import one_thread

__all__ = ["LatentDiffusionGenerator", "LatentSettings", "fit_autoencoder", "fit_latent_diffusion"]


def fit_autoencoder(
    autoencoder: GraphAutoencoder,
    archs: Population,
    legal: Legality | None = None,
    steps: int = 600,
    batch_size: int = 128,
    lr: float = 4e-3,
    seed: int = 0,
) -> FloatArray:
    """Train an autoencoder in place to reconstruct decisions, and return the loss of every step.

    Half of every batch is drawn from ``archs``, the other half are random decisions, each uniform
    among what is legal after the ones before: they cost no label and keep the latent from being
    blind to what ``archs`` lack. The loss is the mean cross-entropy of a decision, in nats.

    Raises:
        CheckpointError: the architectures belong to another schema.
        ConfigError: there are none.
    """
    check_schema(autoencoder.schema, archs.schema)
    if not len(archs):
        raise ConfigError("Expected at least one architecture to train the autoencoder on, got none.")
    generator, rng = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    half = batch_size // 2
    known = archs[rng.integers(len(archs), size=half * steps)]
    random = _random_decisions(autoencoder.schema, legal, min(half * steps, 20_000), rng)

    def loss(batch: Population) -> Tensor:
        logits = autoencoder(*graph_tensors(batch, autoencoder.device), generator)
        return nn.functional.cross_entropy(logits.flatten(0, 1), decision_tensor(batch, autoencoder.device).flatten())

    batches = (
        Population.concat([known[half * i : half * (i + 1)], random[rng.integers(len(random), size=half)]])
        for i in range(steps)
    )
    losses = descend(autoencoder, batches, loss, steps, lr, weight_decay=1e-4, max_norm=None)
    autoencoder.trained.fill_(True)
    autoencoder.eval()
    return losses


def _random_decisions(schema: GraphSchema, legal: Legality | None, n: int, rng: np.random.Generator) -> Population:
    D = np.zeros((n, schema.num_decisions), dtype=np.int16)
    for t in range(schema.num_decisions):
        allowed = schema.decision_mask[t] if legal is None else legal(D, t)
        D[:, t] = np.where(allowed, rng.random((n, schema.num_symbols)), -1.0).argmax(1)
    return Population.from_decisions(schema, D)


def fit_latent_diffusion(
    pipeline: LatentDiffusionPipeline,
    archs: Population,
    conditions: FloatArray | None = None,
    weights: FloatArray | None = None,
    steps: int = 100,
    batch_size: int = 128,
    lr: float = 3e-3,
    cond_dropout: float = 0.15,
    seed: int = 0,
) -> FloatArray:
    """Train denoiser and predictor in place on the latents of ``archs``; returns the loss of every step.

    Each step draws latents in proportion to ``weights``, times and noise, and descends the squared
    error of the velocity (mean over the latent's numbers) plus that of the conditions which the
    predictor expects of the noisy latent. The autoencoder stays as it is.

    Shapes: ``conditions (b, c)`` with NaN for unknown, ``weights (b,)``.

    Raises:
        ConfigError: no architectures, or shapes that do not fit.
    """
    denoiser, predictor = pipeline.denoiser, pipeline.predictor
    _, c, w = training_tensors(archs.decisions, denoiser.num_conditions, conditions, weights)
    generator = torch.Generator().manual_seed(seed)
    with one_thread():
        z0 = pipeline.autoencoder.embed(archs)

    def loss(rows: Tensor) -> Tensor:
        known = c[rows].to(z0.device)
        z, time, target = _noisy(z0[rows], pipeline.scheduler, generator)
        velocity = denoiser(z, time, drop_conditions(known, cond_dropout, generator))
        return nn.functional.mse_loss(velocity, target) + _prediction_loss(predictor(z, time), known)

    both = nn.ModuleList([denoiser, predictor])
    return descend(both, weighted_rows(w, batch_size, generator), loss, steps, lr)


def _noisy(z0: Tensor, scheduler: object, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Latents at times spread evenly over the batch, the times in [0, 1], and the velocities."""
    alphas: Tensor = scheduler.alphas_cumprod  # type: ignore[attr-defined]
    b, T = len(z0), len(alphas)
    u = (torch.arange(b) + torch.rand(b, generator=generator)) / b
    t = (u * T).long().clamp_max(T - 1)
    noise = torch.randn(z0.shape, generator=generator).to(z0)
    alpha, sigma = (a.sqrt().to(z0)[:, None] for a in (alphas[t], 1 - alphas[t]))
    return alpha * z0 + sigma * noise, (t / T).to(z0), alpha * noise - sigma * z0


def _prediction_loss(predicted: Tensor, known: Tensor) -> Tensor:
    counted = ~known.isnan()
    return (((predicted - known.nan_to_num()) * counted) ** 2).sum() / counted.sum().clamp_min(1)


@dataclass(frozen=True)
class LatentSettings:
    """What a :class:`LatentDiffusionGenerator` is made of; the defaults serve every space.

    Args:
        scheduler: ``ddpm``, ``ddim`` or ``dpm-solver``, see :func:`gennas.models.latent.make_scheduler`.
        num_steps: denoising steps per sample.
        node_dim: latent numbers per node with decisions.
        dim: width of the denoiser.
        num_layers: its number of blocks.
        autoencoder_steps: optimiser steps of the autoencoder, once, in the first fit.
        batch_size: latents per training step.
        lr: learning rate of denoiser and predictor.
        cond_dropout: how often conditions are dropped in training.
        guidance_scale: strength of the conditions in the denoiser; 1 is the plain conditional model.
        predictor_scale: strength of the predictor's gradient; 0 does without.
        chunk: architectures drawn at a time, which bounds memory.
    """

    scheduler: SchedulerName = "dpm-solver"
    num_steps: int = 20
    node_dim: int = 4
    dim: int = 128
    num_layers: int = 3
    autoencoder_steps: int = 600
    batch_size: int = 128
    lr: float = 3e-3
    cond_dropout: float = 0.15
    guidance_scale: float = 2.0
    predictor_scale: float = 0.0
    chunk: int = 2048


class LatentDiffusionGenerator(NetworkGenerator[LatentDiffusionPipeline, LatentSettings]):
    """A latent graph diffusion model as a :class:`gennas.models.base.Generator`.

    Args:
        schema: the schema of the architectures.
        legal: legality of the space; without it only the schema's masks hold.
        num_conditions: how many numbers in [0, 1] an architecture can be asked for by.
        settings: everything else.
        seed: seed of the initial weights.

    Example:
        >>> from gennas.spaces.nasbench201.space import NASBench201
        >>> space = NASBench201()
        >>> settings = LatentSettings(autoencoder_steps=3)
        >>> generator = LatentDiffusionGenerator(space.schema, space.legal, settings=settings)
        >>> losses = generator.fit(space.sample(200, np.random.default_rng(0)), steps=3)
        >>> len(generator.sample(10, seed=1))
        10
    """

    kind = "latent"
    network_type = LatentDiffusionPipeline
    settings_type = LatentSettings

    def _untrained(self, num_conditions: int) -> LatentDiffusionPipeline:
        s = self.settings
        autoencoder = GraphAutoencoder.for_schema(self.schema, node_dim=s.node_dim).eval()
        denoiser = LatentDenoiser(autoencoder.latent_dim, num_conditions, s.dim, s.num_layers)
        predictor = LatentPredictor(autoencoder.latent_dim, num_conditions)
        return LatentDiffusionPipeline(autoencoder, denoiser, predictor, make_scheduler(s.scheduler))

    def _adopt(self, network: LatentDiffusionPipeline, kept: Sequence[int | None]) -> None:
        copy_weights(self.pipeline.autoencoder, network.autoencoder)
        self.pipeline.denoiser.adopt(network.denoiser, kept)
        self.pipeline.predictor.adopt(network.predictor, kept)

    @property
    def pipeline(self) -> LatentDiffusionPipeline:
        """Autoencoder, denoiser, predictor and scheduler."""
        return self.network

    @property
    def num_conditions(self) -> int:
        """How many conditions the model knows."""
        return int(self.pipeline.denoiser.num_conditions)

    def fit(
        self,
        archs: Population,
        conditions: FloatArray | None = None,
        weights: FloatArray | None = None,
        steps: int = 100,
        seed: int = 0,
    ) -> FloatArray:
        """Train denoiser and predictor further, see :func:`fit_latent_diffusion`; returns the losses.

        The first call trains the autoencoder before (:func:`fit_autoencoder`), with the settings'
        ``autoencoder_steps``; afterwards it is frozen, so that latents keep their meaning.
        """
        check_schema(self.schema, archs.schema)
        s = self.settings
        training_tensors(archs.decisions, self.num_conditions, conditions, weights)  # checked before the long part
        if not bool(self.pipeline.autoencoder.trained):
            fit_autoencoder(self.pipeline.autoencoder, archs, self.legal, s.autoencoder_steps, seed=seed)
        return fit_latent_diffusion(
            self.pipeline, archs, conditions, weights, steps, s.batch_size, s.lr, s.cond_dropout, seed
        )

    def _draw(self, n: int, generator: torch.Generator, conditions: FloatArray | None) -> Population:
        s = self.settings
        scales = (s.guidance_scale, s.predictor_scale)
        return self.pipeline(n, conditions, *scales, s.num_steps, generator, self.legal)
