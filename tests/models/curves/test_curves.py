"""Learning-curve models: known curves are recovered, intervals hold, the last value is beaten."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from gennas.errors import ConfigError
from gennas.models.curves import BayesianLastLayer, CurveModel, LastValue, PowerLawEnsemble
from gennas.models.curves.base import FloatArray
from gennas.models.curves.power_law import FAMILIES

LENGTH, KNOWN = 40, 10


def noisy_power_law(rng: np.random.Generator) -> FloatArray:
    """Asymptote .6 to .97, exponent .3 to 1.5, noise .003 to .02."""
    x = np.arange(1.0, LENGTH + 1)
    y = rng.uniform(0.6, 0.97) - rng.uniform(0.2, 0.6) * x ** -rng.uniform(0.3, 1.5)
    return np.clip(y + rng.normal(0, rng.uniform(0.003, 0.02), LENGTH), 0, 1)


@pytest.fixture(scope="module")
def curves() -> list[FloatArray]:
    rng = np.random.default_rng(7)
    return [noisy_power_law(rng) for _ in range(260)]


def cosine_curve(rng: np.random.Generator) -> FloatArray:
    """Quickly up to a plateau, then up by another .07 to .35 as the learning rate falls like a cosine to the end."""
    x = np.arange(1.0, LENGTH + 1)
    rate = 0.5 * (1 + np.cos(np.pi * (x - 1) / LENGTH))
    top, gap = rng.uniform(0.6, 0.97), rng.uniform(0.07, 0.35)
    start = (top - gap - 0.1) * np.exp(-x / rng.uniform(1, 4))
    return np.clip(top - gap * rate - start + rng.normal(0, rng.uniform(0.003, 0.01), LENGTH), 0, 1)


@pytest.fixture(scope="module", params=["power-law", "last-layer"])
def predictions(request, curves) -> tuple[FloatArray, FloatArray]:
    """The schedule is known: a constant rate, or that of the earlier curves."""
    model: CurveModel = PowerLawEnsemble(schedule_gain=0) if request.param == "power-law" else BayesianLastLayer()
    number = 60 if request.param == "power-law" else 200  # a fit of power laws takes longer
    if request.param == "last-layer":
        model.fit(curves[200:])
    mean, std = zip(*[model.predict(curve[:KNOWN], LENGTH) for curve in curves[:number]], strict=True)
    return np.array(mean), np.array(std)


def test_intervals_of_nine_tenths_cover_about_so_many(predictions, curves) -> None:
    mean, std = predictions
    final = np.array([curve[-1] for curve in curves[: len(mean)]])
    covered = np.mean(np.abs(final - mean) < norm.ppf(0.95) * std)
    assert 0.8 <= covered <= 0.98


def test_the_last_value_is_beaten(predictions, curves) -> None:
    final, last = (np.array([curve[i] for curve in curves[: len(predictions[0])]]) for i in (-1, KNOWN - 1))
    assert np.abs(final - predictions[0]).mean() < 0.6 * np.abs(final - last).mean()


def covered(model: CurveModel, curves: list[FloatArray], known: int) -> tuple[float, float]:
    """Share of last values inside the 95 % interval, and the mean deviation."""
    final = np.array([curve[-1] for curve in curves])
    mean, std = np.array([model.predict(curve[:known], LENGTH) for curve in curves]).T
    return float(np.mean(np.abs(final - mean) < norm.ppf(0.975) * std)), float(std.mean())


@pytest.mark.parametrize("known", [10, 20, 30])
def test_an_unknown_schedule_is_allowed_for(known: int, curves) -> None:
    rng = np.random.default_rng(5)
    share, _ = covered(PowerLawEnsemble(), [cosine_curve(rng) for _ in range(40)], known)
    assert share >= 0.8
    share, width = covered(PowerLawEnsemble(), curves[:25], known)
    assert share >= 0.92 and width < {10: 0.1, 20: 0.065, 30: 0.04}[known]


def test_a_plateau_does_not_promise_to_stay() -> None:
    """.489 at half of the epochs, .660 at the end."""
    rng = np.random.default_rng(0)
    plateau = 0.489 - 0.3 * np.exp(-np.arange(1, 21) / 1.5) + rng.normal(0, 0.003, 20)
    mean, std = PowerLawEnsemble().predict(plateau, 40)
    assert abs(mean - 0.489) < 0.02 and abs(0.660 - mean) < norm.ppf(0.975) * std
    assert PowerLawEnsemble(schedule_gain=0).predict(plateau, 40) == (mean, pytest.approx(0.004, abs=0.004))


def test_earlier_curves_say_what_their_schedule_brings(curves) -> None:
    rng = np.random.default_rng(9)
    model, cosines = PowerLawEnsemble(), [cosine_curve(rng) for _ in range(50)]
    model.fit(curves[200:220])
    share, width = covered(model, curves[:25], 10)
    assert model.gain < 0.2 and share >= 0.88 and width < 0.04
    model.fit(cosines[:20])
    assert model.gain > 0.4 and covered(model, cosines[20:], 10)[0] >= 0.9


@pytest.mark.parametrize("make", [LastValue, PowerLawEnsemble, BayesianLastLayer])
def test_nothing_is_learned_beyond_the_longest_earlier_curve(make, curves) -> None:
    """To its end the schedule's gain has no part in what is predicted, further it has."""
    free, bound = make(), make(schedule_gain=0)
    for model in (free, bound):
        model.fit([curve[:20] for curve in curves[:8]])
    y = curves[9][:5]
    assert free.predict(y, 400)[1] > max(bound.predict(y, 400)[1], 0.4 * (1 - y[-1]) * 0.95)
    stds = [free.predict(y, horizon)[1] for horizon in (20, 40, 100, 400)]
    assert stds == sorted(stds) and len(set(stds)) == 4
    if make is not PowerLawEnsemble:  # which learns the gain
        assert free.predict(y, 20) == bound.predict(y, 20)


