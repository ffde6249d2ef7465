"""Tests of the networks of TransNAS-Bench-101."""

from __future__ import annotations

import pytest
import torch

from gennas.spaces import TaskSpec, TransNASMacro, TransNASMicro
from gennas.spaces.parts import Plain
from gennas.spaces.transnas.networks import Cell, FactorizedReduction, ResidualBlock
from gennas.spaces.transnas.skeleton import Place

LABELS = TransNASMicro().schema.edge_labels


def test_a_cell_sums_what_its_edges_compute() -> None:
    """Skips alone: node 1 = x, node 2 = x + node 1, output = node 2 = 2 x; nothing gives zeros of the right shape."""
    space, x = TransNASMicro(), torch.randn(2, 4, 5, 5)
    assert torch.equal(Cell(Plain(space.from_text("64-41414-1_11_001")), LABELS, Place(4, 4, 1), 1)(x), 2 * x)
    nothing = Cell(Plain(space.from_text("64-41414-0_00_001")), LABELS, Place(4, 8, 2), 2)
    assert torch.equal(nothing(x), torch.zeros(2, 8, 3, 3))


def test_only_edges_from_the_input_change_the_shape() -> None:
    """A strided cell: skips from the input are factorised reductions, others are identities."""
    cell = Cell(Plain(TransNASMicro().from_text("64-41414-1_31_021")), LABELS, Place(4, 8, 2), 2)
    kinds = {name: type(module).__name__ for name, module in cell.operations.items()}
    assert kinds["0_1"] == "FactorizedReduction" and kinds["1_2"] == kinds["2_3"] == "Identity"
    assert cell(torch.randn(2, 4, 6, 6)).shape == (2, 8, 3, 3)


def test_the_reduction_reads_both_grids() -> None:
    """Even places in the first half of the channels, odd ones in the second; zeros beyond the border."""
    module = FactorizedReduction(1, 2, 2).eval()
    for conv in (module.even, module.odd):
        torch.nn.init.ones_(conv.weight)
    y = module(torch.arange(9.0).view(1, 1, 3, 3)) * (1 + module.norm.eps) ** 0.5
    assert torch.allclose(y[0, 0], torch.tensor([[0.0, 2], [6, 8]]))
    assert torch.allclose(y[0, 1], torch.tensor([[4.0, 0], [0, 0]]))


def test_a_residual_block_projects_only_where_the_shape_changes() -> None:
    """With the last norm at weight 0 a block is its shortcut."""
    x = torch.randn(2, 4, 6, 6)
    block = ResidualBlock(4, 4, 1).eval()
    torch.nn.init.zeros_(block.body[1][2].weight)
    assert torch.equal(block(x), x)
    assert ResidualBlock(4, 8, 2)(x).shape == (2, 8, 3, 3)


@pytest.mark.parametrize(
    ("side", "stem", "last"), [(8, (1, 1), 4), (32, (1, 1), 4), (64, (1, 2), 4), (128, (2, 2), 4), (256, (2, 2), 8)]
)
def test_micro_networks_keep_the_strides_that_images_bear(side: int, stem: tuple[int, int], last: int) -> None:
    """Five published strides: two of the stem, three of the modules."""
    space = TransNASMicro(width=2, blocks=1)
    with torch.device("meta"):
        network = space.build(space.from_text("2-41414-3_03_003"), TaskSpec("image", (3, side, side), 5)).eval()
        features = network.blocks(network.stem(torch.empty(1, 3, side, side)))
    assert (network.stem[0].stride[0], network.stem[2][1].stride[0]) == stem
    assert features.shape[-1] == last


@pytest.mark.parametrize(("side", "after_stem"), [(8, 8), (32, 32), (64, 64), (128, 64), (256, 64)])
def test_macro_networks_keep_the_strides_of_their_modules(side: int, after_stem: int) -> None:
    """The stem has the same strides in all of them, so that no two are the same function."""
    space = TransNASMacro(width=2, blocks=1)
    for text, halvings in (("2-4111-basic", 1), ("2-43233-basic", 4)):
        with torch.device("meta"):
            network = space.build(space.from_text(text), TaskSpec("image", (3, side, side), 5)).eval()
            stem = network.stem(torch.empty(1, 3, side, side))
            features = network.blocks(stem)
        assert stem.shape[-1] == after_stem
        assert features.shape[-1] == max(1, after_stem // 2**halvings)
