from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gennas.errors import CheckpointError, ConfigError
from gennas.graph import GraphSchema
from gennas.models.latent import (
    GraphAutoencoder,
    LatentDenoiser,
    LatentDiffusionPipeline,
    LatentPredictor,
    make_scheduler,
)
from gennas.models.latent.pipeline import _scheduler_of

NAMES = ["ddpm", "ddim", "dpm-solver"]


class GaussianDenoiser(LatentDenoiser):
    """The exact velocity for latents that are normal with mean ``m`` and standard deviation ``s``."""

    def forward(self, z, time, conditions=None):
        m, s = self.m, self.s
        alphas = make_scheduler("ddpm").alphas_cumprod
        a2 = alphas[(time * 1000).round().long()][:, None]
        alpha, sigma2 = a2.sqrt(), 1 - a2
        # E[z0 | z_t] of a normal prior, then v = (alpha z_t - z0) / sigma.
        z0 = m + alpha * s**2 / (a2 * s**2 + sigma2) * (z - alpha * m)
        return (alpha * z - z0) / sigma2.sqrt()


def make(schema: GraphSchema, scheduler: str = "ddim", denoiser: type[LatentDenoiser] = LatentDenoiser):
    torch.manual_seed(0)
    autoencoder = GraphAutoencoder.for_schema(schema, dim=16, num_layers=1, decoder_dim=32).eval()
    Z = autoencoder.latent_dim
    networks = [denoiser(Z, 1, dim=16, num_layers=1), LatentPredictor(Z, 1, dim=16)]
    for network in networks:
        for p in network.parameters():
            torch.nn.init.normal_(p, std=0.2)
    return LatentDiffusionPipeline(autoencoder, *networks, make_scheduler(scheduler))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("name", "num_steps"), [("ddpm", 50), ("ddim", 25), ("dpm-solver", 12)])
def test_a_normal_distribution_is_recovered(mixed: GraphSchema, name: str, num_steps: int) -> None:
    """With the exact denoiser of N(1.5, 0.5) every scheduler must draw from it."""
    pipeline = make(mixed, name, GaussianDenoiser)
    pipeline.denoiser.m, pipeline.denoiser.s = 1.5, 0.5
    z = pipeline.draw(2000, num_steps=num_steps, generator=seeded(0))
    assert z.mean().item() == pytest.approx(1.5, abs=0.06)
    assert z.std().item() == pytest.approx(0.5, abs=0.08)


def test_the_predictors_gradient_moves_latents_up_its_likelihood(mixed: GraphSchema) -> None:
    """A predictor that reads off the first number: more scale, nearer to what is asked for."""
    pipeline = make(mixed, "dpm-solver", GaussianDenoiser)
    pipeline.denoiser.m, pipeline.denoiser.s = 0.0, 1.0

    class First(LatentPredictor):
        def forward(self, z, time):
            return z[:, :1]

    pipeline.predictor = First(pipeline.autoencoder.latent_dim, 1)
    c = torch.full((500, 1), 1.0)
    error = []
    for scale in (0.0, 0.02, 0.2):
        z = pipeline.draw(500, c, 1.0, scale, 12, seeded(0))
        error.append((z[:, 0] - 1).abs().mean().item())
        assert abs(z[:, 1].mean().item()) < 0.15  # the others stay
    assert error[0] > 0.9 and error[0] > error[1] + 0.1 > error[2] + 0.2
    unasked = pipeline.draw(500, torch.full((500, 1), torch.nan), 1.0, 0.2, 12, seeded(0))
    torch.testing.assert_close(unasked, pipeline.draw(500, c, 1.0, 0.0, 12, seeded(0)))


def test_guidance_is_the_stated_combination(mixed: GraphSchema) -> None:
    pipeline = make(mixed)
    z, time, c = torch.randn(3, 8), torch.full((3,), 0.4), torch.full((3, 1), 0.9)
    with torch.inference_mode():
        free, with_c = pipeline.denoiser(z, time), pipeline.denoiser(z, time, c)
        for w in (0.0, 1.0, 2.5):
            torch.testing.assert_close(pipeline._velocity(z, time, c, w), free + w * (with_c - free))


@pytest.mark.parametrize("name", NAMES)
def test_draws_depend_on_the_generator_only(mixed: GraphSchema, name: str) -> None:
    pipeline = make(mixed, name)
    first, again, other = (pipeline.draw(20, num_steps=4, generator=seeded(s)) for s in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize("name", NAMES)
def test_round_trip_through_files(mixed: GraphSchema, tmp_path: Path, name: str) -> None:
    pipeline = make(mixed, name)
    pipeline.save_pretrained(tmp_path)
    loaded = LatentDiffusionPipeline.from_pretrained(tmp_path, mixed)
    assert type(loaded.scheduler) is type(pipeline.scheduler)
    draws = [p.draw(16, num_steps=4, generator=seeded(3)) for p in (pipeline, loaded)]
    torch.testing.assert_close(draws[0], draws[1], rtol=0, atol=0)
    z = draws[0]
    assert (pipeline.autoencoder.decode(z) == loaded.autoencoder.decode(z)).all()


@pytest.mark.parametrize(
    "file", ["model_index.json", "autoencoder/config.json", "predictor/config.json", "scheduler/scheduler_config.json",
             "denoiser/diffusion_pytorch_model.safetensors"],
)  # fmt: skip
def test_damaged_files_are_refused(mixed: GraphSchema, tmp_path: Path, file: str) -> None:
    make(mixed).save_pretrained(tmp_path)
    if file != "model_index.json":  # only its presence is needed: the parts say what they are
        (tmp_path / file).write_bytes((tmp_path / file).read_bytes()[:40])
        with pytest.raises(CheckpointError):
            LatentDiffusionPipeline.from_pretrained(tmp_path)
    (tmp_path / file).unlink()
    with pytest.raises(CheckpointError):
        LatentDiffusionPipeline.from_pretrained(tmp_path)


def test_misuse_is_explained(mixed: GraphSchema) -> None:
    with pytest.raises(ConfigError, match="dpm-solver"):
        make_scheduler("euler")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"\(1,\) or \(5, 1\)"):
        make(mixed)(5, conditions=np.zeros((4, 1)))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"num_train_timesteps": 19_920_000_000}, "num_train_timesteps between 1 and 100,000"),
        ({"num_train_timesteps": "1000"}, "num_train_timesteps between 1 and 100,000"),
        ({"prediction_type": 1}, "prediction_type=v_prediction"),
        ({"timestep_spacing": "odd"}, "timestep_spacing=trailing"),
    ],
)
def test_a_scheduler_that_the_networks_do_not_go_with_is_refused(changes: dict[str, object], reason: str) -> None:
    recorded = {"_class_name": "DPMSolverMultistepScheduler", **make_scheduler("dpm-solver").config}
    assert _scheduler_of(recorded).config["num_train_timesteps"] == 1000
    with pytest.raises(ValueError, match=reason):
        _scheduler_of(recorded | changes)
