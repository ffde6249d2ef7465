"""What the three generators share, on the toy schema: weights that move between models of other conditions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gennas.errors import CheckpointError
from gennas.generators.autoregressive import AutoregressiveGenerator, AutoregressiveSettings
from gennas.generators.diffusion import DiffusionGenerator, DiffusionSettings
from gennas.generators.fitting import watch_steps
from gennas.generators.latent import LatentDiffusionGenerator, LatentSettings
from gennas.graph import Population
from gennas.testing.generators import edge_share, toy_schema

LATENT = LatentSettings(dim=16, num_layers=1, autoencoder_steps=2, num_steps=3)
MAKERS = {
    "absorbing": lambda c: DiffusionGenerator(toy_schema(), None, c, DiffusionSettings(dim=16, num_layers=1)),
    "uniform": lambda c: DiffusionGenerator(toy_schema(), None, c, DiffusionSettings("uniform", dim=16, num_layers=1)),
    "autoregressive": lambda c: AutoregressiveGenerator(
        toy_schema(), None, c, AutoregressiveSettings(dim=16, num_layers=1)
    ),
    "latent": lambda c: LatentDiffusionGenerator(toy_schema(), None, c, LATENT),
}


@pytest.fixture(scope="module")
def archs() -> Population:
    D = toy_schema().decision_mask.argmax(1) + np.random.default_rng(0).integers(2, size=(40, 8))
    return Population.from_decisions(toy_schema(), D)


def outputs(generator, archs: Population, conditions: np.ndarray) -> torch.Tensor:
    """What the network says of given architectures under given conditions ``(c,)``."""
    c = torch.tensor(np.tile(conditions, (len(archs), 1)), dtype=torch.float32)
    t = torch.full((len(archs),), 0.5)
    with torch.no_grad():
        if isinstance(generator, AutoregressiveGenerator):
            return generator.model(torch.tensor(archs.decisions.astype(np.int64)), c)
        if isinstance(generator, DiffusionGenerator):
            return generator.pipeline.denoiser(torch.tensor(archs.decisions.astype(np.int64)), t, c)
        z = generator.pipeline.autoencoder.embed(archs)
        return generator.pipeline.denoiser(z, t, c)


@pytest.mark.parametrize("kind", MAKERS)
def test_conditions_that_stay_mean_the_same(kind: str, archs: Population) -> None:
    """Two conditions; the first goes, the second becomes the first of two."""
    old = MAKERS[kind](2)
    old.fit(archs, np.stack([edge_share(archs), 1 - edge_share(archs)], 1), steps=3)
    same = old.with_conditions([0, 1], seed=5)
    asked = np.array([0.3, 0.8])
    torch.testing.assert_close(outputs(same, archs, asked), outputs(old, archs, asked))
    new = old.with_conditions([1, None], seed=5)
    if kind != "autoregressive":  # there positions matter, and a condition that is unknown has a token too
        asked_old, asked_new = np.array([np.nan, 0.8]), np.array([0.8, np.nan])
        torch.testing.assert_close(outputs(new, archs, asked_new), outputs(old, archs, asked_old))
    assert new.num_conditions == 2 and old.num_conditions == 2


@pytest.mark.parametrize("kind", ["absorbing", "uniform", "latent"])
def test_a_new_condition_changes_nothing_while_it_is_unknown(kind: str, archs: Population) -> None:
    old = MAKERS[kind](0)
    old.fit(archs, steps=3)
    new = old.with_conditions([None])
    nothing = np.empty(0)
    torch.testing.assert_close(outputs(new, archs, np.array([np.nan])), outputs(old, archs, nothing))
    back = new.with_conditions([])
    torch.testing.assert_close(outputs(back, archs, nothing), outputs(old, archs, nothing))
    assert (new.sample(30, seed=1).decisions == old.sample(30, seed=1).decisions).all()


def test_tokens_of_conditions_move(archs: Population) -> None:
    old = MAKERS["autoregressive"](2)
    old.fit(archs, np.stack([edge_share(archs)] * 2, 1), steps=3)
    new = old.with_conditions([None, 0])
    mine, theirs = (g.model.network.get_input_embeddings().weight for g in (new, old))
    assert torch.equal(mine[0], theirs[0]) and torch.equal(mine[13:25], theirs[1:13])
    assert torch.equal(mine[25:], theirs[25:]) and not torch.equal(mine[1:13], theirs[1:13])


def test_weights_of_another_size_are_refused() -> None:
    for kind, settings in (
        ("absorbing", DiffusionSettings(dim=32, num_layers=1)),
        ("autoregressive", AutoregressiveSettings(dim=16, num_layers=1, num_bins=5)),
        ("latent", LatentSettings(dim=16, num_layers=2)),
    ):
        with pytest.raises(CheckpointError, match="Expected"):
            MAKERS[kind](1).with_conditions([0], settings)


def test_steps_can_be_watched(archs: Population) -> None:
    heard: list[tuple[int, int]] = []
    with watch_steps(lambda done, total: heard.append((done, total))):
        MAKERS["latent"](0).fit(archs, steps=3)  # the autoencoder first, with its two
    MAKERS["absorbing"](0).fit(archs, steps=1)
    assert heard == [(1, 2), (2, 2), (1, 3), (2, 3), (3, 3)]
