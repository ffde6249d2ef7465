"""Networks and batches that cannot be scored: one clear error each."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from gennas.errors import ConfigError, EvaluationError
from gennas.eval.proxies import Protocol, ProxyBatch, make_proxies, noise_batch, require_same, score_network

BATCH = noise_batch(Protocol(batch_size=4, input_shape=(3, 4, 4), num_classes=5))


class Wrapped(nn.Module):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.calls = how, [0]
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(48, 5))

    def forward(self, x: Tensor) -> object:
        y = self.net(x)
        match self.how:
            case "tuple":
                return x, y
            case "map":
                return y[:, :, None]
            case "nan":
                return y * float("nan")
            case "counting":
                self.calls[0] += 1
                return y * self.calls[0]
            case "raising":
                raise RuntimeError("shapes do not match")
        return y


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("tuple", "got a tuple"),
        ("map", "got shape"),
        ("nan", "not finite"),
        ("counting", "not deterministic"),
        ("raising", "shapes do not match"),
    ],
)
@pytest.mark.parametrize("proxy", ["snip", "nwot_gelu", "az_expressivity", "flops", "zen"])
def test_networks_that_cannot_be_run(how: str, message: str, proxy: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        score_network(Wrapped(how), make_proxies([proxy]), BATCH)


def test_no_parameters_and_weights_that_are_not_finite() -> None:
    with pytest.raises(EvaluationError, match="no parameters"):
        score_network(nn.Flatten(), make_proxies(["params"]), BATCH)
    net = Wrapped("plain")
    with torch.no_grad():
        net.net[1].weight[0, 0] = float("nan")
    with pytest.raises(EvaluationError, match=r"net\.1\.weight"):
        score_network(net, make_proxies(["synflow"]), BATCH)


def test_labels_out_of_range() -> None:
    bad = ProxyBatch(BATCH.inputs, torch.tensor([0, 1, 2, 7]))
    with pytest.raises(EvaluationError, match=r"0 to 4 for 5 outputs, got 0 to 7"):
        score_network(Wrapped("plain"), make_proxies(["snip"]), bad)
    with pytest.raises(EvaluationError, match="4 labels"):
        score_network(Wrapped("plain"), make_proxies(["snip"]), ProxyBatch(BATCH.inputs, torch.tensor([0])))


def test_a_batch_of_one() -> None:
    one = BATCH.example()
    for name in ("jacov", "epe_nas", "ntk"):
        with pytest.raises(EvaluationError, match="two or more"):
            score_network(Wrapped("plain"), make_proxies([name]), one)
    assert score_network(Wrapped("plain"), make_proxies(["snip"]), one)["snip"].value > 0
    normalised = nn.Sequential(nn.Flatten(), nn.Linear(48, 5), nn.BatchNorm1d(5))
    with pytest.raises(EvaluationError, match="more than 1 value"):
        score_network(normalised, make_proxies(["snip"]), one)


def test_protocols_do_not_mix() -> None:
    same = require_same([Protocol(seed=1), Protocol(seed=1)])
    assert same == Protocol(seed=1)
    for other in (Protocol(seed=2), Protocol(seed=1, batch_size=8), Protocol(seed=1, target="c10_val_200")):
        with pytest.raises(ConfigError, match="never pooled"):
            require_same([same, other])
    for wrong in ({"initialisation": "xavier"}, {"dtype": "bfloat16"}, {"input_shape": ()}, {"num_classes": 0}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            Protocol(**wrong)


class Chain(nn.Module):
    """Identity layers; in float64, as flows are computed, each of them multiplies by ``growth``."""

    def __init__(self, layers: int, growth: float) -> None:
        super().__init__()
        self.hidden = nn.ModuleList(nn.Linear(48, 48, bias=False) for _ in range(layers))
        self.last, self.growth = nn.Linear(48, 5), growth
        for layer in self.hidden:
            nn.init.eye_(layer.weight)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        for layer in self.hidden:
            x = layer(x) * (self.growth if x.dtype == torch.float64 else 1.0)
        return self.last(x)


@pytest.mark.parametrize("name", ["synflow", "logsynflow"])
def test_a_flow_beyond_float64_is_unknown_and_not_the_worst(name: str) -> None:
    small, large = Chain(4, 10.0), Chain(40, 1e9)
    assert not score_network(small, make_proxies([name]), BATCH)[name].reason
    with pytest.raises(EvaluationError, match=f"Proxy '{name}': the flow exceeds float64"):
        score_network(large, make_proxies([name]), BATCH)
    found = score_network(large, make_proxies([name, "params"]), BATCH, each=True)
    assert math.isnan(found[name].value) and "float64" in found[name].reason and found["params"].value > 0
