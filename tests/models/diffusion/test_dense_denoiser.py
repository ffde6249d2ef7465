"""The dense network: its numbering of labels, its inputs, weights that move between conditions."""

from __future__ import annotations

import math

import pytest
import torch

from gennas.graph import GraphSchema
from gennas.models.diffusion import DenseDenoiser


@pytest.fixture
def denoiser(mixed: GraphSchema) -> DenseDenoiser:
    torch.manual_seed(0)
    model = DenseDenoiser.for_schema(mixed, num_conditions=2, dim=16)
    torch.nn.init.normal_(model.head.weight)
    return model.eval()


def test_labels_are_numbered_anew_in_each_slot(denoiser: DenseDenoiser) -> None:
    # Slots: node 1 (labels 1 and 2), edges 0->1, 0->2, 1->2 (labels 0, 1, 2); 3 is no label.
    assert denoiser.labels.tolist() == [[1, 2, 3], [0, 1, 2], [0, 1, 2], [0, 1, 2]]
    assert denoiser.column.tolist() == [[0, 0, 1, 0], [0, 1, 2, 0], [0, 1, 2, 0], [0, 1, 2, 0]]
    assert denoiser.rows.tolist() == [[2, 0, 1, 2], [3, 4, 5, 6], [7, 8, 9, 10], [11, 12, 13, 14]]
    assert denoiser.table.shape == (15, 16)
    assert denoiser.columns(torch.tensor([[2, 0, 3, 1]])).tolist() == [[1, 0, 0, 1]]


def test_untrained_network_is_uniform_over_the_allowed_labels(mixed: GraphSchema) -> None:
    p = DenseDenoiser.for_schema(mixed, dim=16)(torch.full((2, 4), 3), torch.ones(2)).softmax(-1)
    torch.testing.assert_close(p[0, 0], torch.tensor([0.0, 0.5, 0.5]))
    torch.testing.assert_close(p[0, 1:], torch.full((3, 3), 1 / 3))


def test_both_numberings_say_the_same(denoiser: DenseDenoiser) -> None:
    x = torch.tensor([[1, 0, 3, 2], [3, 3, 3, 3], [2, 1, 1, 0]])
    time, conditions = torch.tensor([0.2, 1.0, 0.5]), torch.rand(3, 2)
    full, compact = denoiser(x, time, conditions), denoiser.compact(x, time, conditions)
    assert full.shape == compact.shape == (3, 4, 3)
    assert (full.isinf() == ~denoiser.mask).all()
    assert torch.equal(full[:, 1:], compact[:, 1:]) and torch.equal(full[:, 0, 1:], compact[:, 0, :2])
    assert (compact[:, 0, 2] == -math.inf).all()
    torch.testing.assert_close(denoiser(x[1:2], time[1:2], conditions[1:2])[0], full[1])


@pytest.mark.parametrize("timed", [True, False])
def test_every_input_matters_and_the_time_only_where_it_is_seen(mixed: GraphSchema, timed: bool) -> None:
    torch.manual_seed(0)
    denoiser = DenseDenoiser.for_schema(mixed, num_conditions=2, dim=16, timed=timed).eval()
    torch.nn.init.normal_(denoiser.head.weight)
    x, time, conditions = torch.tensor([[1, 0, 3, 2]]), torch.tensor([0.5]), torch.tensor([[0.2, 0.9]])
    base = denoiser(x, time, conditions)
    for t in range(4):
        moved = x.clone()
        moved[0, t] = 3 if x[0, t] != 3 else 1
        assert ((denoiser(moved, time, conditions) - base).abs().nan_to_num().amax(-1) > 1e-6).all()
    assert torch.equal(denoiser(x, time * 0.1, conditions), base) != timed
    for i in range(2):
        changed = conditions.clone()
        changed[0, i] = math.nan
        assert not torch.allclose(denoiser(x, time, changed), base)
    torch.testing.assert_close(denoiser(x, time), denoiser(x, time, torch.full((1, 2), math.nan)))


def test_gradients_are_finite_beside_labels_that_are_not_allowed(denoiser: DenseDenoiser) -> None:
    x = torch.tensor([[3, 3, 0, 3], [1, 3, 3, 2]])
    loss = denoiser.compact(x, torch.ones(2), torch.rand(2, 2)).log_softmax(-1)[:, :, 0].sum()
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in denoiser.parameters())


def test_a_condition_moves_with_its_weights(mixed: GraphSchema, denoiser: DenseDenoiser) -> None:
    other = DenseDenoiser.for_schema(mixed, num_conditions=2, dim=16).eval()
    other.adopt(denoiser, [1, None])
    x, time = torch.tensor([[1, 0, 3, 2]]), torch.ones(1)
    asked = denoiser(x, time, torch.tensor([[math.nan, 0.3]]))
    torch.testing.assert_close(other(x, time, torch.tensor([[0.3, math.nan]])), asked)
