"""Every generator fits and samples every registered space: valid, repeatable, and the same from disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gennas.errors import GennasError
from gennas.generators.latent import LatentDiffusionGenerator, LatentSettings
from gennas.generators.registry import new_generator
from gennas.graph import Architecture, GraphSchema
from gennas.models.base import Generator
from gennas.spaces import SPACES, Space, TaskSpec, make_space

OPTIONS = {"joint": {"lr": [0.01, 0.03, 0.1]}}  # of spaces that are none without


class FreeEdges(Space):
    """Any directed acyclic graph of 24 ordered nodes."""

    name = "free-edges"

    def __init__(self, n: int = 24) -> None:
        edges = np.zeros((n, n, 2), dtype=bool)
        edges[..., 0] = edges[np.triu_indices(n, 1)] = True
        self.schema = GraphSchema(self.name, ("op",), ("none", "edge"), np.ones((n, 1), dtype=bool), edges)

    def build(self, arch: Architecture, spec: TaskSpec) -> None:
        raise NotImplementedError


def untrained(name: str, space: Space) -> Generator:
    """With one condition, and as small as it may be where that is a matter of time."""
    if name == "latent":
        return LatentDiffusionGenerator(space.schema, space.legal, 1, LatentSettings(autoencoder_steps=2))
    return new_generator(name, space, 1, seed=0)


@pytest.mark.parametrize("space_name", sorted(SPACES))
@pytest.mark.parametrize(
    "name", ["diffusion", "autoregressive", pytest.param("latent", marks=pytest.mark.slow, id="latent")]
)
def test_a_generator_serves_a_space(name: str, space_name: str, tmp_path: Path) -> None:
    """Two steps of training teach nothing: what is valid is so by construction."""
    space = make_space(space_name, **OPTIONS.get(space_name, {}))
    data = space.sample(16, np.random.default_rng(0))
    generator = untrained(name, space)
    wish = np.linspace(0, 1, len(data))[:, None]
    assert np.isfinite(generator.fit(data, wish, steps=2, seed=0)).all()
    drawn = generator.sample(12, np.array([0.9]), seed=1)
    assert space.is_valid(drawn).all() and len(drawn) == 12
    assert generator.sample(12, np.array([0.9]), seed=1).keys == drawn.keys
    generator.save_pretrained(tmp_path / "saved")
    again = type(generator).from_pretrained(tmp_path / "saved", space.schema, space.legal)
    assert again.sample(12, np.array([0.9]), seed=1).keys == drawn.keys
    other = make_space("nasbench201" if space_name != "nasbench201" else "macro-chain")
    with pytest.raises(GennasError, match="load it with its own space"):
        type(generator).from_pretrained(tmp_path / "saved", other.schema)


@pytest.mark.parametrize("name", ["diffusion", "autoregressive", "latent"])
def test_more_decisions_than_have_a_weight_for_every_pair(name: str) -> None:
    """276 free edges, beyond the 256 decisions up to which every pair has weights: fitted, valid, repeatable."""
    space = FreeEdges()
    data = space.sample(8, np.random.default_rng(0))
    generator = untrained(name, space)
    assert np.isfinite(generator.fit(data, np.linspace(0, 1, 8)[:, None], steps=1, seed=0)).all()
    drawn = generator.sample(3, np.array([0.9]), seed=1)
    assert space.is_valid(drawn).all() and generator.sample(3, np.array([0.9]), seed=1).keys == drawn.keys
