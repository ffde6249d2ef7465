"""Scores of trained networks, one class per metric."""

from gennas.training.scores.accuracy import Accuracy, TokenAccuracy
from gennas.training.scores.base import Score
from gennas.training.scores.loss import BitsPerToken, Loss, Perplexity
from gennas.training.scores.losses import cross_entropy, squared_error
from gennas.training.scores.mean_iou import MeanIoU
from gennas.training.scores.regression import R2, MeanSquaredError
from gennas.training.scores.span_f1 import SpanF1

__all__ = [
    "Accuracy",
    "BitsPerToken",
    "Loss",
    "MeanIoU",
    "MeanSquaredError",
    "Perplexity",
    "R2",
    "Score",
    "SpanF1",
    "TokenAccuracy",
    "cross_entropy",
    "squared_error",
]
