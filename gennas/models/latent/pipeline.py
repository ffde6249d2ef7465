"""Sampling latent vectors with the schedulers of diffusers, two kinds of guidance, and legal decoding."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

import torch
from diffusers import DDIMScheduler, DDPMScheduler, DiffusionPipeline, DPMSolverMultistepScheduler
from torch import Tensor

from gennas.errors import ConfigError, shown
from gennas.graph import GraphSchema, Population
from gennas.models.base import FloatArray, Legality
from gennas.models.checkpoints import checkpoint_errors, complete
from gennas.models.guidance import guided
from gennas.models.latent.autoencoder import GraphAutoencoder
from gennas.models.latent.denoiser import LatentDenoiser, LatentPredictor
from gennas.models.schema import check_schema
from gennas.models.tensors import condition_tensor

__all__ = ["LatentDiffusionPipeline", "make_scheduler"]

SchedulerName = Literal["ddpm", "ddim", "dpm-solver"]

_SCHEDULERS: dict[str, Any] = {
    "ddpm": DDPMScheduler,
    "ddim": DDIMScheduler,
    "dpm-solver": DPMSolverMultistepScheduler,
}


def make_scheduler(name: SchedulerName = "dpm-solver", num_train_timesteps: int = 1000) -> Any:
    """A scheduler of diffusers with the cosine schedule and velocity prediction.

    ``ddpm``: ancestral sampling (Ho et al. 2020, arXiv 2006.11239); ``ddim``: deterministic (Song et
    al. 2021, arXiv 2010.02502); ``dpm-solver``: second-order multistep (Lu et al. 2022,
    arXiv 2211.01095), the best with few steps.

    Raises:
        ConfigError: another name.
    """
    if name not in _SCHEDULERS:
        raise ConfigError(f"Expected a scheduler out of {', '.join(_SCHEDULERS)}, got {shown(name)}.")
    # The cosine schedule has no finite log-SNR at its end; DPM-Solver starts where it is -5.1, as its authors say.
    extra = {"lambda_min_clipped": -5.1} if name == "dpm-solver" else {"clip_sample": False}
    return _SCHEDULERS[name](
        num_train_timesteps=num_train_timesteps,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        **extra,
    )


class LatentDiffusionPipeline(DiffusionPipeline):  # type: ignore[misc]
    r"""Draws latent vectors from a :class:`LatentDenoiser` and decodes them to architectures.

    Latent diffusion (Rombach et al. 2022, arXiv 2112.10752) with classifier-free guidance (Ho and
    Salimans 2022, arXiv 2207.12598), :math:`v = v_\emptyset + w\,(v_c - v_\emptyset)`, and guidance by the
    gradient of a predictor (Dhariwal and Nichol 2021, arXiv 2105.05233),

    .. math:: v \leftarrow v - s\,\sigma_t \nabla_{z_t} \log p(c \mid z_t),

    which adds :math:`s\,\sigma_t^2 \nabla \log p` to the clean latent that the step aims at: theirs with
    the scale :math:`s\,\alpha_t`, weaker where there is little but noise to judge by.

    Args:
        autoencoder: between architectures and latents; it knows the schema.
        denoiser: velocities of noisy latents.
        predictor: conditions expected of noisy latents.
        scheduler: see :func:`make_scheduler`.
    """

    def __init__(
        self, autoencoder: GraphAutoencoder, denoiser: LatentDenoiser, predictor: LatentPredictor, scheduler: Any
    ) -> None:
        super().__init__()
        self.register_modules(autoencoder=autoencoder, denoiser=denoiser, predictor=predictor, scheduler=scheduler)

    @property
    def schema(self) -> GraphSchema:
        """The schema of the architectures drawn."""
        return cast(GraphSchema, self.autoencoder.schema)

    @torch.inference_mode()
    def __call__(
        self,
        n: int,
        conditions: FloatArray | None = None,
        guidance_scale: float = 2.0,
        predictor_scale: float = 0.0,
        num_steps: int = 20,
        generator: torch.Generator | None = None,
        legal: Legality | None = None,
    ) -> Population:
        """Draw ``n`` architectures.

        Args:
            n: how many.
            conditions: ``(c,)`` for all of them or ``(n, c)``, NaN for "any"; None: unconditional.
            guidance_scale: ``w``; 1 is plain conditional sampling, 0 ignores the conditions.
            predictor_scale: ``s``; 0 does without the predictor.
            num_steps: denoising steps.
            generator: source of randomness.
            legal: legality of the space; with it every architecture is valid by construction.

        Raises:
            ConfigError: conditions of another shape.
        """
        c = self._conditions(n, conditions)
        z = self.draw(n, c, guidance_scale, predictor_scale, num_steps, generator)
        return Population.from_decisions(self.schema, self.autoencoder.decode(z, legal))

    @torch.inference_mode()
    def draw(
        self,
        n: int,
        conditions: Tensor | None = None,
        guidance_scale: float = 2.0,
        predictor_scale: float = 0.0,
        num_steps: int = 20,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw ``n`` latent vectors, ``(n, Z)``; ``conditions (n, c)``."""
        T, alphas = self.scheduler.config.num_train_timesteps, self.scheduler.alphas_cumprod
        if not 1 <= num_steps <= T:
            raise ConfigError(f"Expected between 1 and {T} denoising steps, got {num_steps}.")
        z = torch.randn(n, self.autoencoder.latent_dim, generator=generator).to(self.denoiser.device)
        self.scheduler.set_timesteps(num_steps)
        for t in self.scheduler.timesteps.tolist():
            time = torch.full((n,), t / T, device=z.device)
            v = self._velocity(z, time, conditions, guidance_scale)
            if predictor_scale and conditions is not None:
                sigma = float(1 - alphas[t]) ** 0.5
                v = v - predictor_scale * sigma * self.predictor.log_likelihood_gradient(z, time, conditions)
            extra = {"generator": generator} if isinstance(self.scheduler, DDPMScheduler) else {}
            z = self.scheduler.step(v, t, z, **extra).prev_sample
        return z

    def _velocity(self, z: Tensor, time: Tensor, conditions: Tensor | None, w: float) -> Tensor:
        if conditions is None or w == 0:
            return cast(Tensor, self.denoiser(z, time))
        with_c = self.denoiser(z, time, conditions)
        if w == 1:
            return cast(Tensor, with_c)
        return guided(with_c, self.denoiser(z, time), w)

    def _conditions(self, n: int, conditions: FloatArray | None) -> Tensor | None:
        if conditions is None:
            return None
        return condition_tensor(conditions, n, self.denoiser.num_conditions, self.denoiser.device)

    # ------------------------------------------------------------------ files

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | Path, schema: GraphSchema | None = None
    ) -> LatentDiffusionPipeline:
        """Read a pipeline from the directory that ``save_pretrained`` wrote; nothing is downloaded.

        Args:
            pretrained_model_name_or_path: the directory.
            schema: if given, the model must be one of this schema.

        Raises:
            CheckpointError: no such directory, unreadable files, or another schema.
        """
        folder = Path(pretrained_model_name_or_path)
        with checkpoint_errors(folder, "model_index.json"):
            config = GraphAutoencoder.load_config(folder / "autoencoder", local_files_only=True)
            found = GraphAutoencoder.from_config(config).schema
            check_schema(found, schema or found)
            networks = {
                name: complete(
                    kind.from_pretrained(
                        folder / name,
                        local_files_only=True,
                        low_cpu_mem_usage=False,
                        use_safetensors=True,
                        output_loading_info=True,
                    ),
                    folder / name,
                )
                for name, kind in _NETWORKS.items()
            }
            recorded = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
            scheduler = _scheduler_of(recorded)
        return cls(**networks, scheduler=scheduler)


def _scheduler_of(recorded: Mapping[str, Any]) -> Any:
    """The scheduler of a record; the networks go with what :func:`make_scheduler` sets, and with nothing else.

    Raises:
        KeyError, TypeError, ValueError: it is another.
    """
    names = {kind.__name__: name for name, kind in _SCHEDULERS.items()}
    T = recorded["num_train_timesteps"]
    if type(T) is not int or not 1 <= T <= _MOST_TIMES:
        raise ValueError(f"expected num_train_timesteps between 1 and {_MOST_TIMES:,}, got {shown(T)}")
    scheduler = make_scheduler(cast(SchedulerName, names[recorded["_class_name"]]), T)
    for key in ("beta_schedule", "prediction_type", "timestep_spacing"):
        if recorded.get(key, scheduler.config[key]) != scheduler.config[key]:
            raise ValueError(f"expected {key}={scheduler.config[key]}, got {shown(recorded[key])}")
    return scheduler


_MOST_TIMES = 100_000
_NETWORKS: dict[str, Any] = {
    "autoencoder": GraphAutoencoder,
    "denoiser": LatentDenoiser,
    "predictor": LatentPredictor,
}
