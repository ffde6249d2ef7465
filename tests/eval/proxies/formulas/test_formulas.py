"""Every proxy against an implementation written here from its formula, on the same weights and batch, in float64."""

from __future__ import annotations

import copy
import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from gennas.eval.proxies import (
    NotApplicableError,
    Protocol,
    ProxyBatch,
    log_rank,
    make_proxies,
    noise_batch,
    score_network,
)
from gennas.eval.proxies.initialise import initialise

B, CLASSES = 6, 5
PROTOCOL = Protocol(batch_size=B, input_shape=(3, 8, 8), num_classes=CLASSES, dtype="float64")
BATCH = noise_batch(PROTOCOL)
X, Y = BATCH.inputs[0], BATCH.labels


def ours(name: str, net: nn.Module, batch: ProxyBatch = BATCH) -> float:
    score = score_network(net, make_proxies([name]), batch, seed=7)[name]
    assert not score.reason
    return score.value


def training(net: nn.Module) -> nn.Module:
    net = copy.deepcopy(net).train()
    for module in net.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return net


def weights(net: nn.Module) -> list[Tensor]:
    """Kernels and matrices of convolution, linear and attention layers."""
    found = [m.weight for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    return found + [m.in_proj_weight for m in net.modules() if isinstance(m, nn.MultiheadAttention)]


def loss_gradients(net: nn.Module, x: Tensor = X, y: Tensor = Y) -> tuple[list[Tensor], list[Tensor]]:
    net = training(net)
    functional.cross_entropy(net(x), y).backward()
    return [w.detach() for w in weights(net)], [w.grad for w in weights(net)]


@pytest.fixture
def net(net: nn.Module) -> nn.Module:
    return net.double()


def is_vit(net: nn.Module) -> bool:
    return any(isinstance(m, nn.MultiheadAttention) for m in net.modules())


# ---------------------------------------------------------------------- without data


def test_counts_and_norms(net: nn.Module) -> None:
    assert ours("params", net) == sum(p.numel() for p in net.parameters())
    named = [n for n, p in net.named_parameters() if p.ndim > 1 and "norm" not in n and n.endswith("weight")]
    attention = sum(isinstance(m, nn.MultiheadAttention) for m in net.modules())
    assert ours("trainable_layers", net) == len(named) and len(weights(net)) == len(named) and attention in (0, 2)
    assert ours("l2_norm", net) == pytest.approx(sum(float(w.detach().norm()) for w in weights(net)), rel=1e-6)


def test_flops_of_a_known_network() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 64, CLASSES)).double()
    expected = 64 * 4 * 27 + 256 * CLASSES
    assert ours("flops", net) == ours("az_complexity", net) == expected


def test_dss(net: nn.Module) -> None:
    if not is_vit(net):
        with pytest.raises(NotApplicableError, match="attention"):
            ours("dss", net)
        return
    flow = copy.deepcopy(net).eval()
    flow.load_state_dict({name: value.abs() for name, value in flow.state_dict().items()})
    flow(torch.ones(1, 3, 8, 8, dtype=torch.float64)).sum().backward()

    def nuclear(matrix: Tensor) -> float:
        return float(np.linalg.svd(matrix.detach().numpy(), compute_uv=False).sum())

    total, inside = 0.0, set()
    for module in flow.modules():
        if isinstance(module, nn.MultiheadAttention):
            d = module.embed_dim
            pairs = [(module.in_proj_weight[i : i + d], module.in_proj_weight.grad[i : i + d]) for i in (0, d, 2 * d)]
            pairs.append((module.out_proj.weight, module.out_proj.weight.grad))
            total += sum(nuclear(w) * nuclear(g) for w, g in pairs)
            inside |= {id(module.in_proj_weight), id(module.out_proj.weight)}
    total += sum(float((w * w.grad).abs().sum()) for w in weights(flow) if id(w) not in inside)
    assert ours("dss", net) == pytest.approx(total, rel=1e-6)


# ---------------------------------------------------------------------- gradients of the loss


