from __future__ import annotations

import torch

from gennas.generators.flat_adamw import FlatAdamW


def test_it_is_adamw_with_clipped_gradients() -> None:
    """Ten steps beside torch's own on the same gradients, one parameter without any."""
    torch.manual_seed(0)
    model, twin = (torch.nn.Linear(3, 2) for _ in range(2))
    twin.load_state_dict(model.state_dict())
    mine = FlatAdamW(model.parameters(), lr=0.1)
    theirs = torch.optim.AdamW(twin.parameters(), lr=0.1, weight_decay=0.01, betas=(0.9, 0.99))
    x = torch.randn(10, 5, 3)
    for i in range(10):
        model(x[i]).square().sum().backward()
        mine.step(0.5)
        twin(x[i]).square().sum().backward()
        torch.nn.utils.clip_grad_norm_(twin.parameters(), 1.0)
        theirs.param_groups[0]["lr"] = 0.05
        theirs.step()
        theirs.zero_grad()
    mine.release()
    torch.testing.assert_close(model.weight, twin.weight)
    torch.testing.assert_close(model.bias, twin.bias)
    assert model.weight.untyped_storage().data_ptr() != model.bias.untyped_storage().data_ptr()
    assert model.weight.grad is None