X = np.arange(1.0, 101)
CURVES = {
    "power": 0.9 - 0.5 * X**-0.7,
    "exponential": 0.8 - 0.6 * np.exp(-0.15 * X),
    "logarithmic": 0.95 - 0.35 / np.log(X + 1),
    "sigmoid": 0.85 / (1 + (X / 4) ** -1.5),
    "flat": np.full(100, 0.1),
}


@pytest.mark.parametrize("name", CURVES)
def test_curves_without_noise_are_recovered(name: str) -> None:
    y = CURVES[name]
    mean, std = PowerLawEnsemble().predict(y[:20], 100)
    assert abs(mean - y[-1]) < max(0.03, 2 * std) and abs(mean - y[-1]) < 0.04
    assert std < (0.1 if name != "flat" else 0.3)  # what a schedule may do to a curve at chance, nobody knows
    assert PowerLawEnsemble(schedule_gain=0).predict(y[:20], 100)[1] < 0.1


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
def test_each_family_finds_its_own_parameters(family) -> None:
    truth = np.array([1.5, *(mean for mean, _ in family.prior)])
    y = np.clip(family.curve(X, truth), 0, 1)
    mean, _ = PowerLawEnsemble([family], noise=0.003).predict(y[:25], 100)
    assert mean == pytest.approx(y[-1], abs=0.01)


def test_less_is_known_of_what_is_further_away() -> None:
    y = noisy_power_law(np.random.default_rng(0))[:8]
    stds = [PowerLawEnsemble().predict(y, horizon)[1] for horizon in (9, 30, 1000)]
    assert stds[0] < stds[1] < stds[2] <= 0.5


def test_a_single_epoch_is_enough() -> None:
    mean, std = PowerLawEnsemble().predict(np.array([0.4]), 20)
    assert 0.4 < mean <= 1 and 0.05 < std <= 0.5


def test_earlier_curves_set_the_scale_of_deviations(curves) -> None:
    model = PowerLawEnsemble(FAMILIES[:1], noise=0.0001, schedule_gain=0)
    before = model.predict(curves[0][:KNOWN], LENGTH)
    wild = [np.random.default_rng(i).uniform(0, 1, LENGTH) for i in range(6)]
    model.fit([np.r_[np.linspace(0.1, 0.3, 20), curve[20:]] for curve in wild])
    after = model.predict(curves[0][:KNOWN], LENGTH)
    assert after[0] == before[0] and after[1] > 2 * before[1]


def test_last_value_knows_how_far_earlier_curves_went() -> None:
    model = LastValue()
    model.fit([np.array([0.1, 0.2, 0.5]), np.array([0.1, 0.3, 0.2])])
    mean, std = model.predict(np.array([0.3, 0.4]), 3)
    assert (mean, std) == (0.4, pytest.approx(np.sqrt((0.3**2 + 0.1**2) / 2)))


def test_the_last_layer_is_seeded_and_leaves_the_random_state_alone(curves) -> None:
    import torch

    state = torch.get_rng_state()
    found = []
    for _ in range(2):
        model = BayesianLastLayer(steps=10, seed=3)
        model.fit(curves[:8])
        found.append(model.predict(curves[9][:5], 20))
    assert found[0] == found[1] and torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    "model", [LastValue(), PowerLawEnsemble(), BayesianLastLayer()], ids=lambda m: type(m).__name__
)
def test_bad_input_is_refused(model: CurveModel) -> None:
    assert isinstance(model, CurveModel)
    for prefix in ([], [0.5, float("nan")], [0.5, 1.2], [[0.5]]):
        with pytest.raises(ConfigError, match="accuracies in"):
            model.predict(np.array(prefix), 10)
    with pytest.raises(ConfigError, match="horizon after the 2 epochs"):
        model.predict(np.array([0.1, 0.2]), 2)
    with pytest.raises(ConfigError, match="earlier curves, got 0"):
        model.fit([])
    if isinstance(model, BayesianLastLayer):
        with pytest.raises(ConfigError, match=r"Expected fit\(\)"):
            model.predict(np.array([0.1]), 2)
        with pytest.raises(ConfigError, match="at least 4 earlier curves of two epochs"):
            model.fit([np.array([0.5])] * 5)