def test_snip_grad_norm_plain(net: nn.Module) -> None:
    W, G = loss_gradients(net)
    products = [w * g for w, g in zip(W, G, strict=True)]
    assert ours("snip", net) == pytest.approx(sum(float(p.abs().sum()) for p in products), rel=1e-4)
    assert ours("grad_norm", net) == pytest.approx(sum(float(g.square().sum().sqrt()) for g in G), rel=1e-4)
    assert ours("plain", net) == pytest.approx(sum(float(p.sum()) for p in products), rel=1e-4)


def test_grasp_by_central_differences(net: nn.Module) -> None:
    W, G = loss_gradients(net)

    def moved(step: float) -> list[Tensor]:
        other = copy.deepcopy(net)
        with torch.no_grad():
            for w, g in zip(weights(other), G, strict=True):
                w += step * g
        return loss_gradients(other)[1]

    step = 1e-6 / max(1.0, max(float(g.abs().max()) for g in G))
    Hg = [(up - down) / (2 * step) for up, down in zip(moved(step), moved(-step), strict=True)]
    expected = -sum(float((w * h).sum()) for w, h in zip(W, Hg, strict=True))
    scale = sum(float((w * h).abs().sum()) for w, h in zip(W, Hg, strict=True))
    assert ours("grasp", net) == pytest.approx(expected, rel=1e-4, abs=1e-4 * scale)


def test_fisher(net: nn.Module) -> None:
    net_ = training(net)
    outputs: list[tuple[nn.Module, Tensor]] = []
    for module in net_.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_hook(lambda m, _, out: (out.retain_grad(), outputs.append((m, out)))[0])
    functional.cross_entropy(net_(X), Y).backward()
    total = 0.0
    for module, z in outputs:
        product = z * z.grad
        if isinstance(module, nn.Conv2d):
            per_example = torch.einsum("bchw->bc", product)
            fan_in = module.weight[0].numel()
        else:
            per_example = product.sum(1) if product.ndim == 3 else product
            fan_in = module.in_features
        total += fan_in * float((per_example**2).mean(0).sum() / 2)
    assert ours("fisher", net) == pytest.approx(total, rel=1e-4)


def test_zico(net: nn.Module) -> None:
    first = loss_gradients(net)[1]
    second = loss_gradients(net, BATCH.second.inputs[0], BATCH.second.labels)[1]
    total = 0.0
    for a, b in zip(first, second, strict=True):
        both = np.stack([a.numpy().ravel(), b.numpy().ravel()])
        deviation = both.std(0)
        ratio = (np.abs(both).mean(0)[deviation > 0] / deviation[deviation > 0]).sum()
        total += math.log(ratio) if ratio > 0 else 0
    assert ours("zico", net) == pytest.approx(total, rel=1e-4)


def test_gradsign(net: nn.Module) -> None:
    parameters = len(list(net.parameters()))
    signs: list[list[Tensor]] = [[] for _ in range(parameters)]
    for i in range(B):
        single = training(net)
        with sdpa_kernel(SDPBackend.MATH):  # biases of attention's keys have no effect: their signs are rounding
            functional.cross_entropy(single(X[i : i + 1]), Y[i : i + 1]).backward()
        for row, parameter in zip(signs, single.parameters(), strict=True):
            row.append(torch.sign(parameter.grad))
    expected = sum(float(torch.stack(row).sum(0).abs().sum()) for row in signs)
    assert ours("gradsign", net) == pytest.approx(expected, rel=1e-4)


# ---------------------------------------------------------------------- gradients with respect to the input


def jacobian(net: nn.Module) -> np.ndarray:
    x = X.clone().requires_grad_()
    training(net)(x).sum().backward()
    return x.grad.flatten(1).numpy()


def test_jacov(net: nn.Module) -> None:
    v = np.linalg.eigvalsh(np.corrcoef(jacobian(net)))
    assert ours("jacov", net) == pytest.approx(-np.sum(np.log(v + 1e-5) + 1 / (v + 1e-5)), rel=1e-4)


def test_epe_nas(net: nn.Module) -> None:
    J, y = jacobian(net), Y.numpy()
    scores = [np.log(np.abs(np.atleast_2d(np.corrcoef(J[y == c]))) + 1e-5).sum() for c in np.unique(y)]
    assert ours("epe_nas", net) == pytest.approx(np.abs(scores).sum(), rel=1e-4, abs=1e-6)


