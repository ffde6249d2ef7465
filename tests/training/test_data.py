"""Splits, batches and normalisation."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gennas.errors import ConfigError
from gennas.training.data import ImageData, NodeData, stratified_share, stratified_split

labels = st.lists(st.integers(0, 4), min_size=1, max_size=60).map(torch.tensor)


@settings(max_examples=60, deadline=None)
@given(labels, st.integers(0, 99))
def test_split_is_a_partition_and_stratified(y, seed):
    parts = stratified_split(y, (0.6, 0.2, 0.2), seed)
    assert torch.equal(torch.cat(parts).sort().values, torch.arange(len(y)))
    for c in y.unique():
        count = int((y == c).sum())
        assert abs(int((y[parts[0]] == c).sum()) - 0.6 * count) <= 1


@settings(max_examples=60, deadline=None)
@given(labels, st.floats(0.05, 1), st.integers(0, 99))
def test_shares_are_nested_and_keep_every_class(y, fraction, seed):
    small, large = stratified_share(y, fraction / 2, seed), stratified_share(y, fraction, seed)
    assert set(small.tolist()) <= set(large.tolist())
    assert set(y[small].tolist()) == set(y.tolist())


def test_half_of_a_balanced_set_is_half_of_every_class():
    y = torch.arange(40) % 4
    index = stratified_share(y, 0.5, seed=1)
    assert torch.bincount(y[index]).tolist() == [5, 5, 5, 5]
    assert not torch.equal(index, stratified_share(y, 0.5, seed=2))


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


def test_graphs_are_one_batch_with_the_rows_of_the_part():
    nodes = {"train": torch.tensor([2, 0]), "validation": torch.tensor([1]), "test": torch.tensor([3])}
    data = NodeData(torch.eye(4), torch.tensor([[0, 1], [1, 2]]), torch.tensor([5, 6, 7, 8]), nodes)
    (batch,) = data.batches("train", 1)
    assert batch.rows.tolist() == [2, 0]
    assert batch.y.tolist() == [7, 5]
    assert data.take(torch.tensor([1])).labels("train").tolist() == [5]
    with pytest.raises(ConfigError, match="no resolution"):
        data.resized(0.5)
