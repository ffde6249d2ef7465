"""Preference optimisation: its loss by hand, what it tends to, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gennas.errors import ConfigError
from gennas.generators.preferences import fit_preferences, log_ratio
from gennas.models.autoregressive import DecisionLM, DecisionVocabulary
from gennas.spaces import NASBench201

SPACE = NASBench201()


def model(num_conditions: int = 0) -> DecisionLM:
    torch.manual_seed(0)
    return DecisionLM(DecisionVocabulary(SPACE.schema, num_conditions, shared=True), dim=16, num_layers=1)


def test_an_untrained_model_is_its_own_reference() -> None:
    D = torch.from_numpy(SPACE.sample(20, np.random.default_rng(0)).decisions.astype(np.int64))
    with torch.inference_mode():
        assert log_ratio(model(), D).abs().max() < 1e-5


def test_the_loss_is_the_mean_over_all_pairs() -> None:
    archs, u = SPACE.sample(5, np.random.default_rng(1)), np.array([1.0, 3.0, 3.0, -np.inf, 2.0])
    lm = model()
    fit_preferences(lm, archs, u, steps=5)
    with torch.inference_mode():
        r = log_ratio(lm, torch.from_numpy(archs.decisions.astype(np.int64))).double().numpy()
    pairs = [np.log1p(np.exp(-0.5 * (r[i] - r[j]))) for i in range(5) for j in range(5) if u[i] > u[j]]
    first = fit_preferences(lm, archs, u, steps=1, beta=0.5)
    assert len(pairs) == 9 and first[0] == pytest.approx(np.mean(pairs), rel=1e-4)


def test_what_is_preferred_becomes_likelier_whatever_the_unit() -> None:
    archs = SPACE.sample(30, np.random.default_rng(2))
    u = (archs.decisions == 3).sum(1).astype(float)
    found = []
    for utility in (u, 100 * u - 7):
        lm = model()
        losses = fit_preferences(lm, archs, utility, steps=30)
        assert losses[0] == pytest.approx(np.log(2)) and losses[-1] < 0.3
        found.append(lm.log_prob(archs.decisions))
    assert np.array_equal(found[0], found[1])
    assert found[0][u == u.max()].mean() > found[0][u == u.min()].mean() + 3


def test_a_hint_is_learned_as_far_as_it_counts() -> None:
    rng = np.random.default_rng(5)
    archs, others = SPACE.sample(6, rng), SPACE.sample(40, rng)
    hint = (others, (others.decisions == 3).sum(1).astype(float))
    lm = model()
    losses = fit_preferences(lm, archs, np.zeros(6), steps=30, hint=hint, hint_weight=0.5)
    assert losses[0] == pytest.approx(0.5 * np.log(2)) and losses[-1] < 0.15
    large = lm.log_prob(np.full((1, 6), 3))[0]
    assert large > lm.log_prob(np.zeros((1, 6), dtype=int))[0] + 3
    plain, none = model(), model()
    u = np.arange(6.0)
    fit_preferences(plain, archs, u, steps=5)
    fit_preferences(none, archs, u, steps=5, hint=hint, hint_weight=0.0)
    assert np.array_equal(plain.log_prob(others.decisions), none.log_prob(others.decisions))


def test_nothing_is_learned_where_all_are_equal() -> None:
    lm, archs = model(), SPACE.sample(4, np.random.default_rng(3))
    assert not len(fit_preferences(lm, archs, np.full(4, 2.0)))
    assert not len(fit_preferences(lm, archs, np.full(4, -np.inf)))


def test_what_does_not_fit_is_refused() -> None:
    archs = SPACE.sample(3, np.random.default_rng(4))
    with pytest.raises(ConfigError, match="without conditions"):
        fit_preferences(model(1), archs, np.arange(3))
    for wrong in (np.arange(2), np.array([0.0, np.nan, 1.0])):
        with pytest.raises(ConfigError, match="each of 3 architectures"):
            fit_preferences(model(), archs, wrong)
    with pytest.raises(ConfigError, match="positive beta"):
        fit_preferences(model(), archs, np.arange(3), beta=0)
