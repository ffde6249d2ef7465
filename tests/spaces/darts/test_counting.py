"""Where cells reduce, and what operations weigh."""

from __future__ import annotations

import pytest

from gennas.spaces.darts.counting import cell_plan, operation_parameters
from gennas.spaces.darts.genotype import OPERATIONS
from gennas.spaces.darts.networks import edge_operation


def test_cells_at_one_and_two_thirds_reduce() -> None:
    plan = cell_plan(20, 36, "cifar")
    assert [i for i, cell in enumerate(plan) if cell[3]] == [6, 13]
    assert [i for i, cell in enumerate(plan) if cell[4]] == [7, 14]
    assert [plan[i][:3] for i in (0, 1, 2, 6, 7, 13)] == [
        (108, 108, 36), (108, 144, 36), (144, 144, 36), (144, 144, 72), (144, 288, 72), (288, 288, 144),
    ]  # fmt: skip
    assert cell_plan(14, 48, "imagenet")[0] == (48, 48, 48, False, True)


@pytest.mark.parametrize("halves", [False, True])
def test_operations_weigh_what_their_modules_do(halves: bool) -> None:
    for label, operation in enumerate(OPERATIONS, start=1):
        module = edge_operation(operation, 5, 2 if halves else 1)
        assert operation_parameters(5, halves)[label] == sum(p.numel() for p in module.parameters())
    assert operation_parameters(5, halves)[0] == 0
