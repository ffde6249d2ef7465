from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gennas.errors import EvaluationError
from gennas.eval.proxies._calls import gradients_of, logits_of, loss_of, running
from gennas.eval.proxies.batch import ProxyBatch

X = torch.tensor([[1.0, 2.0], [3.0, -1.0]])


def test_gradients_are_exact_and_zero_where_nothing_depends() -> None:
    w, other = torch.tensor([2.0, 3.0], requires_grad=True), torch.ones(3, requires_grad=True)
    found = gradients_of((w**2).sum(), [w, other])
    assert [g.tolist() for g in found] == [[4.0, 6.0], [0.0, 0.0, 0.0]]
    assert gradients_of(torch.tensor(1.0), [w])[0].tolist() == [0.0, 0.0], "a constant depends on nothing"


def test_gradients_of_a_vector_are_weighted_by_signs() -> None:
    w = torch.tensor([2.0, 3.0], requires_grad=True)
    (found,) = gradients_of(w**2, [w], torch.tensor([1.0, -1.0]))
    assert found.tolist() == [4.0, -6.0]


def test_second_derivatives_are_there_when_asked_for() -> None:
    w = torch.tensor([2.0], requires_grad=True)
    (first,) = gradients_of((w**3).sum(), [w], create_graph=True)
    assert gradients_of(first.sum(), [w])[0].tolist() == [12.0]


def test_the_loss_is_that_of_the_labelled_rows() -> None:
    logits = torch.tensor([[0.0, 0.0], [5.0, -5.0], [0.0, 0.0]])
    labels = torch.tensor([1, 0])
    batch = ProxyBatch((torch.zeros(3, 4), torch.zeros(2, 0)), labels, rows=torch.tensor([0, 2]))
    assert loss_of(logits, batch).item() == pytest.approx(0.693147, abs=1e-6)
    with pytest.raises(EvaluationError, match="Labels out of range"):
        loss_of(logits[:, :1], batch)


class Returns(nn.Module):
    def __init__(self, value: object) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: Tensor) -> object:
        return self.value


@pytest.mark.parametrize(
    ("value", "got"), [((X, X), "a tuple"), (X[0], r"shape \(2,\)"), (X[None], r"shape \(1, 2, 2\)"), ({}, "a dict")]
)
def test_what_is_no_matrix_of_logits_is_refused(value: object, got: str) -> None:
    with pytest.raises(EvaluationError, match=got):
        logits_of(Returns(value), (X,))


def test_running_seeds_gives_gradients_and_puts_the_random_state_back() -> None:
    state = torch.get_rng_state()
    drawn = []
    with torch.no_grad():
        for _ in range(2):
            with running(nn.Identity(), 3, torch.device("cpu")):
                assert torch.is_grad_enabled()
                drawn.append(torch.rand(2))
        assert not torch.is_grad_enabled()
    assert torch.equal(*drawn) and torch.equal(torch.get_rng_state(), state)


def test_what_a_network_raises_names_the_network() -> None:
    with (
        pytest.raises(EvaluationError, match=r"Linear cannot be run on this batch: .*shapes"),
        running(nn.Linear(1, 1), 0, torch.device("cpu")),
    ):
        nn.Linear(3, 2)(X)
    with pytest.raises(EvaluationError, match=r"^mine$"), running(nn.Linear(1, 1), 0, torch.device("cpu")):
        raise EvaluationError("mine")
    with pytest.raises(KeyboardInterrupt), running(nn.Linear(1, 1), 0, torch.device("cpu")):
        raise KeyboardInterrupt
