from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from gennas.errors import EvaluationError
from gennas.eval.proxies.batch import ProxyBatch, noise_batch
from gennas.eval.proxies.protocol import Protocol

PROTOCOL = Protocol(batch_size=300, input_shape=(3, 4, 4), num_classes=5, seed=2)


def graph() -> ProxyBatch:
    edges = torch.tensor([[0, 1, 2], [1, 2, 0]])
    return ProxyBatch((torch.zeros(3, 2), edges), torch.tensor([0, 1]), rows=torch.tensor([0, 2]))


def test_noise_is_standard_normal_with_uniform_labels() -> None:
    batch = noise_batch(PROTOCOL)
    x = batch.inputs[0]
    assert x.shape == (300, 3, 4, 4) and abs(x.mean().item()) < 0.05 and x.std().item() == pytest.approx(1, abs=0.05)
    assert torch.bincount(batch.labels, minlength=5).min() > 30 and batch.labels.max() == 4
    batch.check(5)


def test_noise_follows_the_seed_and_the_second_batch_is_another() -> None:
    first, again, other = (noise_batch(p) for p in (PROTOCOL, PROTOCOL, replace(PROTOCOL, seed=3)))
    assert first.second is not None and torch.equal(first.inputs[0], again.inputs[0])
    assert not torch.equal(first.inputs[0], first.second.inputs[0])
    assert not torch.equal(first.inputs[0], other.inputs[0]) and first.second.second is None


def test_noise_is_of_images_only() -> None:
    with pytest.raises(EvaluationError, match=r"got \(16,\); take the batch from a task"):
        noise_batch(Protocol(input_shape=(16,)))


def test_floats_change_type_and_whole_numbers_do_not() -> None:
    batch = graph().to(torch.device("cpu"), torch.float64)
    assert (batch.inputs[0].dtype, batch.inputs[1].dtype) == (torch.float64, torch.int64)
    assert batch.rows is not None and batch.rows.tolist() == [0, 2]
    moved = noise_batch(PROTOCOL).to(torch.device("cpu"), torch.float64)
    assert moved.second is not None and moved.second.inputs[0].dtype == torch.float64


def test_examples_are_the_first_ones_and_graphs_stay_whole() -> None:
    batch = noise_batch(PROTOCOL)
    few = batch.example(2)
    assert torch.equal(few.inputs[0], batch.inputs[0][:2]) and len(few.labels) == 2 and few.second is None
    whole = graph()
    assert whole.example() is whole and whole.is_graph and not batch.is_graph


def test_labels_are_checked() -> None:
    graph().check(2)
    with pytest.raises(EvaluationError, match="expected 0 to 0 for 1 outputs, got 0 to 1"):
        graph().check(1)
    with pytest.raises(EvaluationError, match="Expected 2 labels, one for each example, got 3"):
        ProxyBatch((torch.zeros(2, 1),), torch.zeros(3, dtype=torch.long)).check(5)
    with pytest.raises(EvaluationError, match="got -1 to 0"):
        ProxyBatch((torch.zeros(2, 1),), torch.tensor([0, -1])).check(5)
