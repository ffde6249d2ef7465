"""Generators of layered spaces: the depths of what an unconditional generator draws are those of its data."""

from __future__ import annotations

import numpy as np
import pytest

from gennas.generators.latent import LatentDiffusionGenerator, LatentSettings
from gennas.generators.registry import new_generator
from gennas.spaces import make_space
from gennas.spaces.layered import LayeredSpace


def shares(space: LayeredSpace, decisions: np.ndarray) -> np.ndarray:
    """Share of each depth."""
    depth = space.depth(decisions)
    return np.bincount(depth, minlength=space.depth(decisions).max() + 1)[depth.min() :] / len(depth)


@pytest.mark.parametrize(
    "name", ["diffusion", "autoregressive", pytest.param("latent", marks=pytest.mark.slow, id="latent")]
)
def test_every_depth_is_drawn_about_as_often_as_it_occurs(name: str) -> None:
    """Within a factor of two, on networks of which a hundredth, a tenth and the rest have 10, 11 and 12 layers."""
    space = make_space("gpt-s")
    assert isinstance(space, LayeredSpace)
    data = space.sample(2000, np.random.default_rng(0))
    generator = (
        LatentDiffusionGenerator(space.schema, space.legal, 0, LatentSettings(autoencoder_steps=150))
        if name == "latent"  # a quarter of its steps, which take the longest
        else new_generator(name, space, 0, seed=0)
    )
    generator.fit(data, steps=100, seed=0)
    expected, found = (shares(space, p.decisions) for p in (data, generator.sample(2000, seed=1)))
    assert len(expected) == len(found) == 3
    assert (found < 2 * expected).all() and (expected < 2 * found).all(), (expected, found)
