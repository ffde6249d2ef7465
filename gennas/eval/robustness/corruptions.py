"""Common corruptions of images in five severities, and the accuracy under them.

Source: Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations",
ICLR 2019, arXiv 1903.12261. These are torchvision's operations with the constants of CIFAR-10-C where an operation
has one there (noise, blur, contrast, JPEG), so the values are not those of CIFAR-10-C.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import torch
from PIL import Image
from torch import Tensor

from gennas.errors import ConfigError, UnknownNameError
from gennas.eval.robustness.attacks import Network, accuracy

__all__ = ["CORRUPTIONS", "SEVERITIES", "corrupt", "corruption_accuracies", "mean_corruption_accuracy"]

SEVERITIES = (1, 2, 3, 4, 5)
Corruption: TypeAlias = Callable[[Tensor, int], Tensor]


def gaussian_noise(images: Tensor, severity: int) -> Tensor:
    """Independent Gaussian noise on every pixel."""
    from torchvision.transforms.v2 import functional

    noisy: Tensor = functional.gaussian_noise(images, sigma=(0.04, 0.06, 0.08, 0.09, 0.10)[severity - 1])
    return noisy


def gaussian_blur(images: Tensor, severity: int) -> Tensor:
    """Gaussian blur; the deviation is a share of the shorter side, 0.4 to 1 pixels of 32."""
    from torchvision.transforms.v2 import functional

    side = min(images.shape[-2:])
    sigma = (0.4, 0.6, 0.7, 0.8, 1.0)[severity - 1] * side / 32
    reach = min(max(1, math.ceil(3 * sigma)), side - 1)
    blurred: Tensor = functional.gaussian_blur(images, [2 * reach + 1] * 2, [sigma] * 2)
    return blurred


def pixelate(images: Tensor, severity: int) -> Tensor:
    """Fewer and larger pixels: reduced with antialiasing, then repeated."""
    from torchvision.transforms.v2 import InterpolationMode, functional

    size = images.shape[-2:]
    small = [max(1, round((0.95, 0.85, 0.7, 0.55, 0.4)[severity - 1] * s)) for s in size]
    reduced = functional.resize(images, small, interpolation=InterpolationMode.BILINEAR, antialias=True)
    coarse: Tensor = functional.resize(reduced, list(size), interpolation=InterpolationMode.NEAREST_EXACT)
    return coarse


def brightness(images: Tensor, severity: int) -> Tensor:
    """Brighter images: pixels are multiplied and clipped."""
    from torchvision.transforms.v2 import functional

    brighter: Tensor = functional.adjust_brightness(images, (1.1, 1.2, 1.3, 1.5, 1.8)[severity - 1])
    return brighter


def contrast(images: Tensor, severity: int) -> Tensor:
    """Less contrast around the image's mean grey."""
    from torchvision.transforms.v2 import functional

    flatter: Tensor = functional.adjust_contrast(images, (0.75, 0.5, 0.4, 0.3, 0.15)[severity - 1])
    return flatter


def jpeg(images: Tensor, severity: int) -> Tensor:
    """JPEG compression of 8-bit images, by Pillow: torchvision's own codec is deprecated."""
    from torchvision.transforms.v2.functional import pil_to_tensor, to_pil_image

    quality, changed = (80, 65, 58, 50, 40)[severity - 1], []
    for image in (255 * images).round().to(torch.uint8):
        file = io.BytesIO()
        to_pil_image(image).save(file, "JPEG", quality=quality)
        changed.append(pil_to_tensor(Image.open(file)))
    return torch.stack(changed).float() / 255


CORRUPTIONS: Mapping[str, Corruption] = {
    f.__name__: f for f in (gaussian_noise, gaussian_blur, pixelate, brightness, contrast, jpeg)
}
"""Corruptions by name; each maps images in [0, 1] on the CPU and a severity to images."""


def corrupt(
    images: Tensor, name: str, severity: int, *, seed: int = 0, value_range: tuple[float, float] = (0.0, 1.0)
) -> Tensor:
    """Return a corrupted copy of images; the global random state is as before afterwards.

    The same images, seed and severity give the same result on every device: the work is done on the CPU.

    Args:
        images: ``(n, c, h, w)``, one or three channels, not normalised.
        name: one of :data:`CORRUPTIONS`.
        severity: 1 to 5.
        seed: of the noise.
        value_range: what pixels can be; values outside are clipped.

    Raises:
        UnknownNameError: no such corruption.
        ConfigError: another severity, another number of channels, or an empty range.

    Example:
        >>> grey = torch.full((1, 1, 8, 8), 0.5)
        >>> corrupt(grey, "brightness", 1).unique().tolist()
        [0.550000011920929]
    """
    _check(images, name, severity, value_range)
    low, span = value_range[0], value_range[1] - value_range[0]
    unit = ((images.detach().cpu().float() - low) / span).clamp(0, 1)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        changed = CORRUPTIONS[name](unit, severity).clamp(0, 1)
    return (low + span * changed).to(images)


def corruption_accuracies(
    network: Network,
    images: Tensor,
    labels: Tensor,
    *,
    names: Sequence[str] = tuple(CORRUPTIONS),
    severities: Sequence[int] = SEVERITIES,
    seed: int = 0,
    value_range: tuple[float, float] = (0.0, 1.0),
    batch_size: int = 512,
) -> dict[str, dict[int, float]]:
    """Measure accuracy under every corruption and severity, as ``{name: {severity: accuracy}}``.

    Args:
        network: maps images in their value range to logits, in evaluation mode.
        images: ``(n, c, h, w)``, not normalised.
        labels: ``(n,)``.
        names: of corruptions.
        severities: 1 to 5.
        seed: of the noise, the same for every network.
        value_range: what pixels can be.
        batch_size: images per step.

    Raises:
        UnknownNameError: no such corruption.
        ConfigError: a severity or the images do not fit.
        EvaluationError: the network does not return logits.
    """
    return {
        name: {
            s: accuracy(network, corrupt(images, name, s, seed=seed, value_range=value_range), labels, batch_size)
            for s in severities
        }
        for name in names
    }


def mean_corruption_accuracy(accuracies: Mapping[str, Mapping[int, float]]) -> float:
    """Average over severities, then over corruptions.

    Example:
        >>> mean_corruption_accuracy({"jpeg": {1: 0.5, 5: 0.25}, "contrast": {1: 0.875}})
        0.625
    """
    means = [sum(by_severity.values()) / len(by_severity) for by_severity in accuracies.values()]
    return sum(means) / len(means)


def _check(images: Tensor, name: str, severity: int, value_range: tuple[float, float]) -> None:
    if name not in CORRUPTIONS:
        raise UnknownNameError("corruption", name, CORRUPTIONS)
    if severity not in SEVERITIES or not value_range[0] < value_range[1]:
        raise ConfigError(f"Expected a severity from 1 to 5 and a range (low, high), got {severity} and {value_range}.")
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ConfigError(
            f"Expected images (n, c, h, w) of one or three channels, got {tuple(images.shape)}: "
            "corruptions are made for grey and colour images."
        )
