"""Rows of tokens, and pairs."""

from __future__ import annotations

import torch

from gennas.training.data import IGNORED, PairData, SequenceData


def test_shorter_rows_keep_their_beginning_and_its_labels() -> None:
    x = torch.arange(12, dtype=torch.int32).view(3, 4)
    tags = x % 2
    tags[0, 3] = IGNORED
    for y in (tags, torch.tensor([0, 1, 0])):
        data = SequenceData({"train": x, "validation": x, "test": x}, {"train": y, "validation": y, "test": y})
        short = data.shortened(0.5)
        (batch,) = short.batches("test", 9)
        assert batch.inputs[0].tolist() == [[0, 1], [4, 5], [8, 9]] and batch.inputs[0].dtype == torch.int64
        assert batch.y.tolist() == (y[:, :2].tolist() if y.ndim == 2 else y.tolist())


def test_each_input_of_a_pair_is_normalised_by_its_own_training_part() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = 5 + 3 * torch.randn(40, 2, 3, 3, generator=generator), -9 + torch.randn(40, 4, generator=generator)
    parts = {"train": slice(30), "validation": slice(30, 35), "test": slice(35, 40)}
    y = torch.arange(40)
    data = PairData.of(*({part: t[index] for part, index in parts.items()} for t in (first, second, y)))  # type: ignore[misc]
    assert (data.input_shape, data.second_shape) == ((2, 3, 3), (4,))
    (batch,) = data.batches("train", 99)
    for x, channels in zip(batch.inputs, ((0, 2, 3), (0,)), strict=True):
        assert x.mean(channels).abs().max() < 1e-5 and torch.allclose(x.std(channels, correction=0), torch.ones(1))
    shuffled = next(data.batches("train", 30, torch.Generator().manual_seed(1)))
    assert torch.allclose(shuffled.inputs[0] * data.std[0] + data.mean[0], first[shuffled.y], atol=1e-4)
    assert torch.allclose(shuffled.inputs[1] * data.std[1] + data.mean[1], second[shuffled.y], atol=1e-4)
