"""Samplers of p(x) exp(v(x) / T) against brute-force enumeration of both p and v."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.graph import GraphSchema, Population
from gennas.models.diffusion import (
    ArchitectureDiffusionPipeline,
    CategoricalScheduler,
    Denoiser,
    DenseDenoiser,
    GraphDenoiser,
    sample_posterior,
)
from gennas.models.diffusion.decoding import LEAST, REPAIR, decode_scored
from gennas.models.diffusion.posterior import first_order_effects

STEPS = 3


def three_layers() -> GraphSchema:
    edge_mask = np.zeros((3, 3, 2), dtype=bool)
    edge_mask[..., 0] = True
    edge_mask[np.arange(2), np.arange(1, 3)] = [False, True]
    return GraphSchema("three", ("a", "b", "c"), ("none", "next"), np.ones((3, 3), dtype=bool), edge_mask)


def one_c(D: NDArray[np.integer], t: int) -> NDArray[np.bool_]:
    """At most one layer of kind c: 20 of 27 architectures."""
    legal = np.ones((len(D), 3), dtype=bool)
    legal[:, 2] = ~(D[:, :t] == 2).any(1)
    return legal


ALL = np.array([D for D in itertools.product(range(3), repeat=3) if D.count(2) <= 1], dtype=np.int16)


def value(archs: Population) -> np.ndarray:
    """Layers of different kinds pay, and so does each on its own."""
    D = archs.decisions.astype(int)
    return 1.2 * (D[:, 0] != D[:, 1]) + 1.5 * (D[:, 1] == D[:, 2]) + 0.6 * D[:, 0] - 0.8 * (D[:, 2] == 2)


def make(kind: str) -> ArchitectureDiffusionPipeline:
    torch.manual_seed(3)
    network: Denoiser
    if kind == "dense":
        network = DenseDenoiser.for_schema(three_layers(), dim=16, timed=False)
    else:
        network = GraphDenoiser.for_schema(three_layers(), dim=16, num_layers=1, timed=kind == "uniform")
    torch.nn.init.normal_(network.head.weight, std=0.3)
    return ArchitectureDiffusionPipeline(
        network.eval(), CategoricalScheduler(12, "uniform" if kind == "uniform" else "absorbing")
    )


@torch.inference_mode()
def exact(pipeline: ArchitectureDiffusionPipeline) -> np.ndarray:
    """The distribution of what the pipeline draws, over ALL: every path through every state is summed over."""
    pi = pipeline.scheduler.stationary(pipeline.denoiser.mask).double()
    states = torch.tensor(list(itertools.product(range(4), repeat=3)))
    now = pi[torch.arange(3), states].prod(1)
    for t, s in pipeline.scheduler.timesteps_for(STEPS):
        logits = pipeline.predict(states, t, None).double()
        p0 = pipeline.scheduler.clean(logits, states, t, pi)
        if s > 0:
            there = pipeline.scheduler.reverse(p0, states, s, t, pi)
            now = now @ there[:, torch.arange(3), states].prod(-1).nan_to_num()  # NaN: no such state at t
    weights = (p0 + REPAIR * logits.softmax(-1) + LEAST).numpy()
    decoded = np.ones((len(states), len(ALL)))
    for t in range(3):
        allowed = one_c(ALL, t)
        total = weights[:, t] @ allowed.T
        decoded *= weights[:, t][:, ALL[:, t]] / total
    return now.numpy() @ np.nan_to_num(decoded)


def shares(archs: Population, weights: np.ndarray | None = None) -> np.ndarray:
    hits = (archs.decisions[:, None] == ALL).all(2)
    assert hits.any(1).all()  # every one is legal
    return np.average(hits, axis=0, weights=weights)


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Total variation."""
    return float(abs(a - b).sum() / 2)


def target(p: np.ndarray, temperature: float) -> np.ndarray:
    found = p * np.exp(value(Population.from_decisions(three_layers(), ALL)) / temperature)
    return found / found.sum()


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("kind", ["dense", "tokens", "uniform"])
def test_particles_follow_the_tilted_distribution(kind: str) -> None:
    pipeline, p = make(kind), exact(make(kind))
    assert p.sum() == pytest.approx(1, abs=1e-6)
    settings = {"num_steps": STEPS, "legal": one_c}
    free = shares(pipeline(4000, generator=seeded(0), **settings))
    assert distance(free, p) < 0.05  # the enumeration is right
    goal = target(p, 0.7)
    assert distance(p, goal) > 0.3  # and there is something to do
    for resample, tilt in ((True, 0.0), (True, 1.0), (False, 0.0), (False, 1.0)):
        found = sample_posterior(
            pipeline, 4000, value, 0.7, resample=resample, tilt=tilt, generator=seeded(1), **settings
        )
        assert distance(shares(found.archs, np.exp(found.log_weights)), goal) < 0.06, (resample, tilt)
        shares(found.seen)  # all legal


