"""Splits and shares."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gennas.training.data import part_of_name, stratified_share, stratified_split

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


def test_files_are_split_by_their_names() -> None:
    parts = [part_of_name(f"file{i}.py") for i in range(2000)]
    assert abs(parts.count("train") - 1600) < 60 and abs(parts.count("validation") - 200) < 50
    assert part_of_name("file7.py") == parts[7]
