"""Networks of NAS-Bench-201: weights by a formula, what edges compute, reductions, gradients."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gennas.errors import ConfigError
from gennas.spaces import NASBench201, TaskSpec
from gennas.spaces.nasbench201.networks import Cell, Reduction, edge_operation, relu_conv_bn, stage
from gennas.spaces.parts import Plain

SPACE = NASBench201()
EDGES = ("0_1", "0_2", "1_2", "0_3", "1_3", "2_3")
FULL = "|nor_conv_3x3~0|+|nor_conv_1x1~0|nor_conv_3x3~1|+|nor_conv_1x1~0|nor_conv_3x3~1|nor_conv_3x3~2|"
MIXED = "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|"


def text_of(*operations: str) -> str:
    """The text of six operations, in the order 0→1, 0→2, 1→2, 0→3, 1→3, 2→3."""
    a, b, c, d, e, f = operations
    return f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"


def expected_parameters(text: str, channels: int, classes: int, num_cells: int, c: int) -> int:
    """Stem, cells at c, 2c and 4c, two residual blocks with a 1x1 shortcut, norm and classifier."""
    ones, threes = text.count("nor_conv_1x1"), text.count("nor_conv_3x3")
    total = 9 * channels * c + 2 * c
    for w in (c, 2 * c, 4 * c):
        total += num_cells * (ones * (w * w + 2 * w) + threes * (9 * w * w + 2 * w))
    for w in (c, 2 * c):
        total += 9 * w * 2 * w + 4 * w + 9 * (2 * w) ** 2 + 4 * w + w * 2 * w
    return total + 2 * 4 * c + 4 * c * classes + classes


@pytest.mark.parametrize("text", [FULL, MIXED, text_of(*["none"] * 6), text_of(*["skip_connect"] * 6)])
@pytest.mark.parametrize(("num_cells", "width"), [(1, 4), (2, 3), (5, 16)])
@pytest.mark.parametrize(("channels", "classes"), [(1, 2), (3, 10)])
def test_parameters(text: str, num_cells: int, width: int, channels: int, classes: int) -> None:
    space = NASBench201(num_cells=num_cells, width=width)
    with torch.device("meta"):
        net = space.build(space.from_text(text), TaskSpec("image", (channels, 8, 8), classes))
    found = sum(p.numel() for p in net.parameters())
    assert found == expected_parameters(text, channels, classes, num_cells, width)


def test_the_formula_gives_the_published_number() -> None:
    """All 3x3: 1.53 million parameters on CIFAR-10 (Dong and Yang 2020, figure of the largest cell)."""
    assert round(expected_parameters(text_of(*["nor_conv_3x3"] * 6), 3, 10, 5, 16) / 1e6, 2) == 1.53


@pytest.mark.parametrize("label", ["skip_connect", "avg_pool_3x3", "nor_conv_1x1", "nor_conv_3x3"])
def test_operations_keep_the_shape(label: str) -> None:
    for size in (1, 5, 8):
        assert edge_operation(label, 3)(torch.randn(2, 3, size, size)).shape == (2, 3, size, size)


def test_convolutions_come_after_their_activation() -> None:
    """ReLU, convolution, norm: what is negative does not pass."""
    net = relu_conv_bn(3, 5, 3, 2)
    assert [type(m) for m in net] == [nn.ReLU, nn.Conv2d, nn.BatchNorm2d] and net[1].bias is None
    x = -torch.rand(4, 3, 6, 6)
    assert torch.equal(net.eval()(x), torch.zeros(4, 5, 3, 3))
    assert x.max() < 0  # the activation is not in place: other edges read the same node


@pytest.mark.parametrize("size", [1, 2, 5, 8])
def test_pooling_averages_what_is_there(size: int) -> None:
    pool = edge_operation("avg_pool_3x3", 2)
    assert torch.equal(pool(torch.full((1, 2, size, size), 3.0)), torch.full((1, 2, size, size), 3.0))
    corner = pool(torch.arange(9.0).reshape(1, 1, 3, 3).expand(1, 2, 3, 3))[0, 0, 0, 0]
    assert corner == (0 + 1 + 3 + 4) / 4


@pytest.mark.parametrize(
    ("skips", "factor"),
    [
        ("000100", 1),  # 0 → 3
        ("000110", 1),  # 1 → 3 too, but node 1 has no input
        ("100110", 2),  # 0 → 1 → 3 and 0 → 3
        ("111000", 0),  # nothing reaches the output
        ("101001", 1),  # the path 0 → 1 → 2 → 3
        ("111111", 4),  # 0→3, 0→1→3, 0→2→3, 0→1→2→3
    ],
)
def test_a_cell_of_skips_counts_paths(skips: str, factor: int) -> None:
    arch = SPACE.from_text(text_of(*["skip_connect" if s == "1" else "none" for s in skips]))
    x = torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(Cell(Plain(arch), 3)(x), factor * x)


def test_a_cell_is_its_equation() -> None:
    torch.manual_seed(0)
    cell, x = Cell(Plain(SPACE.from_text(MIXED)), 4).eval(), torch.randn(2, 4, 5, 5)
    op = cell.operations
    one = op["0_1"](x)
    two = x + op["1_2"](one)
    torch.testing.assert_close(cell(x), op["1_3"](one) + op["2_3"](two))
    assert set(op) == set(EDGES) - {"0_3"}


@pytest.mark.parametrize(("size", "half"), [(8, 4), (7, 4), (1, 1), (2, 1)])
def test_reductions_halve_and_double(size: int, half: int) -> None:
    assert Reduction(3)(torch.randn(2, 3, size, size)).shape == (2, 6, half, half)


def test_a_reduction_is_residual() -> None:
    """With a branch of nothing, the shortcut is left: the mean of 2x2 pixels and a 1x1 convolution."""
    block = Reduction(2).eval()
    nn.init.zeros_(block.residual[1][2].weight)
    nn.init.zeros_(block.residual[1][2].bias)
    x = torch.randn(1, 2, 4, 4)
    means = x.reshape(1, 2, 2, 2, 2, 2).mean((3, 5))
    expected = torch.einsum("oc,bchw->bohw", block.shortcut[1].weight[:, :, 0, 0], means)
    torch.testing.assert_close(block(x), expected)
    assert not torch.allclose(Reduction(2)(x), Reduction(2).shortcut(x))


def test_resolution_and_channels_of_the_stages() -> None:
    net = NASBench201(num_cells=2, width=3).build(SPACE.from_text(MIXED), TaskSpec("image", (1, 8, 8), 2))
    shapes: list[tuple[int, ...]] = []
    for cells in net.stages:
        assert len(cells) == 2
        cells.register_forward_hook(lambda _m, _i, out: shapes.append(tuple(out.shape[1:])))
    net(torch.randn(2, 1, 8, 8))
    assert shapes == [(3, 8, 8), (6, 4, 4), (12, 2, 2)]


def test_cells_of_a_stage_share_nothing() -> None:
    cells = stage(Cell(Plain(SPACE.from_text(FULL)), 4), 3)
    pointers = [p.data_ptr() for p in cells.parameters()]
    assert len(set(pointers)) == len(pointers)
    first, second, _ = (cell.operations["0_1"][1].weight for cell in cells)
    assert not torch.equal(first, second)


def test_gradients_reach_what_leads_to_the_output() -> None:
    """Node 1 leads nowhere: its edge has weights, but no gradient."""
    arch = SPACE.from_text(text_of("nor_conv_3x3", "nor_conv_1x1", "none", "none", "none", "nor_conv_3x3"))
    cell = Cell(Plain(arch), 4)
    cell(torch.randn(3, 4, 5, 5)).pow(2).sum().backward()
    assert all(p.grad is None for p in cell.operations["0_1"].parameters())
    for edge in ("0_2", "2_3"):
        assert cell.operations[edge][1].weight.grad.abs().sum() > 0


def test_a_disconnected_network_learns_its_bias_alone() -> None:
    net = NASBench201(num_cells=1, width=4).build(
        SPACE.from_text(text_of(*["none"] * 6)), TaskSpec("image", (1, 8, 8), 2)
    )
    net(torch.randn(4, 1, 8, 8)).sum().backward()
    assert net.stem[0].weight.grad is None or not net.stem[0].weight.grad.any()
    assert net.classifier.bias.grad.tolist() == [4.0, 4.0]


@pytest.mark.parametrize("spec", [TaskSpec("node", (5,), 3), TaskSpec("image", (8, 8), 3)])
def test_other_specs_are_refused(spec: TaskSpec) -> None:
    with pytest.raises(ConfigError, match="nasbench201 has networks for images only"):
        SPACE.build(SPACE.from_text(MIXED), spec)
