"""Networks of NAS-Bench-101: channels, cells by their equations, weights by a formula, gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from gennas.errors import ConfigError
from gennas.spaces import NASBench101, TaskSpec
from gennas.spaces.nasbench101.networks import Cell, conv_bn_relu, vertex, vertex_channels

SPACE = NASBench101(width=8, num_stacks=2, num_cells=2)
C3, C1, POOL = "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"
DIAMOND = f"{C3}~0|{C1}~0|{POOL}~1,2|output~0,3"


def cell(text: str, inputs: int, outputs: int) -> Cell:
    adjacency, operations = SPACE.to_matrix(SPACE.from_text(text))
    return Cell(adjacency, operations, inputs, outputs)


def conv(k: int, a: int, b: int) -> int:
    """Weights of a convolution without bias and of its norm."""
    return k * k * a * b + 2 * b


@pytest.mark.parametrize("total", range(3, 12))
@pytest.mark.parametrize("count", [1, 2, 3])
def test_channels_before_the_output_add_up_and_differ_by_one(total: int, count: int) -> None:
    v = count + 2
    adjacency = np.zeros((v, v), dtype=np.int8)
    adjacency[0, 1:-1] = adjacency[1:-1, -1] = 1
    channels = vertex_channels(adjacency, 5, total)
    inner = channels[1:-1]
    assert channels[0] == 5 and channels[-1] == total == sum(inner)
    assert max(inner) - min(inner) <= 1 and inner == sorted(inner, reverse=True)


def test_inner_vertices_are_as_wide_as_the_widest_they_feed() -> None:
    """0 → 1 → {2, 3} → 4, with 2 and 3 sharing seven channels: 4 and 3; vertex 1 has four."""
    adjacency = np.zeros((5, 5), dtype=np.int8)
    for u, v in [(0, 1), (1, 2), (1, 3), (2, 4), (3, 4)]:
        adjacency[u, v] = 1
    assert vertex_channels(adjacency, 9, 7) == [9, 4, 4, 3, 7]


@pytest.mark.parametrize("operation", [C3, C1, POOL])
@pytest.mark.parametrize("size", [1, 3, 8])
def test_vertices_keep_the_shape(operation: str, size: int) -> None:
    assert vertex(operation, 5)(torch.randn(2, 5, size, size)).shape == (2, 5, size, size)


def test_pooling_takes_the_largest_neighbour() -> None:
    x = -torch.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    assert vertex(POOL, 1)(x)[0, 0].tolist() == [[-1, -1, -2], [-1, -1, -2], [-4, -4, -5]]


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("output~0", conv(1, 6, 8)),
        (f"{C3}~0|output~1", conv(1, 6, 8) + conv(3, 8, 8)),
        (f"{C3}~0|{C1}~0|output~1,2", 2 * conv(1, 6, 4) + conv(3, 4, 4) + conv(1, 4, 4)),
        (f"{POOL}~0|output~0,1", 2 * conv(1, 6, 8)),
        # one vertex before the output: all have eight channels; three edges leave the input
        (DIAMOND, 3 * conv(1, 6, 8) + conv(3, 8, 8) + conv(1, 8, 8)),
    ],
)
def test_weights_of_a_cell(text: str, weights: int) -> None:
    assert sum(p.numel() for p in cell(text, 6, 8).parameters()) == weights


def test_the_smallest_cell_is_a_projection() -> None:
    net, x = cell("output~0", 6, 8).eval(), torch.randn(2, 6, 4, 4)
    assert list(net.projections) == ["1"] and len(net.vertices) == 0
    torch.testing.assert_close(net(x), net.projections["1"](x))


def test_a_diamond_by_its_equation() -> None:
    torch.manual_seed(1)
    net, x = cell(DIAMOND, 6, 8).eval(), torch.randn(3, 6, 5, 5)
    operations = SPACE.to_matrix(SPACE.from_text(DIAMOND))[1]
    assert sorted(operations[1:3]) == sorted([C3, C1]) and operations[3] == POOL
    one, two = (net.vertices[i](net.projections[str(i + 1)](x)) for i in range(2))
    three = torch.nn.functional.max_pool2d(one + two, 3, 1, 1)
    torch.testing.assert_close(net(x), three + net.projections["4"](x))


def test_only_edges_from_the_input_are_projected() -> None:
    net = cell(f"{C3}~0|{C3}~1|{C3}~2|output~3", 4, 4)
    assert list(net.projections) == ["1"] and net.sources == [[], [], [1], [2], [3]]


def expected_parameters(text: str, channels: int, classes: int, width: int, stacks: int, cells: int) -> int:
    """Stem, cells whose first of a stack doubles the channels, classifier."""
    total, inputs = conv(3, channels, width), width
    for s in range(stacks):
        for _ in range(cells):
            total += sum(p.numel() for p in cell(text, inputs, width * 2**s).parameters())
            inputs = width * 2**s
    return total + inputs * classes + classes


@pytest.mark.parametrize("text", ["output~0", DIAMOND, f"{C3}~0|{C1}~0,1|output~0,1,2"])
@pytest.mark.parametrize(("width", "stacks", "cells"), [(5, 1, 1), (8, 2, 2), (7, 3, 1)])
def test_parameters(text: str, width: int, stacks: int, cells: int) -> None:
    space = NASBench101(width=width, num_stacks=stacks, num_cells=cells)
    net = space.build(space.from_text(text), TaskSpec("image", (2, 8, 8), 3))
    assert sum(p.numel() for p in net.parameters()) == expected_parameters(text, 2, 3, width, stacks, cells)


@pytest.mark.parametrize(("size", "sizes"), [(8, [8, 8, 4, 4]), (7, [7, 7, 4, 4]), (1, [1, 1, 1, 1])])
def test_stacks_halve_and_double(size: int, sizes: list[int]) -> None:
    net = SPACE.build(SPACE.from_text(DIAMOND), TaskSpec("image", (1, size, size), 3)).eval()
    shapes: list[tuple[int, ...]] = []
    for layer in net.cells:
        if isinstance(layer, Cell):
            layer.register_forward_hook(lambda _m, _i, out: shapes.append(tuple(out.shape[1:])))
    net(torch.randn(2, 1, size, size))
    assert shapes == [(c, s, s) for c, s in zip([8, 8, 16, 16], sizes, strict=True)]
    assert sum(isinstance(m, nn.MaxPool2d) for m in net.cells) == 1


def test_logits_are_linear_in_mean_features() -> None:
    net = SPACE.build(SPACE.from_text(DIAMOND), TaskSpec("image", (1, 8, 8), 3)).eval()
    x = torch.randn(2, 1, 8, 8)
    torch.testing.assert_close(net(x), net.classifier(net.cells(net.stem(x)).mean((2, 3))))


def test_convolutions_are_drawn_for_their_inputs() -> None:
    """He et al. 2015: variance 2 over the inputs of a unit."""
    torch.manual_seed(0)
    space = NASBench101(width=64, num_stacks=1, num_cells=1)
    net = space.build(space.from_text(f"{C3}~0|output~1"), TaskSpec("image", (3, 8, 8), 10))
    weight = next(m.weight for m in net.cells.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3))
    assert weight.detach().std().item() == pytest.approx(math.sqrt(2 / (9 * 64)), rel=0.02)
    assert all(m.bias is None for m in net.modules() if isinstance(m, nn.Conv2d))


def test_every_convolution_gets_a_gradient() -> None:
    net = SPACE.build(SPACE.from_text(DIAMOND), TaskSpec("image", (1, 8, 8), 3))
    net(torch.randn(8, 1, 8, 8)).pow(2).sum().backward()
    assert all(m.weight.grad.abs().sum() > 0 for m in net.modules() if isinstance(m, nn.Conv2d))


def test_blocks_end_in_an_activation() -> None:
    block = conv_bn_relu(3, 4, 5)
    assert [type(m) for m in block] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU] and block[0].padding == (2, 2)
    assert (block(torch.randn(4, 3, 6, 6)) >= 0).all()


def test_graph_tasks_are_refused() -> None:
    with pytest.raises(ConfigError, match="nasbench101 has networks for images only"):
        SPACE.build(SPACE.from_text(DIAMOND), TaskSpec("node", (5,), 3))
