"""Calibration: how far confidences are from frequencies, proper scores, and temperature scaling.

Sources: Naeini, Cooper and Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015;
Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, arXiv 1706.04599; Nixon et al., "Measuring
Calibration in Deep Learning", 2019, arXiv 1904.01685; Brier, "Verification of Forecasts Expressed in Terms of
Probability", 1950.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from gennas.errors import ConfigError, EvaluationError

__all__ = [
    "TEMPERATURES",
    "adaptive_calibration_error",
    "brier_score",
    "expected_calibration_error",
    "fit_temperature",
    "negative_log_likelihood",
]

TEMPERATURES = (0.01, 100.0)
"""Where :func:`fit_temperature` looks: a network that is never wrong would want 0, a useless one infinity."""


def expected_calibration_error(probabilities: Tensor, labels: Tensor, bins: int = 15) -> float:
    r"""Compute the gap between confidence and accuracy over bins of equal width.

    .. math:: \mathrm{ECE} = \sum_b \frac{n_b}{n}\,|\mathrm{acc}_b - \mathrm{conf}_b|

    with the confidence of the most probable class (Naeini 2015). Bin ``b`` is ``[b/B, (b+1)/B)``, and a
    confidence of exactly one has a bin of its own: so does torchmetrics, whose values these are.

    Args:
        probabilities: ``(n, classes)``, rows sum to one.
        labels: ``(n,)``.
        bins: number of bins.

    Raises:
        EvaluationError: shapes, labels or values are not those of predictions.
        ConfigError: no bins.

    Example:
        >>> expected_calibration_error(torch.tensor([[0.75, 0.25], [0.75, 0.25]]), torch.tensor([0, 1]))
        0.25
    """
    confidence, excess = _confidence_and_excess(probabilities, labels, bins)
    bounds = torch.linspace(0, 1, bins + 1, device=confidence.device)
    index = torch.bucketize(confidence, bounds, right=True) - 1
    return _binned_gap(excess, index, bins + 1)


def adaptive_calibration_error(probabilities: Tensor, labels: Tensor, bins: int = 15) -> float:
    """Compute the same gap over bins that hold equally many examples (Nixon 2019).

    Bins differ by at most one example. Examples of equal confidence share their mean gap, so that their
    order does not matter. Shapes and errors as in :func:`expected_calibration_error`.

    Example:
        >>> p = torch.tensor([[0.5, 0.5], [0.75, 0.25]])
        >>> adaptive_calibration_error(p, torch.tensor([0, 0]), bins=2)
        0.375
    """
    confidence, excess = _confidence_and_excess(probabilities, labels, bins)
    _, group, size = torch.unique(confidence, return_inverse=True, return_counts=True)
    shared = (torch.zeros(len(size), dtype=excess.dtype, device=excess.device).index_add_(0, group, excess) / size)[
        group
    ]
    order = torch.argsort(confidence, stable=True)
    index = torch.empty_like(order)
    index[order] = torch.arange(len(order), device=order.device) * bins // len(order)
    return _binned_gap(shared, index, bins)


def negative_log_likelihood(logits: Tensor, labels: Tensor) -> float:
    """Compute the mean of ``-log p(label)`` in nats; ``logits (n, classes)``, ``labels (n,)``.

    Raises:
        EvaluationError: shapes, labels or values are not those of predictions.

    Example:
        >>> round(negative_log_likelihood(torch.zeros(3, 2), torch.tensor([0, 1, 1])), 6) == round(math.log(2), 6)
        True
    """
    _check(logits, labels)
    return float(functional.cross_entropy(logits.double(), labels))


def brier_score(probabilities: Tensor, labels: Tensor) -> float:
    r"""Compute ``mean_i sum_k (p_ik - [y_i = k])^2``, from 0 to 2 (Brier 1950, all classes).

    Shapes and errors as in :func:`expected_calibration_error`.

    Example:
        >>> brier_score(torch.tensor([[0.5, 0.5]]), torch.tensor([1]))
        0.5
    """
    _check_probabilities(probabilities, labels)
    target = functional.one_hot(labels, probabilities.shape[1])
    return float(((probabilities.double() - target) ** 2).sum(1).mean())


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Find the ``T`` with the smallest likelihood loss of ``softmax(logits / T)`` (Guo 2017), by L-BFGS over ``log T``.

    It belongs on validation logits. Dividing by it leaves every prediction, and the accuracy, as it was. The
    result is within :data:`TEMPERATURES`.

    Args:
        logits: ``(n, classes)``.
        labels: ``(n,)``.

    Raises:
        EvaluationError: shapes, labels or values are not those of predictions.

    Example:
        >>> overconfident = 8 * torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> round(fit_temperature(overconfident, torch.tensor([0, 0, 0, 0])), 3)  # 8 / log(0.75 / 0.25)
        7.282
    """
    _check(logits, labels)
    low, high = (math.log(bound) for bound in TEMPERATURES)
    scores, log_t = logits.detach().double(), torch.zeros((), dtype=torch.float64, device=logits.device)
    log_t.requires_grad_()
    optimizer = torch.optim.LBFGS([log_t], max_iter=100, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = functional.cross_entropy(scores * torch.exp(-log_t.clamp(low, high)), labels)
        torch.autograd.backward(loss)
        return loss

    with torch.enable_grad():
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    return min(max(math.exp(float(log_t.detach())), TEMPERATURES[0]), TEMPERATURES[1])


def _confidence_and_excess(probabilities: Tensor, labels: Tensor, bins: int) -> tuple[Tensor, Tensor]:
    """Confidence of each prediction, and by how much it exceeds being right, ``(n,)`` each."""
    if bins < 1:
        raise ConfigError(f"Expected at least one bin, got {bins}.")
    _check_probabilities(probabilities, labels)
    confidence, predicted = probabilities.max(1)
    confidence = confidence.float().clamp(max=1.0)
    return confidence, confidence.double() - predicted.eq(labels).double()


def _binned_gap(excess: Tensor, index: Tensor, bins: int) -> float:
    """Sum over bins of the absolute sum of ``excess``, per example."""
    sums = torch.zeros(bins, dtype=excess.dtype, device=excess.device).index_add_(0, index, excess)
    return float(sums.abs().sum() / len(excess))


def _check_probabilities(probabilities: Tensor, labels: Tensor) -> None:
    _check(probabilities, labels)
    off = float((probabilities.sum(1) - 1).abs().max())
    if float(probabilities.min()) < 0 or off > 1e-3:
        raise EvaluationError(
            f"Expected probabilities that sum to one, got values from {float(probabilities.min()):.4g} and a sum "
            f"that is off by {off:.4g}; pass logits through softmax first."
        )


def _check(scores: Tensor, labels: Tensor) -> None:
    if scores.ndim != 2 or labels.shape != scores.shape[:1] or not len(scores) or labels.is_floating_point():
        raise EvaluationError(
            f"Expected scores (n, classes) and whole labels (n,), got {tuple(scores.shape)} and "
            f"{tuple(labels.shape)} of {labels.dtype}."
        )
    if not 0 <= int(labels.min()) <= int(labels.max()) < scores.shape[1]:
        raise EvaluationError(
            f"Expected labels from 0 to {scores.shape[1] - 1}, got {int(labels.min())} to {int(labels.max())}."
        )
    if not scores.isfinite().all():
        raise EvaluationError("Expected finite scores, got NaN or infinity: the network's weights may have diverged.")
