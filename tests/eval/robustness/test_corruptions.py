"""Corruptions: ranges, severities, seeds, and what they do to a trained network."""

from __future__ import annotations

import pytest
import torch

from gennas.errors import ConfigError, UnknownNameError
from gennas.eval.robustness import (
    CORRUPTIONS,
    SEVERITIES,
    accuracy,
    corrupt,
    corruption_accuracies,
    mean_corruption_accuracy,
)


@pytest.fixture(scope="module")
def photos() -> torch.Tensor:
    """Smooth colour images of 32×32."""
    coarse = torch.rand(6, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(coarse, (32, 32), mode="bicubic").clamp(0, 1)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_severities_grow_within_the_range(name: str, photos: torch.Tensor) -> None:
    distances = []
    for severity in SEVERITIES:
        changed = corrupt(photos, name, severity)
        assert changed.shape == photos.shape and 0 <= float(changed.min()) <= float(changed.max()) <= 1
        distances.append(float((changed - photos).square().mean()))
    assert distances[0] > 0 and sorted(distances) == distances


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("shape", [(2, 1, 8, 8), (2, 3, 5, 7), (1, 1, 2, 2)])
def test_small_and_grey_images(name: str, shape: tuple[int, ...]) -> None:
    assert corrupt(torch.rand(shape), name, 5).shape == shape


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_value_range_changes_nothing_but_the_scale(name: str, photos: torch.Tensor) -> None:
    scaled = corrupt(-3 + 20 * photos, name, 3, value_range=(-3.0, 17.0))
    difference = ((scaled + 3) / 20 - corrupt(photos, name, 3)).abs()
    # rounding to bytes may fall either way
    assert float(difference.median()) < 1e-5 and (difference < 1e-4).double().mean() > 0.99


def test_constants_of_known_images() -> None:
    grey = torch.full((1, 1, 32, 32), 0.5)
    for name in ("gaussian_blur", "pixelate", "contrast"):
        assert torch.allclose(corrupt(grey, name, 5), grey, atol=1e-6)
    assert torch.allclose(corrupt(grey, "brightness", 2), torch.full_like(grey, 0.6))
    assert float(corrupt(grey, "gaussian_noise", 5).std()) == pytest.approx(0.1, rel=0.1)
    half = torch.cat([torch.zeros(1, 1, 8, 4), torch.ones(1, 1, 8, 4)], 3)
    assert corrupt(half, "contrast", 2).unique().tolist() == pytest.approx([0.25, 0.75])


def test_noise_follows_its_seed_alone(photos: torch.Tensor) -> None:
    state = torch.get_rng_state()
    a, b, c = (corrupt(photos, "gaussian_noise", 3, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_trained_network_loses_accuracy(trained) -> None:
    images, labels = trained.images[:500], trained.labels[:500]
    values = corruption_accuracies(trained, images, labels, value_range=(0.0, 16.0))
    assert set(values) == set(CORRUPTIONS) and all(set(v) == set(SEVERITIES) for v in values.values())
    clean, mean = accuracy(trained, images, labels), mean_corruption_accuracy(values)
    assert mean < clean and values["contrast"][5] < values["contrast"][1]
    assert values["gaussian_blur"][5] > clean - 0.03 and min(values, key=lambda n: values[n][5]) == "pixelate"
    flat = [a for by_severity in values.values() for a in by_severity.values()]
    assert mean == pytest.approx(sum(flat) / len(flat))


def test_what_does_not_fit_is_refused(photos: torch.Tensor) -> None:
    with pytest.raises(UnknownNameError, match="gaussian_blur"):
        corrupt(photos, "gaussian_blurr", 1)
    with pytest.raises(ConfigError, match="1 to 5"):
        corrupt(photos, "jpeg", 6)
    with pytest.raises(ConfigError, match="channels"):
        corrupt(photos[:, :2], "jpeg", 1)
    with pytest.raises(ConfigError, match="range"):
        corrupt(photos, "jpeg", 1, value_range=(1.0, 0.0))
