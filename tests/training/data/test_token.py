"""A corpus in windows."""

from __future__ import annotations

import pytest
import torch

from gennas.errors import ConfigError
from gennas.training.data import TokenData


def corpus(**options: int) -> TokenData:
    tokens = torch.arange(100, dtype=torch.uint8)
    return TokenData({"train": tokens, "validation": tokens[:41], "test": tokens[:10]}, 4, **options)


def test_evaluation_goes_through_the_part_once() -> None:
    batches = list(corpus().batches("validation", 3))
    assert [len(b.y) for b in batches] == [3, 3, 3, 1] and corpus().num_batches("validation", 3) == 4
    inputs = torch.cat([b.inputs[0] for b in batches])
    assert inputs.flatten().tolist() == list(range(40)), "side by side, and the last token is only predicted"
    assert torch.equal(torch.cat([b.y for b in batches]), inputs + 1)
    assert inputs.dtype == torch.int64


def test_some_evaluation_windows_lie_evenly_and_are_always_the_same() -> None:
    data = corpus(eval_windows=3)
    (batch,) = data.batches("validation", 9)
    assert batch.inputs[0][:, 0].tolist() == [0, 18, 36] and batch.y[-1].tolist() == [37, 38, 39, 40]
    assert len(next(data.batches("test", 9)).y) == 2, "no more than fit"


def test_training_windows_are_drawn_anywhere_under_the_generator() -> None:
    data = corpus(windows=400)
    first = list(data.batches("train", 64, torch.Generator().manual_seed(0)))
    again = list(data.batches("train", 64, torch.Generator().manual_seed(0)))
    assert len(first) == data.num_batches("train", 64) == 7
    assert all(torch.equal(a.y, b.y) for a, b in zip(first, again, strict=True))
    starts = torch.cat([b.inputs[0][:, 0] for b in first])
    assert int(starts.min()) == 0 and int(starts.max()) == 95 and len(starts.unique()) > 80
    assert all(torch.equal(b.inputs[0][:, 1:], b.y[:, :-1]) for b in first)


def test_a_share_is_one_piece_and_part_of_a_larger_one() -> None:
    data = corpus()
    small, large = data.share(0.2, seed=1), data.share(0.5, seed=1)
    assert torch.equal(small.tokens["train"], large.tokens["train"][:20]) and len(large.tokens["train"]) == 50
    assert (small.num_batches("train", 1), data.num_batches("train", 1)) == (5, 24)
    assert torch.equal(small.tokens["validation"], data.tokens["validation"])
    assert not torch.equal(small.tokens["train"], data.share(0.2, seed=2).tokens["train"])


def test_a_shorter_context_keeps_the_number_of_windows() -> None:
    short = corpus(eval_windows=5).shortened(0.5)
    assert short.input_shape == (2,) and short.num_batches("train", 1) == 24
    assert next(short.batches("test", 9)).inputs[0].shape == (4, 2)


def test_there_are_no_single_examples_and_no_images() -> None:
    with pytest.raises(ConfigError, match="no single examples"):
        corpus().take(torch.arange(3))
    with pytest.raises(ConfigError, match="no resolution"):
        corpus().resized(0.5)
