"""Crops and mirror images of a batch."""

from __future__ import annotations

import torch
from torch.nn import functional

from gennas.training.augment import Augmentation


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_every_crop_is_a_window_of_the_padded_image():
    x = torch.arange(1.0, 1 + 40 * 2 * 12).view(40, 2, 3, 4)
    windows = functional.pad(x, (1, 1, 1, 1)).unfold(2, 3, 1).unfold(3, 4, 1)  # (b, c, 3, 3, h, w)
    windows = windows.permute(0, 2, 3, 1, 4, 5).flatten(1, 2)  # (b, 9, c, h, w)
    out = Augmentation(1, flip=False)(x, generator())
    hits = (windows == out[:, None]).flatten(2).all(2)
    assert hits.any(1).all()
    assert len(hits.float().argmax(1).unique()) == 9


def test_flip_mirrors_about_half_of_the_images():
    x = torch.rand(200, 1, 2, 3, generator=generator(1))
    out = Augmentation(0, flip=True)(x, generator())
    mirrored = (out == x.flip(-1)).flatten(1).all(1)
    assert ((out == x).flatten(1).all(1) ^ mirrored).all()
    assert 70 < int(mirrored.sum()) < 130


def test_same_generator_same_result_and_input_untouched():
    x = torch.rand(5, 3, 8, 8)
    before = x.clone()
    a, b = (Augmentation(2, flip=True)(x, generator(3)) for _ in range(2))
    assert torch.equal(a, b)
    assert torch.equal(x, before)
