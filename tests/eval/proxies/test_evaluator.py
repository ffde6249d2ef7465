from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from gennas.errors import ConfigError, EvaluationError, UnknownNameError
from gennas.eval.base import FULL_FIDELITY, CheapEvaluator, Fidelity
from gennas.eval.proxies import Protocol, ProxyBatch, ProxyEvaluator, make_proxies, noise_batch, score_network
from gennas.spaces import NASBench201

SPACE = NASBench201(num_cells=1, width=4)
PROTOCOL = Protocol(batch_size=4, input_shape=(3, 8, 8), num_classes=5)
ARCHS = SPACE.sample(3, np.random.default_rng(0))


def evaluator(*names: str, protocol: Protocol = PROTOCOL) -> ProxyEvaluator:
    return ProxyEvaluator(SPACE, names, protocol)


def test_values_are_those_of_the_network_scored_by_hand() -> None:
    scoring = evaluator("snip", "params")
    net = scoring.build(ARCHS[0])
    by_hand = score_network(net, make_proxies(["snip", "params"]), noise_batch(PROTOCOL), seed=PROTOCOL.seed)
    assert scoring.evaluate(ARCHS[0], FULL_FIDELITY, 0) == {name: score.value for name, score in by_hand.items()}
    assert scoring.evaluate(ARCHS[0], FULL_FIDELITY, 9) == scoring.evaluate(ARCHS[0], FULL_FIDELITY, 0)


def test_the_protocols_seed_decides_and_no_other() -> None:
    torch.manual_seed(5)
    first = evaluator("snip").evaluate(ARCHS[0], FULL_FIDELITY, 0)
    torch.manual_seed(6)
    assert evaluator("snip").evaluate(ARCHS[0], FULL_FIDELITY, 0) == first
    other = Protocol(batch_size=4, input_shape=(3, 8, 8), num_classes=5, seed=1)
    assert evaluator("snip", protocol=other).evaluate(ARCHS[0], FULL_FIDELITY, 0) != first


def test_costs_are_cheap_and_to_be_minimised() -> None:
    scoring = evaluator("params", "flops", "snip")
    assert isinstance(scoring, CheapEvaluator) and scoring.cheap_metrics == ("params", "flops")
    assert {name: m.direction for name, m in scoring.metrics.items()} == {
        "params": "min",
        "flops": "min",
        "snip": "max",
    }
    cheap, full = scoring.cheap(ARCHS[1], FULL_FIDELITY), scoring.evaluate(ARCHS[1], FULL_FIDELITY, 0)
    assert cheap == {name: full[name] for name in ("params", "flops")}


def test_counting_parameters_builds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    scoring = evaluator("params")
    expected = [scoring.evaluate(arch, FULL_FIDELITY, 0) for arch in ARCHS]
    monkeypatch.setattr(ProxyEvaluator, "build", lambda self, arch: pytest.fail("a network was built"))
    assert [scoring.cheap(arch, FULL_FIDELITY) for arch in ARCHS] == expected


def test_it_travels_without_its_batch() -> None:
    scoring = evaluator("snip")
    value = scoring.evaluate(ARCHS[2], FULL_FIDELITY, 0)
    sent = pickle.dumps(scoring)
    assert len(sent) < 10_000 and pickle.loads(sent).evaluate(ARCHS[2], FULL_FIDELITY, 0) == value


def test_protocols_tell_proxies_space_and_conditions_apart() -> None:
    texts = {
        evaluator("snip").protocol,
        evaluator("params").protocol,
        evaluator("snip", protocol=Protocol(batch_size=8, input_shape=(3, 8, 8), num_classes=5)).protocol,
        ProxyEvaluator(NASBench201(num_cells=2, width=4), ["snip"], PROTOCOL).protocol,
    }
    assert len(texts) == 4


def test_a_check_does_what_a_trial_does() -> None:
    """The batch is read, and every proxy that is required has to have a value."""
    evaluator("snip", "params").check(ARCHS[0], FULL_FIDELITY)
    with pytest.raises(EvaluationError, match="no attention"):
        evaluator("params", "dss").check(ARCHS[0], FULL_FIDELITY)
    ProxyEvaluator(SPACE, ["params", "dss"], PROTOCOL, required=["params"]).check(ARCHS[0], FULL_FIDELITY)

    def unreadable() -> ProxyBatch:
        raise OSError("no such batch")

    task = replace(PROTOCOL, batch="mine")
    with pytest.raises(OSError, match="no such batch"):
        ProxyEvaluator(SPACE, ["snip"], task, unreadable).check(ARCHS[0], FULL_FIDELITY)


def test_misuse_is_explained() -> None:
    with pytest.raises(ConfigError, match="drop --epochs"):
        evaluator("params").evaluate(ARCHS[0], Fidelity(epochs=3), 0)
    with pytest.raises(ConfigError, match="aznas ranks a population"):
        evaluator("aznas")
    with pytest.raises(ConfigError, match="a batch for 'digits'"):
        evaluator("snip", protocol=Protocol(batch="digits"))
    with pytest.raises(ConfigError, match="none for 'noise'"):
        ProxyEvaluator(SPACE, ["snip"], PROTOCOL, lambda: noise_batch(PROTOCOL))
    with pytest.raises(UnknownNameError, match="snip"):
        evaluator("snipp")
