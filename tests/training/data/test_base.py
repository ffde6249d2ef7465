"""What all kinds of data have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from gennas.training import make_task
from gennas.training.data import PARTS, Batch

TASKS = ("digits", "digit-halves", "digit-slant", "stdlib", "python-tokens", "stdlib-packages", "motifs", "shapes")


def tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from tensors(item)


@pytest.mark.parametrize("name", TASKS)
def test_every_tensor_moves(name: str) -> None:
    data = make_task(name).data
    here, there = (list(tensors(tuple(vars(d).values()))) for d in (data, data.to(torch.device("meta"))))
    assert len(here) == len(there) > 0 and {t.device.type for t in there} == {"meta"}
    assert [t.shape for t in here] == [t.shape for t in there]


@pytest.mark.parametrize("name", TASKS)
def test_batches_are_as_many_as_said_and_hold_the_part(name: str) -> None:
    data = make_task(name).data.share(0.3, seed=0)
    for part in PARTS:
        batches = list(data.batches(part, 64))
        assert len(batches) == data.num_batches(part, 64)
        if name != "stdlib":
            labels = torch.cat([batch.y for batch in batches])
            assert len(labels) == len(data.labels(part)) == sum(batch.examples for batch in batches)


def test_examples_of_a_batch_are_those_that_the_network_sees() -> None:
    x, rows = torch.zeros(5, 2), torch.tensor([1, 3])
    assert Batch((x,), None, torch.zeros(5)).examples == 5
    assert Batch((x, torch.zeros(2, 0)), rows, torch.zeros(2)).examples == 5
