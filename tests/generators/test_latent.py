from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from gennas.errors import CheckpointError, ConfigError
from gennas.generators.latent import LatentDiffusionGenerator, LatentSettings, fit_autoencoder
from gennas.graph import GraphSchema, Population
from gennas.models.base import Legality
from gennas.models.latent import GraphAutoencoder
from gennas.spaces.nasbench201.space import NASBench201
from gennas.testing.generators import GeneratorContract, at_most_two_edges, edge_share, toy_schema

SMALL = LatentSettings(dim=64, num_layers=2, autoencoder_steps=60, num_steps=10, lr=5e-3)


class TestLatentDiffusionGenerator(GeneratorContract):
    steps = 250

    def make(
        self, schema: GraphSchema, legal: Legality | None, num_conditions: int, seed: int
    ) -> LatentDiffusionGenerator:
        return LatentDiffusionGenerator(schema, legal, num_conditions, SMALL, seed)


def all_toy() -> Population:
    schema = toy_schema()
    low = schema.decision_mask.argmax(1)
    return Population.from_decisions(schema, low + np.array(list(itertools.product([0, 1], repeat=8))))


def test_nasbench201_cells_come_back_exactly() -> None:
    """At least 99.9 % of cells the autoencoder was not handed, after a short fit."""
    space = NASBench201()
    archs = space.sample(500, np.random.default_rng(0))
    torch.manual_seed(0)
    autoencoder = GraphAutoencoder.for_schema(space.schema)
    losses = fit_autoencoder(autoencoder, archs, space.legal, steps=300)
    assert losses[0] == pytest.approx(math.log(5), rel=0.1)
    assert autoencoder.exactness(space.sample(3000, np.random.default_rng(1)), space.legal) >= 0.999


def test_autoencoder_is_not_blind_to_what_the_archive_lacks() -> None:
    """Handed one graph only, it still reconstructs all legal ones."""
    archs = all_toy()
    torch.manual_seed(0)
    autoencoder = GraphAutoencoder.for_schema(toy_schema())
    fit_autoencoder(autoencoder, archs[:1], at_most_two_edges, steps=150)
    few = archs[edge_share(archs) <= 2 / 6]
    assert autoencoder.exactness(few, at_most_two_edges) == 1
    with pytest.raises(ConfigError, match="none"):
        fit_autoencoder(autoencoder, archs[:0], steps=1)


def test_autoencoder_is_trained_once() -> None:
    archs = all_toy()
    generator = LatentDiffusionGenerator(toy_schema(), None, 1, SMALL)
    generator.fit(archs, steps=2)
    z = generator.pipeline.autoencoder.embed(archs)
    generator.fit(archs[:10], steps=2)
    assert torch.equal(generator.pipeline.autoencoder.embed(archs), z)


def test_predictor_guidance_moves_samples(tmp_path) -> None:
    """Without any classifier-free guidance the gradient alone brings edges."""
    archs = all_toy()
    generator = LatentDiffusionGenerator(toy_schema(), None, 1, SMALL)
    generator.fit(archs, edge_share(archs)[:, None], steps=150)
    shares = []
    for scale in (0.0, 0.5, 2.0):
        generator.settings = LatentSettings(guidance_scale=0.0, predictor_scale=scale, num_steps=10)
        shares.append(edge_share(generator.sample(300, np.array([1.0]))).mean())
    assert shares[0] + 0.05 < shares[1] < shares[2]
    generator.save_pretrained(tmp_path)
    loaded = LatentDiffusionGenerator.from_pretrained(tmp_path, toy_schema())
    assert loaded.settings == generator.settings
    assert edge_share(loaded.sample(300, np.array([1.0]))).mean() == shares[-1]


def test_initial_weights_depend_on_the_seed_only() -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    made = [LatentDiffusionGenerator(toy_schema(), None, 1, SMALL, seed) for seed in (0, 0, 1)]
    weights = [g.pipeline.denoiser.read.weight for g in made]
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_chunks_bound_memory_without_breaking_rows() -> None:
    generator = LatentDiffusionGenerator(toy_schema(), None, 1, LatentSettings(dim=16, chunk=7, num_steps=3))
    assert len(generator.sample(20, np.linspace(0, 1, 20)[:, None])) == 20


def test_damaged_settings_are_refused(tmp_path) -> None:
    LatentDiffusionGenerator(toy_schema(), None, 1, SMALL).save_pretrained(tmp_path)
    (tmp_path / "generator.json").write_text('{"width": 3}')
    with pytest.raises(CheckpointError, match=r"generator\.json"):
        LatentDiffusionGenerator.from_pretrained(tmp_path, toy_schema())