def test_epe_nas_changes_its_formula_at_a_hundred_classes() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 20), nn.ReLU(), nn.Linear(20, 101)).double()
    J, y = jacobian(net), Y.numpy()
    scores = [np.log(np.abs(np.atleast_2d(np.corrcoef(J[y == c]))) + 1e-5).sum() for c in np.unique(y)]
    pairs = sum(abs(a - b) for i, a in enumerate(scores) for b in scores[i + 1 :])
    assert ours("epe_nas", net) == pytest.approx(pairs / len(scores), rel=1e-4)


# ---------------------------------------------------------------------- activations


def patterns(net: nn.Module, kinds: tuple[type[nn.Module], ...]) -> np.ndarray:
    net, found = training(net), []
    for module in net.modules():
        if isinstance(module, kinds):
            module.register_forward_hook(lambda m, args, out: found.append((args[0] > 0).flatten(1).numpy()))
    with torch.no_grad():
        net(X)
    return np.concatenate(found, 1)


@pytest.mark.parametrize("name", ["nwot", "nwot_gelu"])
def test_nwot(net: nn.Module, name: str) -> None:
    if name == "nwot" and is_vit(net):
        with pytest.raises(NotApplicableError, match="nwot_gelu"):
            ours(name, net)
        return
    c = patterns(net, (nn.ReLU, nn.GELU)).astype(float)
    kernel = c @ c.T + (1 - c) @ (1 - c).T
    assert ours(name, net) == pytest.approx(np.linalg.slogdet(kernel)[1], rel=1e-4)


def test_swap_and_linear_regions(net: nn.Module) -> None:
    if is_vit(net):
        return
    c = patterns(net, (nn.ReLU,))
    assert ours("swap", net) == len({tuple(column) for column in c.T})
    assert ours("linear_regions", net) == len({tuple(row) for row in c}) == B


def test_meco(net: nn.Module) -> None:
    image = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(7)).double()
    net_, total = training(net), []
    layers = (nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.AvgPool2d, nn.LayerNorm, nn.GELU, nn.Linear, nn.AdaptiveAvgPool2d)

    def add(module: nn.Module, args: tuple, out: Tensor) -> None:
        if out.ndim == 4:
            rows = out[0].flatten(1).numpy()
        elif out.ndim == 3:
            rows = out[0].T.numpy()
        else:
            return
        centred = rows - rows.mean(1, keepdims=True)
        norm = np.linalg.norm(centred, axis=1, keepdims=True)
        unit = np.divide(centred, norm, out=np.zeros_like(centred), where=norm > 1e-12)
        matrix = unit @ unit.T
        np.fill_diagonal(matrix, 1.0)
        total.append(np.linalg.eigvalsh(matrix)[0])

    for module in net_.modules():
        if isinstance(module, layers):
            module.register_forward_hook(add)
    with torch.no_grad():
        net_(image)
    assert ours("meco", net) == pytest.approx(sum(total), rel=1e-4, abs=1e-9)


def test_zen(net: nn.Module) -> None:
    if is_vit(net):
        with pytest.raises(NotApplicableError, match="batch norm"):
            ours("zen", net)
        return
    generator = torch.Generator().manual_seed(7)
    x, noise = (torch.randn(X.shape, generator=generator).double() for _ in range(2))
    net_ = training(net)
    torch.manual_seed(7)
    initialise(net_, "normal")
    sizes, maps = [], []
    for module in net_.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_hook(lambda m, args, out: sizes.append(args[0].var((0, 2, 3), correction=0).mean()))
        if isinstance(module, nn.AdaptiveAvgPool2d):
            module.register_forward_hook(lambda m, args, out: maps.append(args[0]))
    with torch.no_grad():
        net_(x)
        scaling = 0.5 * sum(math.log(float(v)) for v in sizes)
        net_(x + 0.01 * noise)
    change = (maps[1] - maps[0]).abs().sum((1, 2, 3)).mean()
    assert ours("zen", net) == pytest.approx(math.log(float(change)) + scaling, rel=1e-4)


# ---------------------------------------------------------------------- matrices of per-example gradients


