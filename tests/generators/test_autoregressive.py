from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from gennas.errors import CheckpointError, ConfigError
from gennas.generators.autoregressive import AutoregressiveGenerator, AutoregressiveSettings
from gennas.graph import GraphSchema, Population
from gennas.models.base import Legality
from gennas.testing.generators import GeneratorContract, at_most_two_edges, edge_share, toy_schema

SMALL = AutoregressiveSettings(dim=32, num_layers=1, lr=1e-2)


class TestAutoregressiveGenerator(GeneratorContract):
    def make(
        self, schema: GraphSchema, legal: Legality | None, num_conditions: int, seed: int
    ) -> AutoregressiveGenerator:
        return AutoregressiveGenerator(schema, legal, num_conditions, SMALL, seed)


def all_toy() -> Population:
    schema = toy_schema()
    low = schema.decision_mask.argmax(1)
    return Population.from_decisions(schema, low + np.array(list(itertools.product([0, 1], repeat=8))))


@pytest.fixture(scope="module")
def fitted() -> AutoregressiveGenerator:
    """Has seen that the best half of the toy graphs is the one with many edges."""
    archs = all_toy()
    generator = AutoregressiveGenerator(toy_schema(), at_most_two_edges, 1, SMALL)
    generator.fit(archs, edge_share(archs)[:, None], steps=80)
    return generator


def test_likelihoods_sum_to_one_over_a_space_that_masks_cannot_say(fitted: AutoregressiveGenerator) -> None:
    archs = all_toy()
    legal = edge_share(archs) <= 2 / 6
    for conditions in (None, np.array([0.2]), np.array([0.9])):
        for scale in (1.0, 2.0):
            p = np.exp(fitted.log_prob(archs, conditions, scale))
            assert p.sum() == pytest.approx(1, abs=1e-5)
            assert ((p > 0) == legal).all()


def test_the_loss_falls_to_the_entropy() -> None:
    """Two free bits in all, of eight decisions: 2 ln 2 / 8 nats per decision."""
    archs = all_toy()[np.array([3, 60, 130, 251])]
    generator = AutoregressiveGenerator(toy_schema(), None, 0, SMALL)
    losses = generator.fit(archs, steps=120)
    assert losses[0] == pytest.approx(math.log(2), abs=1e-5)
    assert losses[-10:].mean() == pytest.approx(2 * math.log(2) / 8, rel=0.1)
    np.testing.assert_allclose(np.exp(generator.log_prob(archs)), 0.25, atol=0.05)


def test_mutations_are_ranked_by_their_likelihood_ratio(fitted: AutoregressiveGenerator) -> None:
    archs = all_toy()
    few = archs[edge_share(archs) <= 2 / 6]
    scores = fitted.rank_mutations(few)
    by_hand = fitted.log_prob(few, np.array([0.95])) - fitted.log_prob(few, np.array([0.25]))
    assert (scores == by_hand).all()
    share = edge_share(few)
    assert scores[share == 2 / 6].min() > scores[share == 0].max()
    assert (fitted.rank_mutations(few, high=np.array([0.1]), low=0.9)[share == 0] > 0).all()


def test_warm_start_goes_on_from_the_present_weights(fitted: AutoregressiveGenerator) -> None:
    archs = all_toy()
    generator = AutoregressiveGenerator(toy_schema(), None, 0, SMALL)
    first = generator.fit(archs[np.arange(4)], steps=30, seed=0)
    second = generator.fit(archs[np.arange(4)], steps=5, seed=1)
    assert second.mean() < first[:5].mean()


def test_initial_weights_depend_on_the_seed_only() -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    made = [AutoregressiveGenerator(toy_schema(), None, 1, SMALL, seed) for seed in (0, 0, 1)]
    weights = [next(g.model.parameters()) for g in made]
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_chunks_bound_memory_without_breaking_rows() -> None:
    archs = all_toy()
    settings = AutoregressiveSettings(dim=32, num_layers=1, chunk=7)
    generator = AutoregressiveGenerator(toy_schema(), None, 1, settings)
    generator.fit(archs, edge_share(archs)[:, None], steps=30)
    conditions = np.linspace(0, 1, 20)[:, None]
    whole = AutoregressiveGenerator(toy_schema(), None, 1, AutoregressiveSettings(dim=32, num_layers=1))
    whole.model.load_state_dict(generator.model.state_dict())
    np.testing.assert_allclose(
        generator.log_prob(archs[:20], conditions), whole.log_prob(archs[:20], conditions), atol=1e-5
    )
    assert len(generator.sample(20, conditions)) == 20


def test_threads_are_given_back(fitted: AutoregressiveGenerator) -> None:
    before = torch.get_num_threads()
    fitted.sample(3)
    assert torch.get_num_threads() == before


def test_settings_are_saved_with_the_weights(tmp_path) -> None:
    AutoregressiveGenerator(toy_schema(), None, 1, SMALL).save_pretrained(tmp_path)
    assert AutoregressiveGenerator.from_pretrained(tmp_path, toy_schema()).settings == SMALL
    (tmp_path / "generator.json").write_text('{"width": 3}')
    with pytest.raises(CheckpointError, match=r"generator\.json"):
        AutoregressiveGenerator.from_pretrained(tmp_path, toy_schema())


def test_completions_keep_what_is_legal_and_follow_the_model(fitted: AutoregressiveGenerator) -> None:
    """What is redrawn, given what came before, has the model's own probabilities; what became illegal gives way."""
    archs = all_toy()
    legal = archs[np.flatnonzero(edge_share(archs) <= 2 / 6)]
    parents = legal[np.full(4000, 5)]
    keep = np.zeros(parents.decisions.shape, dtype=bool)
    keep[:, :6] = True
    children = fitted.complete(parents, keep, np.array([0.9]), seed=3)
    assert (children.decisions[:, :6] == parents.decisions[:, :6]).all()
    assert (edge_share(children) <= 2 / 6).all()
    p = np.exp(fitted.log_prob(legal, np.array([0.9]), fitted.settings.guidance_scale))
    possible = np.flatnonzero((legal.decisions[:, :6] == parents.decisions[0, :6]).all(1))
    counts = np.array([np.mean(np.array(children.keys) == legal.keys[i]) for i in possible])
    np.testing.assert_allclose(counts, p[possible] / p[possible].sum(), atol=0.03)
    assert len(possible) > 1 and counts.sum() == pytest.approx(1)
    full = np.ones_like(keep)
    assert fitted.complete(parents[:3], full[:3]).keys == parents.keys[:3]
    broken = Population.from_decisions(archs.schema, archs.decisions[np.argsort(edge_share(archs))[-1:]])
    assert edge_share(broken)[0] == 1 and edge_share(fitted.complete(broken, full[:1]))[0] == pytest.approx(2 / 6)


def test_what_is_kept_must_have_the_shape_of_what_is_drawn(fitted: AutoregressiveGenerator) -> None:
    with pytest.raises(ConfigError, match="Expected decisions to keep"):
        fitted.model.sample(3, kept=np.zeros((2, 8), dtype=int))
