"""What every proxy promises: nothing of the network changes, and the same seed gives the same value."""

from __future__ import annotations

import random

import pytest
import torch
from torch import Tensor, nn

from gennas.eval.proxies import (
    PROXIES,
    NotApplicableError,
    PopulationProxy,
    Protocol,
    ProxyBatch,
    Score,
    make_proxies,
    noise_batch,
    score_network,
)
from gennas.spaces import NASBench201, NASBenchGraph, TaskSpec

BATCH = noise_batch(Protocol(batch_size=6, input_shape=(3, 8, 8), num_classes=5))
SINGLE = [name for name in PROXIES if not issubclass(PROXIES.get(name), PopulationProxy)]


def run(name: str, net: nn.Module, batch: ProxyBatch = BATCH, seed: int = 0) -> Score | None:
    try:
        return score_network(net, make_proxies([name]), batch, seed=seed)[name]
    except NotApplicableError as error:
        assert name in str(error) and len(str(error)) > len(name) + 15
        return None


def snapshot(net: nn.Module) -> dict[str, object]:
    return {
        "state": {
            name: (value.clone(), value.dtype, id(value)) for name, value in net.state_dict(keep_vars=True).items()
        },
        "modes": [m.training for m in net.modules()],
        "hooks": [tuple(len(getattr(m, kind)) for kind in vars(m) if kind.endswith("_hooks")) for m in net.modules()],
        "grads": [(p.grad is None, p.requires_grad) for p in net.parameters()],
        "inplace": [getattr(m, "inplace", None) for m in net.modules()],
        "attributes": [sorted(vars(m)) for m in net.modules()],
    }


@pytest.mark.parametrize("name", SINGLE)
def test_nothing_of_the_network_changes(name: str, net: nn.Module) -> None:
    net.train()
    next(m for m in net.modules() if isinstance(m, (nn.BatchNorm2d, nn.LayerNorm))).eval()  # modes differ
    calls: list[int] = []
    next(net.children()).register_forward_hook(lambda *_: calls.append(1))
    for module in net.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = True
    before, random_state = snapshot(net), torch.get_rng_state()
    first = run(name, net)
    after = snapshot(net)
    for key, (value, dtype, identity) in before.pop("state").items():
        now, dtype_now, identity_now = after["state"][key]
        assert torch.equal(value, now) and dtype == dtype_now and identity == identity_now
    after.pop("state")
    assert after == before and torch.equal(torch.get_rng_state(), random_state)
    random.seed(1)
    torch.manual_seed(99)
    assert run(name, net) == first


def test_fused_values_are_those_of_single_runs(net: nn.Module) -> None:
    names = [name for name in SINGLE if run(name, net) is not None]
    together = score_network(net, make_proxies(names), BATCH)
    for name in names:
        assert together[name].value == pytest.approx(run(name, net).value, rel=1e-4), name


@pytest.mark.parametrize("name", SINGLE)
def test_declarations(name: str) -> None:
    cls = PROXIES.get(name)
    assert cls.name == name and cls.passes and cls.direction in ("max", "min") and cls.scale in ("linear", "log")
    assert (cls.__doc__ and "arXiv" in (module_doc(cls))) or name in ("params", "flops", "meco")
    assert ("labels" in cls.needs) <= ("data" in cls.needs)


def module_doc(cls: type) -> str:
    import sys

    return sys.modules[cls.__module__].__doc__ or ""


def test_disconnected_networks_have_a_value_and_a_reason() -> None:
    space = NASBench201(num_cells=1, width=4)
    none = space.from_text("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    net = space.build(none, TaskSpec("image", (3, 8, 8), 5))
    for name in SINGLE:
        score = run(name, net)
        if score is None or not make_proxies([name])[0].passes - {"weights", "flops"}:
            continue
        proxy = make_proxies([name])[0]
        assert score.value == proxy.worst and score.reason, name
        assert abs(score.value) == 1e8


def test_graph_networks() -> None:
    space = NASBenchGraph()
    torch.manual_seed(0)
    net = space.build(space.from_text("0012:gat,gcn,fc,skip"), TaskSpec("node", (12,), 3))
    edges = torch.randint(30, (2, 90))
    batch = ProxyBatch((torch.randn(30, 12), edges), torch.arange(10) % 3, torch.arange(10))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    values = {name: run(name, net, batch) for name in SINGLE}
    defined = {name for name, score in values.items() if score is not None}
    assert defined >= {"params", "snip", "grad_norm", "synflow", "logsynflow", "fisher", "grasp", "nwot", "swap", "ntk"}
    assert not defined & {"jacov", "epe_nas", "gradsign", "zen", "zico", "meco", "dss"}
    assert all(not values[name].reason for name in ("snip", "synflow", "nwot", "fisher"))
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


class FunctionalNet(nn.Module):
    """Activations and pooling without modules, an in-place sum, a module kept in a plain list."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.order = [self.a, self.b]
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.order[0](x).relu()
        y = self.norm(self.order[1](x))
        y += x
        return self.head(torch.relu_(y).mean((2, 3)))


def test_activations_are_seen_wherever_they_are_called() -> None:
    net = FunctionalNet()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    assert run("nwot", net).value > 0 and run("snip", net).value > 0 and run("fisher", net).value > 0
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
