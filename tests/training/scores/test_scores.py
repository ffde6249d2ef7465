"""Scores against hand-made values and torchmetrics."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional
from torchmetrics import JaccardIndex
from torchmetrics import MeanSquaredError as ReferenceError
from torchmetrics import R2Score as ReferenceR2
from torchmetrics.text import Perplexity as ReferencePerplexity

from gennas.training.data import IGNORED
from gennas.training.scores import (
    R2,
    Accuracy,
    BitsPerToken,
    Loss,
    MeanIoU,
    MeanSquaredError,
    Perplexity,
    Score,
    TokenAccuracy,
    cross_entropy,
    squared_error,
)


def tokens(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(5, (3, 7), generator=generator)
    y[0, 4:] = IGNORED
    return torch.randn(3, 7, 5, generator=generator), y


def of(score: Score, *batches: tuple[torch.Tensor, torch.Tensor]) -> float:
    for logits, y in batches:
        score.update(logits, y)
    return score.value()


def test_losses_of_tokens_leave_out_what_is_ignored() -> None:
    batches = [tokens(0), tokens(1)]
    reference = ReferencePerplexity(ignore_index=IGNORED)
    for logits, y in batches:
        reference.update(logits, y)
    perplexity = float(reference.compute())
    assert of(Perplexity(), *batches) == pytest.approx(perplexity, rel=1e-5)
    assert of(Loss(), *batches) == pytest.approx(math.log(perplexity), rel=1e-5)
    assert of(BitsPerToken(), *batches) == pytest.approx(math.log2(perplexity), rel=1e-5)
    huge = torch.tensor([[1e4, 0.0]]), torch.tensor([1])
    assert of(Perplexity(), huge) == math.inf


def test_accuracy_counts_labels() -> None:
    logits, y = tokens(2)
    counted = y != IGNORED
    assert of(TokenAccuracy(), (logits, y)) == pytest.approx(
        float((logits.argmax(-1)[counted] == y[counted]).float().mean())
    )
    assert of(Accuracy(), (torch.eye(3), torch.tensor([0, 1, 1]))) == pytest.approx(2 / 3)


def test_mean_iou_is_that_of_torchmetrics() -> None:
    generator = torch.Generator().manual_seed(0)
    reference = JaccardIndex(task="multiclass", num_classes=4, ignore_index=IGNORED)
    score = MeanIoU()
    for _ in range(3):
        logits = torch.randn(2, 6, 6, 4, generator=generator)
        y = torch.randint(4, (2, 6, 6), generator=generator)
        y[:, :2] = IGNORED
        score.update(logits, y)
        reference.update(logits.argmax(-1), y)
    assert score.value() == pytest.approx(float(reference.compute()), abs=1e-6)


def test_classes_that_occur_nowhere_are_left_out_of_the_mean() -> None:
    mask = torch.tensor([[[0, 0, 1, IGNORED]]])
    predicted = functional.one_hot(torch.tensor([[[0, 1, 1, 2]]]), 4).float()
    assert of(MeanIoU(), (predicted, mask)) == pytest.approx((1 / 2 + 1 / 2) / 2)


def test_regression_is_that_of_torchmetrics() -> None:
    generator = torch.Generator().manual_seed(1)
    batches = [(torch.randn(9, 2, generator=generator), torch.randn(9, 2, generator=generator)) for _ in range(2)]
    error, r2 = ReferenceError(), ReferenceR2()
    for outputs, y in batches:
        error.update(outputs.flatten(), y.flatten())
        r2.update(outputs, y)
    assert of(MeanSquaredError(), *batches) == pytest.approx(float(error.compute()), rel=1e-5)
    assert of(R2(), *batches) == pytest.approx(float(r2.compute()), rel=1e-4)
    assert of(Loss(squared_error), *batches) == pytest.approx(float(error.compute()), rel=1e-5)


def test_mean_and_sum_of_the_losses() -> None:
    logits, y = tokens(3)
    assert float(cross_entropy(logits, y)) == pytest.approx(float(cross_entropy(logits, y, reduction="sum")) / 18)
    flat = functional.cross_entropy(logits.flatten(0, 1), y.flatten(), ignore_index=IGNORED, label_smoothing=0.1)
    assert float(cross_entropy(logits, y, label_smoothing=0.1)) == pytest.approx(float(flat))
    assert float(squared_error(torch.ones(2, 2), torch.zeros(2, 2), reduction="sum")) == 2.0


def test_metrics_have_the_direction_and_unit_of_their_score() -> None:
    metric = Loss.metric("val")
    assert (metric.name, metric.direction, metric.unit) == ("val_loss", "min", "nats")
    assert Accuracy.metric("test").description == "test accuracy of the selected weights"
