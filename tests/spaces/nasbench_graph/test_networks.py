"""Node classifiers of NAS-Bench-Graph: operations against their formulas, widths along skips, weights by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gennas.spaces import TaskSpec
from gennas.spaces.nasbench_graph.networks import Layer, NASBenchGraphNetwork, linear_layers, node_operation

SPEC = TaskSpec("node", (5,), 3)
EDGES = torch.tensor([[0, 1, 2, 3, 1], [1, 0, 3, 2, 2]])  # 0 ↔ 1, 2 ↔ 3, 1 → 2


def network(links: str, operations: str, hidden: int = 4, pre: int = 1, post: int = 1, dropout: float = 0.0):
    """A network from its text, such as ``0012`` and ``gcn,fc,skip,gat``."""
    return NASBenchGraphNetwork([int(c) for c in links], operations.split(","), SPEC, hidden, pre, post, dropout)


def adjacency(n: int = 4) -> Tensor:
    """``A[v, u]`` is 1 where u sends to v."""
    A = torch.zeros(n, n)
    A[EDGES[1], EDGES[0]] = 1
    return A


@pytest.mark.parametrize("operation", ["gat", "gcn", "gin", "cheb", "sage", "arma", "graph"])
def test_operations_have_the_asked_width(operation: str) -> None:
    assert node_operation(operation, 5, 6)(torch.randn(4, 5), EDGES).shape == (4, 6)


def test_fully_connected_ignores_the_graph() -> None:
    torch.manual_seed(0)
    layer, x = Layer("fc", 5, 6), torch.randn(4, 5)
    assert not layer.needs_graph
    torch.testing.assert_close(layer.eval()(x, EDGES), layer.eval()(x, EDGES[:, :0]))
    assert Layer("gcn", 5, 6).needs_graph


def test_gcn_is_symmetrically_normalised() -> None:
    gcn, x = node_operation("gcn", 5, 3), torch.randn(4, 5)
    A = adjacency() + torch.eye(4)
    scale = A.sum(1).rsqrt()
    expected = scale[:, None] * A * scale[None] @ x @ gcn.lin.weight.T + gcn.bias
    torch.testing.assert_close(gcn(x, EDGES), expected)


def test_gin_sums_the_neighbours_and_itself() -> None:
    gin, x = node_operation("gin", 5, 3), torch.randn(4, 5)
    torch.testing.assert_close(gin(x, EDGES), gin.nn(x + adjacency() @ x))


def test_sage_averages_the_neighbours() -> None:
    sage, x = node_operation("sage", 5, 3), torch.randn(4, 5)
    A = adjacency()
    mean = A @ x / A.sum(1, keepdim=True).clamp(min=1)
    torch.testing.assert_close(sage(x, EDGES), sage.lin_l(mean) + sage.lin_r(x))


def test_graph_sums_the_neighbours_apart_from_itself() -> None:
    graph, x = node_operation("graph", 5, 3), torch.randn(4, 5)
    torch.testing.assert_close(graph(x, EDGES), graph.lin_rel(adjacency() @ x) + graph.lin_root(x))


# Weights of an operation from a to b features, with its bias.
WEIGHTS = {
    "gat": lambda a, b: a * b + 2 * b + b,  # two heads of b / 2, an attention vector for each end
    "gcn": lambda a, b: a * b + b,
    "gin": lambda a, b: a * b + b,
    "cheb": lambda a, b: 2 * a * b + b,  # polynomials of degree 0 and 1
    "sage": lambda a, b: 2 * a * b + b,
    "graph": lambda a, b: 2 * a * b + b,
    "fc": lambda a, b: a * b + b,
}


@pytest.mark.parametrize("operation", WEIGHTS)
@pytest.mark.parametrize(("inputs", "outputs"), [(5, 6), (8, 8)])
def test_weights_of_an_operation(operation: str, inputs: int, outputs: int) -> None:
    found = sum(p.numel() for p in Layer(operation, inputs, outputs).parameters())
    assert found == WEIGHTS[operation](inputs, outputs) + 2 * outputs


@pytest.mark.parametrize(
    ("links", "leaves"),
    [("0000", [1, 2, 3, 4]), ("0001", [2, 3, 4]), ("0012", [3, 4]), ("0123", [4]), ("0111", [2, 3, 4])],
)
def test_leaves_are_nodes_without_children(links: str, leaves: list[int]) -> None:
    net = network(links, "fc,fc,fc,fc")
    assert net.leaves == leaves and net.post[0].in_features == 4 * len(leaves)


def test_skips_hand_on_the_width_of_their_parent() -> None:
    """Without linear layers before, the input has five features, a layer's output four."""
    net = network("0012", "skip,fc,skip,skip", pre=0)  # leaves 3 (of the skip of the input) and 4 (of fc)
    assert net.post[0].in_features == 5 + 4
    assert network("0123", "skip,skip,skip,fc", pre=0).nodes[3].operation.in_features == 5
    assert network("0123", "skip,skip,skip,fc", pre=1).nodes[3].operation.in_features == 4


