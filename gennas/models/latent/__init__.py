"""Latent diffusion: a graph autoencoder, and a continuous diffusion over what it encodes."""

from gennas.models.latent.autoencoder import GraphAutoencoder
from gennas.models.latent.denoiser import LatentDenoiser, LatentPredictor
from gennas.models.latent.pipeline import LatentDiffusionPipeline, make_scheduler

__all__ = ["GraphAutoencoder", "LatentDenoiser", "LatentDiffusionPipeline", "LatentPredictor", "make_scheduler"]
