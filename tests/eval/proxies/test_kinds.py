"""Proxies on tokens, graphs, pairs, pixels and numbers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from gennas.errors import EvaluationError
from gennas.eval.proxies import (
    PROXIES,
    NotApplicableError,
    PopulationProxy,
    Protocol,
    ProxyBatch,
    make_proxies,
    noise_batch,
    score_network,
)
from gennas.eval.proxies._entrance import embeddings_changed, entering
from gennas.spaces.spec import KINDS, Kind, TaskSpec

from .conftest import Block, SmallViT

SINGLE = [name for name in PROXIES if not issubclass(PROXIES.get(name), PopulationProxy)]
V, T, B = 7, 5, 4


class SmallGPT(nn.Module):
    """Embeddings of tokens and places, two blocks with GELU; logits of every token, or of the text."""

    def __init__(self, pooled: bool = False, d: int = 8) -> None:
        super().__init__()
        self.pooled = pooled
        self.tokens, self.places = nn.Embedding(V, d), nn.Embedding(T, d)
        self.blocks = nn.Sequential(Block(d, 2), Block(d, 2))
        self.norm, self.head = nn.LayerNorm(d), nn.Linear(d, V)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.tokens(tokens) + self.places(torch.arange(tokens.shape[1]))
        x = self.norm(self.blocks(x))
        return self.head(x.mean(1) if self.pooled else x)


class Bag(nn.Module):
    """One embedding, rectified, and a linear layer: everything can be computed by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(V, 3), nn.Linear(3, V, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.embed(tokens).relu())


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(6, 4), nn.Linear(3, 4), nn.Linear(4, V)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.head((self.first(a.flatten(1)) + self.second(b.flatten(1))).relu())


class GraphNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(2, 4), nn.Linear(4, V)

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
        y = self.first(x)
        y = (y + torch.zeros_like(y).index_add(0, edge_index[1], y[edge_index[0]])).relu()
        return self.head(y.new_zeros(int(batch.max()) + 1, 4).index_add(0, batch, y))


SPECS: dict[Kind, TaskSpec] = {
    "language": TaskSpec("language", (T,), V, vocabulary=V),
    "tagging": TaskSpec("tagging", (T,), V, vocabulary=V),
    "text": TaskSpec("text", (T,), V, vocabulary=V),
    "segmentation": TaskSpec("segmentation", (3, 6, 6), V),
    "pair": TaskSpec("pair", (2, 3), V, second_shape=(3,)),
    "graph": TaskSpec("graph", (2,), V),
}


def protocol(kind: Kind) -> Protocol:
    spec = SPECS[kind]
    return Protocol(
        batch_size=B, input_shape=spec.input_shape, num_classes=V, kind=kind, vocabulary=spec.vocabulary,
        second_shape=spec.second_shape,
    )  # fmt: skip


def network(kind: Kind) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        if kind in ("language", "tagging", "text"):
            return SmallGPT(pooled=kind == "text")
        if kind == "pair":
            return TwoInputs()
        if kind == "graph":
            return GraphNet()
        return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, V, 1))


# What every kind can be scored by; the others say why not.
SCORED: dict[Kind, set[str]] = {
    "language": {"synflow", "logsynflow", "dss", "snip", "grasp", "fisher", "grad_norm", "jacov", "nwot_gelu", "ntk",
                 "gradsign", "zico", "vkdnw", "params", "flops", "plain"},
    "text": {"synflow", "dss", "snip", "jacov", "nwot_gelu", "epe_nas", "ntk", "gradsign", "zico"},
    "tagging": {"synflow", "dss", "snip", "jacov", "nwot_gelu", "ntk", "gradsign"},
    "pair": {"synflow", "snip", "jacov", "nwot", "nwot_gelu", "epe_nas", "ntk", "gradsign", "zico", "swap"},
    "segmentation": {"synflow", "snip", "jacov", "nwot", "zen", "meco", "ntk", "gradsign"},
    "graph": {"synflow", "snip", "grad_norm", "params", "flops", "ntk"},
}  # fmt: skip


@pytest.mark.parametrize("kind", SPECS)
def test_every_proxy_has_a_value_or_says_why_not(kind: Kind) -> None:
    batch, net = noise_batch(protocol(kind)), network(kind)
    scores = score_network(net, make_proxies(SINGLE), batch, each=True)
    valued = {name for name, score in scores.items() if not math.isnan(score.value)}
    assert SCORED[kind] <= valued, {n: scores[n].reason for n in SCORED[kind] - valued}
    for name in set(SINGLE) - valued:
        assert name in scores[name].reason
        with pytest.raises(NotApplicableError):
            score_network(net, make_proxies([name]), batch)
    again = score_network(net, make_proxies(SINGLE), batch, each=True)
    assert {n: again[n].value for n in valued} == {n: scores[n].value for n in valued}
    assert not any(module._forward_hooks for module in net.modules())


