"""What terminals build, and how shapes pass through terms."""

from __future__ import annotations

import pytest
import torch

from gennas.errors import ConfigError
from gennas.spaces import GrammarSpace, TaskSpec
from gennas.spaces.grammar import Grammar
from gennas.spaces.grammar.networks import LEAVES, Cell, Sum, leaf
from gennas.spaces.grammar.terminals import TERMINALS

SPEC = TaskSpec("image", (3, 9, 7), 4)


def test_every_terminal_without_parts_has_a_module() -> None:
    assert set(LEAVES) == {name for name, parts in TERMINALS.items() if not parts}


@pytest.mark.parametrize("name", sorted(LEAVES))
@pytest.mark.parametrize("size", [1, 5])
def test_terminals_keep_the_shape_but_down(name: str, size: int) -> None:
    expected = (2, 8, (size + 1) // 2, (size + 1) // 2) if name == "down" else (2, 4, size, size)
    assert leaf(name, 4)(torch.randn(2, 4, size, size)).shape == expected


@pytest.mark.parametrize(
    ("term", "ok"),
    [
        ("residual2(conv1x1, down, down)", True),
        ("residual2(down, id, id)", False),
        ("sum2(down, down)", True),
        ("sum3(id, id, down)", False),
        ("cell(id, id, id, id, id, down)", False),
        ("cell(id, zero, conv1x1, avg_pool, id, id)", True),
        ("linear2(residual1(down, down), residual2(dconv3x3, batch, id))", True),
    ],
)
def test_shapes_of_what_is_added_must_be_equal(term: str, ok: bool) -> None:
    space = GrammarSpace("x", Grammar("N", {"N": [term, "id"]}), 4)
    arch = space.from_text("N:0")
    if not ok:
        with pytest.raises(ConfigError, match=r"expected equal shapes of all that .* adds, got .* channels at"):
            space.build(arch, SPEC)
        return
    module = space.build(arch, SPEC)
    assert module(*SPEC.random_inputs(2)).shape == (2, 4)
    counted = space.count_parameters(space.from_texts(["N:0"]), SPEC)
    assert counted.tolist() == [sum(p.numel() for p in module.parameters())]


def test_cells_and_sums_compute_what_they_say() -> None:
    class Times(torch.nn.Module):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.factor = factor

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.factor * x

    x = torch.ones(1)
    assert float(Sum([Times(2), Times(3)])(x)) == 5
    a, b, c, d, e, f = 2, 3, 5, 7, 11, 13  # 0→1, 0→2, 1→2, 0→3, 1→3, 2→3
    cell = Cell([Times(factor) for factor in (a, b, c, d, e, f)])
    assert float(cell(x)) == d + e * a + f * (b + c * a)
