"""Fine-tuning towards p(x) exp(v(x) / T) on an enumerable space."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gennas.errors import ConfigError
from gennas.generators.diffusion import DiffusionGenerator, DiffusionSettings
from gennas.generators.fine_tuning import fine_tune
from gennas.graph import GraphSchema, Population

ALL = np.array(list(itertools.product(range(3), repeat=3)))


def three_layers() -> GraphSchema:
    edge_mask = np.zeros((3, 3, 2), dtype=bool)
    edge_mask[..., 0] = True
    edge_mask[np.arange(2), np.arange(1, 3)] = [False, True]
    return GraphSchema("three", ("a", "b", "c"), ("none", "next"), np.ones((3, 3), dtype=bool), edge_mask)


def value(archs: Population) -> np.ndarray:
    D = archs.decisions.astype(int)
    return 1.2 * (D[:, 0] != D[:, 1]) + 1.5 * (D[:, 1] == D[:, 2]) + 0.6 * D[:, 0]


def distance(archs: Population, goal: np.ndarray) -> float:
    found = (archs.decisions[:, None] == ALL).all(2).mean(0)
    return float(abs(found - goal).sum() / 2)


@pytest.mark.parametrize(("network", "part"), [("dense", 0.6), ("tokens", 0.85)])
def test_samples_come_closer_to_the_tilted_distribution(network, part: float) -> None:
    generator = DiffusionGenerator(three_layers(), None, 1, DiffusionSettings(network=network))  # uniform over 27
    goal = np.exp(value(Population.from_decisions(three_layers(), ALL)) / 0.8)
    goal /= goal.sum()
    tuned = fine_tune(generator, value, 0.8, rounds=4, samples=400, steps=25)
    assert tuned.calls == 1600 and tuned.reached == pytest.approx(1)
    before, after = (distance(g.sample(4000, seed=1), goal) for g in (generator, tuned.generator))
    assert before > 0.35 and after < part * before
    np.testing.assert_array_equal(value(tuned.seen), tuned.seen_values)


def test_steps_are_bounded_where_few_samples_would_count() -> None:
    generator = DiffusionGenerator(three_layers(), None, 0)
    tuned = fine_tune(generator, value, 0.01, rounds=2, samples=64, steps=2, least=0.5)
    assert 0 < tuned.reached < 0.1


def test_the_seed_decides_and_what_was_there_stays() -> None:
    generator = DiffusionGenerator(three_layers(), None, 1)
    before = generator.sample(30, seed=0).keys
    first, again, other = (
        fine_tune(generator, value, rounds=2, samples=32, steps=3, seed=s).generator.sample(50, seed=5).keys
        for s in (0, 0, 1)
    )
    assert first == again != other
    assert generator.sample(30, seed=0).keys == before


def test_misuse_is_explained() -> None:
    generator = DiffusionGenerator(three_layers(), None, 0)
    for wrong in ({"temperature": 0.0}, {"rounds": 0}, {"least": 0.0}):
        with pytest.raises(ConfigError, match="Expected a temperature above 0"):
            fine_tune(generator, value, **wrong)
    with pytest.raises(ConfigError, match="8 finite values"):
        fine_tune(generator, lambda archs: np.full(len(archs), np.inf), samples=8)
