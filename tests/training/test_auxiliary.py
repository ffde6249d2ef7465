"""A second head learns, too, and networks hear how far training is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gennas.eval.base import Fidelity
from gennas.spaces import DARTS
from gennas.training import TrainConfig, Trainer, make_task

TASK = make_task("digits")


class TwoHeads(nn.Module):
    """The first head sees nothing, so that only the second one's loss can teach the shared layer."""

    auxiliary_weight = 0.5

    def __init__(self, second: bool = True) -> None:
        super().__init__()
        self.shared, self.first, self.second = nn.Linear(64, 16), nn.Linear(16, 10), nn.Linear(16, 10)
        self.auxiliary_logits: Tensor | None = None
        self.has_second = second
        self.heard: list[float] = []

    def set_progress(self, share: float) -> None:
        self.heard.append(share)

    def forward(self, images: Tensor) -> Tensor:
        x = self.shared(images.flatten(1))
        self.auxiliary_logits = self.second(x) if self.training and self.has_second else None
        return self.first(x.detach())  # type: ignore[no-any-return]


def trained(module: nn.Module, **options: Any) -> Any:
    torch.manual_seed(0)
    return Trainer(TASK, TrainConfig(weight_decay=0.0, **options)).fit(module, Fidelity(epochs=2))


def test_the_second_head_teaches_what_both_share() -> None:
    torch.manual_seed(0)
    with_second, alone = TwoHeads(), TwoHeads(second=False)
    before = with_second.shared.weight.clone()
    unchanged = alone.shared.weight.clone()
    first = trained(with_second).train_loss[0]
    assert not torch.equal(with_second.shared.weight, before)
    assert trained(alone).train_loss[0] < first  # which has half the second's loss in it
    assert torch.equal(alone.shared.weight, unchanged)


def test_networks_hear_the_share_of_the_schedule() -> None:
    module = TwoHeads()
    trained(module)
    assert module.heard == [0.0, 0.5]
    longer = TwoHeads()
    trained(longer, schedule_epochs=8)
    assert longer.heard == [0.0, 0.125]


@pytest.mark.parametrize("options", [{"auxiliary": True}, {"auxiliary": True, "drop_path": 0.2}])
def test_darts_networks_train_with_their_second_head(options: Any) -> None:
    space = DARTS(num_cells=3, width=4, **options)
    torch.manual_seed(0)
    module = space.build(space.from_text(space.reference["DARTS-V2"]), TASK.spec)
    before = [p.clone() for p in module.auxiliary_head.parameters()]
    Trainer(TASK).fit(module, Fidelity(epochs=2, data_fraction=0.2))
    after = list(module.auxiliary_head.parameters())
    assert all(not torch.equal(a, b) for a, b in zip(after, before, strict=True))
    dropped = {cell.drop_probability for cell in module.cells}  # half of the two epochs were done before the last
    assert dropped == {options.get("drop_path", 0.0) / 2}
