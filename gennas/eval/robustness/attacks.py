"""FGSM and PGD: the worst images in a small box around the given ones, as far as gradients find them.

Every ``epsilon`` is in units of pixels from 0 to 1. Images may have another ``value_range``, to which it is
scaled, but they are *not normalised*: normalisation belongs into the network that is attacked, for
example ``lambda x: net((x - mean) / std)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from gennas.errors import ConfigError, EvaluationError

__all__ = ["Attack", "Network", "accuracy", "attack_accuracy", "fgsm", "pgd"]

Network: TypeAlias = Callable[[Tensor], Tensor]
"""Maps images ``(b, c, h, w)`` in their value range to logits ``(b, classes)``; it is in evaluation mode."""

Attack: TypeAlias = Callable[[Network, Tensor, Tensor], Tensor]
"""Maps a network, images and labels to perturbed images."""

Range: TypeAlias = tuple[float, float]


def fgsm(network: Network, images: Tensor, labels: Tensor, epsilon: float, value_range: Range = (0.0, 1.0)) -> Tensor:
    r"""Perturb images by one step along the sign of the gradient.

    .. math:: x' = \mathrm{clip}(x + \epsilon\,\mathrm{sign}\,\nabla_x \mathcal{L}(f(x), y))

    Source: Goodfellow, Shlens and Szegedy, "Explaining and Harnessing Adversarial Examples", ICLR 2015,
    arXiv 1412.6572.

    Args:
        network: what is attacked.
        images: ``(b, c, h, w)``, not normalised.
        labels: ``(b,)``.
        epsilon: largest change of a pixel, as a share of ``value_range``.
        value_range: what pixels can be. A given pixel outside of it only moves towards it.

    Raises:
        ConfigError: epsilon is negative, or the range is empty.
        EvaluationError: the network does not return logits.

    Example:
        >>> images, labels = torch.full((1, 1, 1, 2), 0.5), torch.tensor([0])
        >>> fgsm(lambda x: x.flatten(1), images, labels, epsilon=0.1).flatten().tolist()
        [0.4000000059604645, 0.6000000238418579]
    """
    lower, upper = _box(images, epsilon, value_range)
    step = epsilon * (value_range[1] - value_range[0]) * _ascent(network, images, labels)
    return (images + step).clamp(lower, upper)


def pgd(
    network: Network,
    images: Tensor,
    labels: Tensor,
    epsilon: float,
    *,
    steps: int = 10,
    step_size: float | None = None,
    random_start: bool = True,
    generator: torch.Generator | None = None,
    value_range: Range = (0.0, 1.0),
) -> Tensor:
    r"""Perturb images by projected gradient ascent in the box of ``epsilon``, from a random point of it.

    .. math:: x_{t+1} = \Pi_{[x - \epsilon,\, x + \epsilon]}(x_t + \alpha\,\mathrm{sign}\,\nabla_x
        \mathcal{L}(f(x_t), y))

    Source: Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", ICLR 2018,
    arXiv 1706.06083. The last iterate counts, not the worst.

    Args:
        network: what is attacked.
        images: ``(b, c, h, w)``, not normalised.
        labels: ``(b,)``.
        epsilon: largest change of a pixel, as a share of ``value_range``.
        steps: gradient steps; 0 leaves the random start.
        step_size: alpha, as a share of ``value_range``; ``2.5 * epsilon / steps`` by default.
        random_start: begin at a uniform point of the box instead of the image.
        generator: source of that point, on the CPU.
        value_range: what pixels can be. A given pixel outside of it only moves towards it.

    Raises:
        ConfigError: a number is negative, or the range is empty.
        EvaluationError: the network does not return logits.
    """
    if steps < 0 or (step_size is not None and step_size < 0):
        raise ConfigError(f"Expected steps >= 0 and step_size >= 0, got {steps} and {step_size}.")
    lower, upper = _box(images, epsilon, value_range)
    span = value_range[1] - value_range[0]
    alpha = span * (2.5 * epsilon / max(1, steps) if step_size is None else step_size)
    x = images
    if random_start:
        uniform = torch.rand(images.shape, generator=generator).to(images)
        x = (images + span * epsilon * (2 * uniform - 1)).clamp(lower, upper)
    for _ in range(steps):
        x = (x + alpha * _ascent(network, x, labels)).clamp(lower, upper)
    return x


def attack_accuracy(network: Network, images: Tensor, labels: Tensor, attack: Attack, batch_size: int = 512) -> float:
    """Compute the share of images that are still classified correctly after an attack.

    Args:
        network: what is attacked.
        images: ``(n, c, h, w)``, not normalised.
        labels: ``(n,)``.
        attack: perturbs a batch, for example ``functools.partial(fgsm, epsilon=8 / 255)``.
        batch_size: images per step.

    Raises:
        EvaluationError: there are no images, or the network does not return logits.
    """
    if not len(labels) or len(images) != len(labels):
        raise EvaluationError(f"Expected as many labels as images, and some, got {len(images)} and {len(labels)}.")
    right = 0
    for x, y in zip(torch.split(images, batch_size), torch.split(labels, batch_size), strict=True):
        right += _right(network, attack(network, x, y), y)
    return right / len(labels)


def accuracy(network: Network, images: Tensor, labels: Tensor, batch_size: int = 512) -> float:
    """Compute the share of images that are classified correctly; shapes and errors as in :func:`attack_accuracy`.

    Example:
        >>> accuracy(lambda x: x.flatten(1), torch.eye(2).view(2, 1, 1, 2), torch.tensor([0, 0]))
        0.5
    """
    return attack_accuracy(network, images, labels, lambda _, x, __: x, batch_size)


def _right(network: Network, images: Tensor, labels: Tensor) -> int:
    with torch.no_grad():
        return int((_logits(network, images).argmax(1) == labels).sum())


def _ascent(network: Network, images: Tensor, labels: Tensor) -> Tensor:
    """Sign of the loss's gradient, zero where the output does not depend on a pixel."""
    with torch.enable_grad():
        x = images.detach().requires_grad_()
        loss = functional.cross_entropy(_logits(network, x), labels, reduction="sum")
        gradient = torch.autograd.grad(loss, x, allow_unused=True)[0] if loss.requires_grad else None
    return torch.zeros_like(images) if gradient is None else gradient.sign()


def _box(images: Tensor, epsilon: float, value_range: Range) -> tuple[Tensor, Tensor]:
    """Smallest and largest value of every pixel."""
    low, high = value_range
    if not epsilon >= 0 or not low < high:
        raise ConfigError(f"Expected epsilon >= 0 and a range (low, high), got {epsilon} and {value_range}.")
    reach = epsilon * (high - low)
    lower = torch.maximum(images - reach, images.clamp(max=low))
    upper = torch.minimum(images + reach, images.clamp(min=high))
    return lower, upper


def _logits(network: Network, images: Tensor) -> Tensor:
    logits: object = network(images)
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(images):
        got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise EvaluationError(f"Expected logits ({len(images)}, classes) from the network, got {got}.")
    return logits
