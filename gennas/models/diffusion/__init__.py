"""Discrete graph diffusion over the decisions of an architecture."""

from gennas.models.diffusion.base import Denoiser
from gennas.models.diffusion.denoiser import GraphDenoiser
from gennas.models.diffusion.dense_denoiser import DenseDenoiser
from gennas.models.diffusion.pipeline import ArchitectureDiffusionPipeline
from gennas.models.diffusion.policy import (
    Transitions,
    chain_transitions,
    renoised_transitions,
    sample_chain,
    step_log_probs,
)
from gennas.models.diffusion.posterior import Particles, sample_posterior
from gennas.models.diffusion.scheduler import CategoricalScheduler

__all__ = [
    "ArchitectureDiffusionPipeline",
    "CategoricalScheduler",
    "Denoiser",
    "DenseDenoiser",
    "GraphDenoiser",
    "Particles",
    "Transitions",
    "chain_transitions",
    "renoised_transitions",
    "sample_chain",
    "sample_posterior",
    "step_log_probs",
]