def test_a_tilt_alone_goes_most_of_the_way_without_weights() -> None:
    pipeline = make("dense")
    p, goal = exact(pipeline), target(exact(pipeline), 0.7)
    settings = {"resample": False, "num_steps": STEPS, "legal": one_c}
    tilted = sample_posterior(pipeline, 4000, value, 0.7, tilt=1.0, generator=seeded(0), **settings)
    assert distance(shares(tilted.archs), goal) < 0.7 * distance(p, goal)
    plain = sample_posterior(pipeline, 4000, value, 0.7, generator=seeded(0), **settings)
    assert distance(shares(plain.archs), p) < 0.05  # unguided, but for its weights


def test_few_particles_do_better_than_none_at_all() -> None:
    pipeline = make("dense")
    goal = target(exact(pipeline), 0.7)
    drawn = [
        sample_posterior(pipeline, 32, value, 0.7, num_steps=STEPS, legal=one_c, generator=seeded(i)) for i in range(60)
    ]
    found = np.mean([shares(part.archs) for part in drawn], 0)
    assert distance(found, goal) < 0.3 * distance(exact(pipeline), goal)


def test_calls_are_counted_and_everything_that_was_valued_is_kept() -> None:
    pipeline, asked = make("dense"), []

    def counted(archs: Population) -> np.ndarray:
        asked.append(archs.decisions)
        return value(archs)

    for resample, tilt, calls in ((True, 0.0, 15), (True, 1.0, 20), (False, 1.0, 20), (False, 0.0, 5)):
        asked.clear()
        found = sample_posterior(
            pipeline, 5, counted, resample=resample, tilt=tilt, num_steps=3, legal=one_c, generator=seeded(0)
        )
        assert found.calls == calls == sum(map(len, asked))
        assert (np.concatenate(asked) == found.seen.decisions).all()
        np.testing.assert_array_equal(value(found.seen), found.seen_values)
        np.testing.assert_array_equal(value(found.archs), found.values)
        assert np.exp(found.log_weights).sum() == pytest.approx(1)


def test_the_seed_decides() -> None:
    pipeline = make("dense")
    first, again, other = (
        sample_posterior(pipeline, 40, value, tilt=1.0, num_steps=STEPS, generator=seeded(i)) for i in (0, 0, 1)
    )
    assert (first.archs.decisions == again.archs.decisions).all() and first.seen.keys == again.seen.keys
    assert first.seen.keys != other.seen.keys


def test_misuse_is_explained() -> None:
    pipeline = make("dense")
    with pytest.raises(ConfigError, match="temperature above 0"):
        sample_posterior(pipeline, 5, value, 0.0)
    with pytest.raises(ConfigError, match="one particle"):
        sample_posterior(pipeline, 0, value)
    for wrong in (np.zeros(3), np.array([np.nan] * 5)):
        with pytest.raises(ConfigError, match="5 finite values"):
            sample_posterior(pipeline, 5, lambda archs, wrong=wrong: wrong)


def test_effects_of_an_additive_value_are_found() -> None:
    rng = np.random.default_rng(0)
    mask = np.array([[1, 1, 0], [1, 1, 1]], dtype=bool)
    D = np.stack([rng.integers(2, size=3000), rng.integers(3, size=3000)], 1)
    found = first_order_effects(D, np.array([0.0, 2.0])[D[:, 0]] + np.array([0, 1, 5.0])[D[:, 1]], mask)
    assert found[0, 2] == 0
    np.testing.assert_allclose(found[0, :2], [-1, 1], atol=0.05)
    np.testing.assert_allclose(found[1], [-2, -1, 3], atol=0.05)
    few = first_order_effects(D[:4], np.arange(4.0), mask)  # more labels than values
    assert np.isfinite(few).all() and abs(few).max() < 3


def test_scored_decoding_knows_by_how_much_it_deviates() -> None:
    q, p = np.tile([0.1, 0.3, 0.6], (20, 3, 1)), np.tile([0.5, 0.25, 0.25], (20, 3, 1))
    u = np.random.default_rng(0).random((20, 3))
    D, ratio = decode_scored(q, p, u, three_layers(), one_c)
    for row, found in zip(D, ratio, strict=True):
        want, used = 0.0, False
        for label in row:
            share = [1 - w[0, 0, 2] if used else 1.0 for w in (p, q)]
            want += np.log(p[0, 0, label] / share[0]) - np.log(q[0, 0, label] / share[1])
            used |= label == 2
        assert found == pytest.approx(want)