def test_ntk(net: nn.Module) -> None:
    net_ = training(net)
    rows = []
    for logits in net_(X):
        gradients = torch.autograd.grad(logits.sum(), list(net_.parameters()), retain_graph=True)
        rows.append(np.concatenate([g.numpy().ravel() for g in gradients]))
    singular = np.linalg.svd(np.array(rows), compute_uv=False)
    assert ours("ntk", net) == pytest.approx((singular[0] / singular[-1]) ** 2, rel=1e-4)


def test_vkdnw(net: nn.Module) -> None:
    net_ = copy.deepcopy(net).eval()
    tensors = list(net_.parameters())
    fisher = np.zeros((len(tensors), len(tensors)))
    for i in range(B):
        logits = net_(X[i : i + 1])[0]
        pi = logits.softmax(0).detach().numpy()
        J = np.array(
            [
                [g.numpy().ravel()[g.numel() // 2] for g in torch.autograd.grad(y, tensors, retain_graph=True)]
                for y in logits
            ]
        )
        for c in range(CLASSES):  # E_c[s s^T] with s the score function of class c
            score = J[c] - pi @ J
            fisher += pi[c] * np.outer(score, score)
    deciles = np.percentile(np.linalg.eigvalsh(fisher), range(10, 100, 10)).clip(0)
    p = deciles / deciles.sum()
    entropy = -sum(q * math.log(q) for q in p if q > 0)
    assert ours("vkdnw", net) == pytest.approx(ours("trainable_layers", net) + entropy, rel=1e-4)


# ---------------------------------------------------------------------- AZ-NAS


def block_modules(net: nn.Module) -> list[nn.Module]:
    if is_vit(net):
        return list(net.blocks)
    if isinstance(net, nn.Sequential):
        return [net[0], net[1]]
    stages = [cell for stage in net.stages for cell in stage]
    return [net.stem, stages[0], net.reductions[1], stages[1], net.reductions[2], stages[2]]


def block_outputs(net: nn.Module) -> list[Tensor]:
    net, found = training(net), []
    for module in block_modules(net):
        module.register_forward_hook(lambda m, args, out: found.append(out))
    net(X)
    return found


def rows_of(features: Tensor) -> Tensor:
    return features.permute(0, 2, 3, 1).flatten(0, 2) if features.ndim == 4 else features.flatten(0, 1)


def test_az_expressivity_and_progressivity(net: nn.Module) -> None:
    entropies = []
    for features in block_outputs(net):
        v = np.linalg.eigvalsh(np.cov(rows_of(features.detach()).numpy().T))
        p = v.clip(0) / v.clip(0).sum()
        entropies.append(-sum(q * math.log(q) for q in p if q > 0))
    assert len(entropies) >= 2
    assert ours("az_progressivity", net) == pytest.approx(min(b - a for a, b in pairwise(entropies)), rel=1e-4)
    assert ours("az_expressivity", net) == pytest.approx(sum(entropies), rel=1e-4)


def test_az_trainability(net: nn.Module) -> None:
    generator = torch.Generator().manual_seed(7)
    scores = []
    for before, after in pairwise(block_outputs(net)):
        signs = torch.randint(2, after.shape, generator=generator).double() * 2 - 1
        (back,) = torch.autograd.grad(after, before, signs, retain_graph=True)
        if back.shape[2:] != signs.shape[2:]:  # four pixels that become one are four times the channels
            b, c, h, w = back.shape
            back = back.reshape(b, c, h // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 2, 4).reshape(b, 4 * c, h // 2, w // 2)
        matrix = rows_of(back).T @ rows_of(signs) / len(rows_of(signs))
        sigma = np.linalg.svd(matrix.numpy(), compute_uv=False)[0]
        scores.append(2 - sigma - 1 / (sigma + 1e-6))
    assert ours("az_trainability", net) == pytest.approx(np.mean(scores), rel=1e-4)


def test_log_rank() -> None:
    # ranks of the columns: (1, 2, 3) and (3, 1.5, 1.5) of three
    expected = [math.log(1 / 3) + 0, math.log(2 / 3) + math.log(0.5), 0 + math.log(0.5)]
    assert log_rank([[0.1, 0.2, 0.3], [9, 4, 4]]) == pytest.approx(expected)
