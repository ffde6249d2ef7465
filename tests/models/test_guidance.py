from __future__ import annotations

import torch

from gennas.models.guidance import guided

CONDITIONAL = torch.tensor([[1.0, 2.0, -torch.inf], [0.0, -1.0, -torch.inf]])
FREE = torch.tensor([[0.5, 0.0, -torch.inf], [1.0, 1.0, -torch.inf]])


def test_the_strength_interpolates_and_extrapolates() -> None:
    assert torch.equal(guided(CONDITIONAL, FREE, 1.0), CONDITIONAL)
    assert torch.equal(guided(CONDITIONAL, FREE, 0.0), FREE)
    assert guided(CONDITIONAL, FREE, 2.0).tolist() == [[1.5, 4.0, -torch.inf], [-1.0, -3.0, -torch.inf]]


def test_every_row_may_have_its_own_strength() -> None:
    w = torch.tensor([[0.0], [1.0]])
    assert torch.equal(guided(CONDITIONAL, FREE, w), torch.stack([FREE[0], CONDITIONAL[1]]))


def test_forbidden_labels_carry_no_gradient_of_nan() -> None:
    logits = torch.zeros(3, requires_grad=True)
    masked = logits.masked_fill(torch.tensor([False, False, True]), -torch.inf)
    guided(masked, masked.detach(), 2.0).softmax(-1)[0].backward()
    assert logits.grad is not None and logits.grad.isfinite().all()
