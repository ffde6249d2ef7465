"""Tests of SANE's networks: attentions against formulas and against torch-geometric, GeniePath, joins."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch_geometric.nn import GATConv

from gennas.spaces import SANE, TaskSpec
from gennas.spaces.sane.networks import AttentionConv, GeniePathConv

PATH = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
NAMES = ("gat", "gat-sym", "gat-cos", "gat-linear", "gat-gen-linear")


def by_loops(conv: AttentionConv, x: Tensor, edges: Tensor) -> Tensor:
    """The formula of each score, node by node."""

    def leaky(v: Tensor) -> Tensor:
        return torch.where(v > 0, v, 0.2 * v)

    h = (x @ conv.linear.weight.T).view(len(x), conv.heads, -1)
    out = torch.zeros(len(x), conv.heads, h.shape[-1])
    for i in range(len(x)):
        near = [i, *(int(s) for s, t in edges.T if int(t) == i)]
        for k in range(conv.heads):
            a, b = conv.source[0, k], conv.target[0, k]
            scores = []
            for j in near:
                forth, back = a @ h[j, k] + b @ h[i, k], a @ h[i, k] + b @ h[j, k]
                match conv.score_name:
                    case "gat":
                        scores.append(leaky(forth))
                    case "gat-sym":
                        scores.append(leaky(forth) + leaky(back))
                    case "gat-cos":
                        scores.append((a * h[j, k]) @ (b * h[i, k]))
                    case "gat-linear":
                        scores.append(torch.tanh(forth))
                    case _:
                        assert conv.mix is not None
                        scores.append(conv.mix[0, k] @ torch.tanh(a * h[j, k] + b * h[i, k]))
            weights = torch.softmax(torch.stack(scores), 0)
            out[i, k] = sum(w * h[j, k] for w, j in zip(weights, near, strict=True))
    return out.flatten(1) + conv.bias


@pytest.mark.parametrize("name", NAMES)
def test_attentions_are_their_formulas(name: str) -> None:
    """Two heads on a path of three nodes, in float64 up to rounding."""
    torch.manual_seed(0)
    conv, x = AttentionConv(4, 3, 2, name), torch.randn(3, 4)
    torch.nn.init.normal_(conv.bias)
    assert torch.allclose(conv(x, PATH), by_loops(conv, x, PATH), atol=1e-6)


def test_plain_attention_is_torch_geometrics() -> None:
    """The same weights give the same output."""
    torch.manual_seed(0)
    own, other, x = AttentionConv(4, 3, 2, "gat"), GATConv(4, 3, heads=2), torch.randn(3, 4)
    own.linear.weight.data = other.lin.weight.data
    own.source.data, own.target.data = other.att_src.data, other.att_dst.data
    assert torch.allclose(own(x, PATH), other(x, PATH), atol=1e-6)


def test_a_self_loop_is_not_counted_twice() -> None:
    """Edges from a node to itself are there already."""
    conv, x = AttentionConv(4, 3, 2, "gat-cos"), torch.randn(3, 4)
    looped = torch.cat([PATH, torch.tensor([[1], [1]])], dim=1)
    assert torch.equal(conv(x, PATH), conv(x, looped))


def test_geniepath_by_hand() -> None:
    """Attention of weight zero averages; gates of weight zero are one half, with the content as bias."""
    conv = GeniePathConv(1, 1)
    for parameter in conv.parameters():
        torch.nn.init.zeros_(parameter)
    torch.nn.init.ones_(conv.breadth.linear.weight)
    conv.gates.weight.data[2] = 1.0  # content = tanh of the average
    x = torch.tensor([[0.0], [0.3], [0.6]])
    averages = [0.15, 0.3, 0.45]
    expected = [0.5 * math.tanh(0.5 * math.tanh(math.tanh(a))) for a in averages]
    assert conv(x, PATH).flatten().tolist() == pytest.approx(expected, abs=1e-6)


def network(join: str, skips: str) -> torch.nn.Module:
    space = SANE(hidden=8, dropout=0)
    torch.manual_seed(0)
    return space.build(
        space.from_text(f"join={join};depth=3;op=gcn,gat-sym,geniepath;skip={skips}"), TaskSpec("node", (5,), 3)
    ).eval()


def test_the_join_reads_what_is_skipped_to_it() -> None:
    """Layers that it does not read are zeros: after the last one that is read nothing changes the logits."""
    x = torch.randn(3, 5)
    for join in ("cat", "max", "lstm"):
        first, last = network(join, "1,0,0"), network(join, "0,0,1")
        before = first(x, PATH), last(x, PATH)
        for net in (first, last):
            torch.nn.init.zeros_(net.layers[2].gates.weight)
        assert torch.equal(first(x, PATH), before[0])
        assert not torch.equal(last(x, PATH), before[1])
    nothing = network("cat", "0,0,0")(x, PATH)
    assert torch.equal(nothing[0], nothing[1])
