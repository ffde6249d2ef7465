"""Normalisation, batches and resolution of images."""

from __future__ import annotations

import torch

from gennas.training.data import ImageData


def images(n: int = 9) -> ImageData:
    x = torch.arange(n * 2 * 4, dtype=torch.uint8).view(n, 2, 2, 2)
    y = torch.arange(n)
    return ImageData.of(
        {"train": x, "validation": x[:3] + 100, "test": x[:5]}, {"train": y, "validation": y[:3], "test": y[:5]}
    )


def test_normalisation_is_of_the_training_part():
    data = images()
    (train,) = data.batches("train", 100)
    assert train.inputs[0].mean((0, 2, 3)).abs().max() < 1e-5
    assert torch.allclose(train.inputs[0].std((0, 2, 3), unbiased=False), torch.ones(2))
    (validation,) = data.batches("validation", 100)
    assert validation.inputs[0].mean() > 1


def test_constant_channel_becomes_zero():
    data = ImageData.of({"train": torch.full((4, 1, 2, 2), 7.0)}, {"train": torch.zeros(4).long()})
    assert next(data.batches("train", 4)).inputs[0].eq(0).all()


def test_shuffled_pass_covers_everything_but_a_last_single_example():
    data, generator = images(), torch.Generator().manual_seed(0)
    passes = [[batch.y.tolist() for batch in data.batches("train", 4, generator)] for _ in range(2)]
    for batches in passes:
        assert [len(batch) for batch in batches] == [4, 4]
        assert len({y for batch in batches for y in batch}) == 8
    assert passes[0] != passes[1]
    assert [len(b.y) for b in data.batches("train", 4)] == [4, 4, 1]
    assert [len(b.y) for b in data.batches("train", 1, generator)] == [1] * 9


def test_labels_follow_their_images():
    data = images()
    for batch in data.batches("train", 4, torch.Generator().manual_seed(5)):
        raw = (batch.inputs[0] * data.std + data.mean).round()
        assert torch.equal(raw[:, 0, 0, 0].long(), batch.y * 8)


def test_resizing_keeps_means_and_labels():
    data = images().resized(0.5)
    assert data.input_shape == (2, 1, 1)
    assert torch.allclose(data.x["train"].flatten(), images().x["train"].float().mean((2, 3)).flatten())