def test_epe_nas_needs_one_class_per_example() -> None:
    for kind in ("language", "segmentation"):
        with pytest.raises(NotApplicableError, match="one class for each example"):
            score_network(network(kind), make_proxies(["epe_nas"]), noise_batch(protocol(kind)))


def test_synflow_of_tokens_begins_with_embeddings_of_ones() -> None:
    net = Bag()
    batch = ProxyBatch((torch.tensor([[0, 1, 2]]),), torch.tensor([[1, 2, 3]]))
    score = score_network(net, make_proxies(["synflow"]), batch)["synflow"]
    assert score.value == pytest.approx(math.log(3 * float(net.head.weight.detach().abs().sum())))


def test_the_jacobian_of_tokens_is_that_to_their_embeddings() -> None:
    net, tokens = Bag(), torch.tensor([[0, 1], [2, 2]])
    with entering((tokens,)) as (inputs, found):
        out = net(*inputs)
    assert torch.equal(out, net.head(net.embed(tokens).relu()))
    (gradient,) = torch.autograd.grad(out.sum(), found)
    expected = (net.embed(tokens) > 0) * net.head.weight.sum(0)
    assert torch.allclose(gradient, expected)


def test_only_embeddings_of_the_tokens_are_changed() -> None:
    net, tokens = SmallGPT(), torch.tensor([[0, 1, 2]])
    seen: list[tuple[int, ...]] = []

    def change(out: Tensor) -> Tensor:
        seen.append(tuple(out.shape))
        return torch.zeros_like(out)

    with embeddings_changed(tokens, change):
        net(tokens)
    assert seen == [(1, 3, 8)], "not those of the places"
    with pytest.raises(NotApplicableError, match=r"no nn\.Embedding of its tokens"), embeddings_changed(tokens, change):
        functional.one_hot(tokens)


def test_a_text_model_without_an_embedding_is_refused() -> None:
    class OneHot(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(V, V)

        def forward(self, tokens: Tensor) -> Tensor:
            return self.head(functional.one_hot(tokens, V).to(self.head.weight))

    with pytest.raises(EvaluationError, match=r"no nn\.Embedding"):
        score_network(OneHot(), make_proxies(["synflow"]), noise_batch(protocol("language")))


def test_the_loss_is_over_all_tokens_that_count() -> None:
    net = Bag()
    labels = torch.tensor([[1, -100, 3]])
    batch = ProxyBatch((torch.tensor([[0, 1, 2]]),), labels)
    loss = functional.cross_entropy(net(batch.inputs[0])[0, [0, 2]], labels[0, [0, 2]])
    weights = [net.embed.weight, net.head.weight]
    expected = sum(
        float((w * g).detach().sum()) for w, g in zip(weights, torch.autograd.grad(loss, weights), strict=True)
    )
    assert score_network(net, make_proxies(["plain"]), batch)["plain"].value == pytest.approx(expected, rel=1e-5)


def test_numbers_as_labels() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 1))
    x, y = torch.randn(6, 3, 2, 2), torch.randn(6, 1)
    batch = ProxyBatch((x,), y)
    loss = functional.mse_loss(net(x), y)
    (gradient,) = torch.autograd.grad(loss, [net[1].weight])
    expected = float((net[1].weight * gradient).detach().sum())
    assert score_network(net, make_proxies(["plain"]), batch)["plain"].value == pytest.approx(expected, rel=1e-5)


def test_nwot_for_gelu_on_a_vit_is_the_determinant_of_its_signs() -> None:
    torch.manual_seed(0)
    net, x = SmallViT(), torch.randn(5, 3, 8, 8)
    signs: list[Tensor] = []
    for block in net.blocks:
        block.mlp[1].register_forward_pre_hook(lambda m, args: signs.append(args[0].detach().flatten(1) > 0))
    with torch.no_grad():
        net(x)
    codes = torch.cat(signs, 1).double()
    kernel = codes @ codes.T + (1 - codes) @ (1 - codes).T
    value = score_network(net, make_proxies(["nwot_gelu"]), ProxyBatch((x,), torch.zeros(5).long()))["nwot_gelu"].value
    assert value == pytest.approx(float(torch.linalg.slogdet(kernel)[1]), rel=1e-9)


def test_noise_is_of_the_kind_and_two_batches_differ() -> None:
    assert set(SPECS) | {"image", "node"} == set(KINDS)
    for kind, spec in SPECS.items():
        batch = noise_batch(protocol(kind))
        assert batch.second is not None and batch.examples == B
        assert [t.shape for t in batch.inputs] == [t.shape for t in spec.random_inputs(B)]
        assert not torch.equal(batch.inputs[0], batch.second.inputs[0])
        batch.check(V)
        assert batch.example(2).examples == (B if batch.is_graph else 2)
    assert noise_batch(protocol("language")).labels.shape == (B, T)
    assert noise_batch(protocol("segmentation")).labels.shape == (B, 6, 6)
    assert "language of 7 tokens" in protocol("language").identity and "pair and 3" in protocol("pair").identity