@pytest.mark.parametrize(("count", "width"), [(0, 5), (1, 7), (3, 7)])
def test_linear_layers_before_and_after(count: int, width: int) -> None:
    layers, found = linear_layers(5, 7, count)
    assert found == width and [(m.in_features, m.out_features) for m in layers] == [(5, 7), (7, 7), (7, 7)][:count]


@pytest.mark.parametrize(("pre", "post"), [(0, 0), (1, 0), (0, 1), (2, 2)])
def test_parameters(pre: int, post: int) -> None:
    h, features, classes = 4, 5, 3
    net = network("0012", "gcn,skip,fc,sage", pre=pre, post=post)
    inputs = h if pre else features
    expected = (features * h + h + (pre - 1) * (h * h + h)) if pre else 0
    expected += inputs * h + h + 2 * h  # node 1, gcn of the input
    expected += h * h + h + 2 * h  # node 3, fc of node 1
    expected += 2 * inputs * h + h + 2 * h  # node 4, sage of the skip
    expected += (2 * h * h + h + (post - 1) * (h * h + h)) if post else 0  # leaves 3 and 4
    expected += (h if post else 2 * h) * classes + classes
    assert sum(p.numel() for p in net.parameters()) == expected


def test_information_travels_along_edges_only() -> None:
    """Two convolutions reach two steps: 0 → 1 → 2, and 3 needs a third one."""
    torch.manual_seed(0)
    net = network("0123", "skip,skip,gcn,gcn", hidden=32, post=0).double().eval()
    x = torch.randn(4, 5, dtype=torch.double, requires_grad=True)
    net(x, EDGES)[2].sum().backward()
    assert (x.grad.abs().sum(1) > 0).tolist() == [True, True, True, True]
    x.grad = None
    net(x, EDGES)[0].sum().backward()
    assert (x.grad.abs().sum(1) > 0).tolist() == [True, True, False, False]  # 2 and 3 do not send to 1


def test_a_network_of_linear_layers_needs_no_edges() -> None:
    net = network("0000", "fc,fc,fc,fc").eval()
    x = torch.randn(4, 5)
    torch.testing.assert_close(net(x, EDGES), net(x, EDGES[:, :0]))


def test_renamed_nodes_have_renamed_logits() -> None:
    """A graph network does not see the numbering of nodes."""
    net, x, order = network("0012", "gat,cheb,arma,graph").eval(), torch.randn(4, 5), torch.tensor([2, 0, 3, 1])
    place = torch.argsort(order)
    torch.testing.assert_close(net(x[order], place[EDGES]), net(x, EDGES)[order])


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_dropout_is_random_in_training_only(dropout: float) -> None:
    torch.manual_seed(0)
    net, x = network("0123", "skip,skip,skip,fc", hidden=32, dropout=dropout), torch.randn(4, 5)
    assert torch.equal(net(x, EDGES), net(x, EDGES)) == (dropout == 0.0)
    assert torch.equal(net.eval()(x, EDGES), net.eval()(x, EDGES))


def test_every_computing_node_gets_a_gradient() -> None:
    net = network("0012", "gcn,gat,fc,sage")
    net(torch.randn(4, 5), EDGES).pow(2).sum().backward()
    for node in net.nodes:
        assert sum(float(p.grad.abs().sum()) for p in node.operation.parameters()) > 0
