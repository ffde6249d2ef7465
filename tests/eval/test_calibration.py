"""Calibration against torchmetrics, scikit-learn, SciPy and hand-made cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from sklearn.metrics import log_loss
from torch import Tensor
from torch.nn import functional
from torchmetrics.classification import MulticlassCalibrationError

from gennas.errors import ConfigError, EvaluationError
from gennas.eval.calibration import (
    TEMPERATURES,
    adaptive_calibration_error,
    brier_score,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
)


def reference(probabilities: Tensor, labels: Tensor, bins: int) -> float:
    return float(MulticlassCalibrationError(probabilities.shape[1], n_bins=bins, norm="l1")(probabilities, labels))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("bins", [1, 10, 15])
def test_ece_is_that_of_torchmetrics(seed: int, bins: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    n, classes = 50 + 400 * seed, 2 + 3 * seed
    probabilities = (4 * torch.randn(n, classes, generator=generator)).softmax(1)
    labels = torch.randint(classes, (n,), generator=generator)
    assert expected_calibration_error(probabilities, labels, bins) == pytest.approx(
        reference(probabilities, labels, bins), abs=1e-6
    )


HAND_MADE = {
    "perfect and certain": ([[1.0, 0.0], [0.0, 1.0]], [0, 1], 0.0),
    "all wrong and certain": ([[1.0, 0.0], [0.0, 1.0]], [1, 0], 1.0),
    "all wrong": ([[0.75, 0.25], [0.25, 0.75]], [1, 0], 0.75),
    "calibrated": ([[0.75, 0.25]] * 4, [0, 0, 0, 1], 0.0),
    # 0.6 begins bin 9 of 15; beside a confidence just below it there are two bins, not one
    "boundary of a bin": ([[0.6, 0.4], [0.59, 0.41]], [0, 1], (0.4 + 0.59) / 2),
    # certainty has a bin of its own, so errors of the last bin do not cancel it
    "one beside the last bin": ([[1.0, 0.0], [0.96, 0.04]], [1, 0], (1 + 0.04) / 2),
}


@pytest.mark.parametrize("case", HAND_MADE)
def test_hand_made_cases(case: str) -> None:
    rows, labels, expected = HAND_MADE[case]
    p, y = torch.tensor(rows), torch.tensor(labels)
    assert expected_calibration_error(p, y) == pytest.approx(expected, abs=1e-6)
    assert expected_calibration_error(p, y) == pytest.approx(reference(p, y, 15), abs=1e-6)


def test_every_boundary_falls_where_torchmetrics_puts_it() -> None:
    for bins in (10, 15):
        for bound in torch.linspace(0, 1, bins + 1)[bins // 2 + 1 :]:
            top = torch.stack([bound, bound - 0.01])
            p, y = torch.stack([top, 1 - top], 1), torch.tensor([0, 1])
            assert expected_calibration_error(p, y, bins) == pytest.approx(reference(p, y, bins), abs=1e-6)


def test_adaptive_bins_hold_equally_many() -> None:
    rng = np.random.default_rng(0)
    top = rng.uniform(0.5, 1, 100)
    right = rng.random(100) < 0.7
    p, y = torch.tensor(np.stack([top, 1 - top], 1)), torch.tensor(np.where(right, 0, 1))
    order = np.argsort(top)
    parts = np.array_split(order, 10)
    expected = sum(abs(right[i].mean() - top[i].mean()) * len(i) for i in parts) / 100
    assert adaptive_calibration_error(p, y, 10) == pytest.approx(expected, abs=1e-6)
    shuffle = torch.randperm(100)
    assert adaptive_calibration_error(p[shuffle], y[shuffle], 10) == pytest.approx(expected, abs=1e-6)


def test_ties_do_not_depend_on_the_order_of_examples() -> None:
    p = torch.tensor([[0.75, 0.25]] * 8)
    y = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1])
    values = [adaptive_calibration_error(p, y[torch.randperm(8)], 3) for _ in range(5)]
    assert values == pytest.approx([0.0] * 5, abs=1e-7)


def test_proper_scores() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, y = torch.randn(200, 5, generator=generator), torch.randint(5, (200,), generator=generator)
    p = logits.double().softmax(1)
    assert negative_log_likelihood(logits, y) == pytest.approx(log_loss(y, p.numpy(), labels=range(5)), abs=1e-6)
    expected = np.mean(
        [sum((row[k] - (k == label)) ** 2 for k in range(5)) for row, label in zip(p.numpy(), y.numpy(), strict=True)]
    )
    assert brier_score(p, y) == pytest.approx(expected, abs=1e-9)
    certain = torch.eye(3)
    assert brier_score(certain, torch.tensor([0, 1, 2])) == 0 and brier_score(certain, torch.tensor([1, 2, 0])) == 2


@pytest.mark.parametrize("scale", [0.3, 1.0, 5.0])
def test_the_temperature_is_the_minimum(scale: float) -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(500, 4, generator=generator)
    y = torch.multinomial(logits.softmax(1), 1, generator=generator).flatten()
    found = fit_temperature(scale * logits, y)
    loss = lambda t: float(functional.cross_entropy((scale * logits).double() / math.exp(t), y))  # noqa: E731
    assert found == pytest.approx(math.exp(minimize_scalar(loss, bounds=(-4, 4), method="bounded").x), rel=1e-3)
    assert expected_calibration_error((scale * logits / found).softmax(1), y) < 0.1


def test_temperatures_of_the_extremes_are_bounded() -> None:
    logits, y = torch.eye(4), torch.arange(4)
    for labels in (y, (y + 1) % 4):
        assert TEMPERATURES[0] <= fit_temperature(logits, labels) <= TEMPERATURES[1]
    with torch.no_grad():
        assert fit_temperature(logits, y) < 0.2


@pytest.mark.parametrize(
    ("scores", "labels", "reason"),
    [
        (torch.zeros(3, 2), torch.tensor([0, 1]), "whole labels"),
        (torch.zeros(0, 2), torch.tensor([], dtype=torch.long), "whole labels"),
        (torch.zeros(2, 2), torch.tensor([0, 2]), "from 0 to 1"),
        (torch.zeros(2, 2), torch.tensor([0.0, 1.0]), "whole labels"),
        (torch.tensor([[math.nan, 0.0]]), torch.tensor([0]), "finite"),
    ],
)
def test_what_is_no_prediction_is_refused(scores: Tensor, labels: Tensor, reason: str) -> None:
    for measure in (negative_log_likelihood, fit_temperature, brier_score, expected_calibration_error):
        with pytest.raises(EvaluationError, match=reason):
            measure(scores, labels)


def test_logits_are_not_taken_for_probabilities() -> None:
    with pytest.raises(EvaluationError, match="softmax"):
        expected_calibration_error(torch.tensor([[2.0, -1.0]]), torch.tensor([0]))
    with pytest.raises(ConfigError, match="bin"):
        expected_calibration_error(torch.tensor([[0.5, 0.5]]), torch.tensor([0]), 0)
