"""Scores of inherited weights."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.eval.base import FULL_FIDELITY, CheapEvaluator, Evaluator, Fidelity
from gennas.spaces import MacroChain, Space
from gennas.testing import EvaluatorContract
from gennas.training import Task, TrainEvaluator, make_task
from gennas.training.supernet import SupernetEvaluator, read_record

from .conftest import SPACE  # type: ignore[import-not-found]


class TestSupernetEvaluator(EvaluatorContract):
    @pytest.fixture(autouse=True)
    def _given(self, trained: Path, digits: Task) -> None:
        self.evaluator = SupernetEvaluator(trained, SPACE, digits)

    def make(self, space: Space) -> Evaluator:
        return self.evaluator

    def make_space(self) -> Space:
        return SPACE


def test_metrics_are_inherited_ones_and_never_others(trained: Path, digits: Task) -> None:
    evaluator = SupernetEvaluator(trained, SPACE, digits)
    assert set(evaluator.metrics) == {"inherited_accuracy", "inherited_loss", "params", "params_m"}
    assert evaluator.primary == "inherited_accuracy" and evaluator.cost_class == "expensive"
    seconds = read_record(trained).seconds
    assert evaluator.upfront == {"seconds": seconds, "supernet_seconds": seconds} and seconds > 0


@pytest.mark.parametrize("mode", ["track", "batch", "recalibrate"])
def test_batch_norm_modes_differ_and_are_part_of_the_protocol(trained: Path, digits: Task, mode: str) -> None:
    evaluator = SupernetEvaluator(trained, SPACE, digits, batch_norm=mode)  # type: ignore[arg-type]
    assert f"bn={mode}" in evaluator.protocol and read_record(trained).digest in evaluator.protocol
    other = SupernetEvaluator(trained, SPACE, digits, batch_norm="track" if mode != "track" else "batch")
    archs = SPACE.sample(8, np.random.default_rng(0))
    a, b = ([e.evaluate(arch, FULL_FIDELITY, 0)["inherited_loss"] for arch in archs] for e in (evaluator, other))
    assert a != b
    before = [t.clone() for t in evaluator.supernet.state_dict().values()]
    evaluator.evaluate(archs[0], FULL_FIDELITY, 1)
    assert all((x == y).all() for x, y in zip(before, evaluator.supernet.state_dict().values(), strict=True))


def test_garbage_in_tracked_statistics_touches_tracking_alone(trained: Path, digits: Task) -> None:
    arch = SPACE.from_text("|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|")
    for mode, changes in (("track", True), ("batch", False), ("recalibrate", False)):
        evaluator = SupernetEvaluator(trained, SPACE, digits, batch_norm=mode)  # type: ignore[arg-type]
        before = evaluator.evaluate(arch, FULL_FIDELITY, 0)["inherited_loss"]
        for name, buffer in evaluator.supernet.named_buffers():
            if name.endswith("running_mean"):
                buffer.fill_(3.0)
        assert (evaluator.evaluate(arch, FULL_FIDELITY, 0)["inherited_loss"] != before) is changes


def test_it_pickles_without_weights_and_data(trained: Path, digits: Task) -> None:
    evaluator = SupernetEvaluator(trained, SPACE, digits)
    arch = SPACE.sample(1, np.random.default_rng(1))[0]
    before = evaluator.evaluate(arch, FULL_FIDELITY, 0)
    copy = pickle.loads(pickle.dumps(evaluator))
    assert "supernet" not in vars(copy) and "_data" not in vars(copy)
    assert copy.evaluate(arch, FULL_FIDELITY, 5) == before


def test_parameters_are_counted_and_not_evaluated(trained: Path, digits: Task) -> None:
    evaluator = SupernetEvaluator(trained, SPACE, digits)
    assert isinstance(evaluator, CheapEvaluator)
    archs = SPACE.sample(5, np.random.default_rng(2))
    counted = evaluator.cheap_all(archs, FULL_FIDELITY)["params"]
    assert counted.tolist() == [evaluator.evaluate(a, FULL_FIDELITY, 0)["params"] for a in archs]
    assert evaluator.cheap(archs[0], FULL_FIDELITY) == {"params": counted[0], "params_m": counted[0] / 1e6}


def test_what_does_not_fit_is_refused(trained: Path, digits: Task) -> None:
    evaluator = SupernetEvaluator(trained, SPACE, digits)
    other = MacroChain()
    with pytest.raises(InvalidArchitectureError, match="outside of the supernet"):
        evaluator.evaluate(other.sample(1, np.random.default_rng(0))[0], FULL_FIDELITY, 0)
    with pytest.raises(ConfigError, match="fidelity"):
        evaluator.evaluate(SPACE.sample(1, np.random.default_rng(0))[0], Fidelity(epochs=1), 0)
    with pytest.raises(ConfigError, match="of the task"):
        SupernetEvaluator(trained, SPACE, make_task("shapes"))
    with pytest.raises(ConfigError, match="at least 1"):
        SupernetEvaluator(trained, SPACE, digits, recalibration=0)


def test_a_training_starts_from_inherited_weights(trained: Path, digits: Task) -> None:
    arch = SPACE.sample(1, np.random.default_rng(3))[0]
    config = replace(digits.config, epochs=1, lr=1e-9, weight_decay=0.0)
    evaluator = TrainEvaluator(SPACE, digits, config, measure_latency=False, inherit=trained)
    assert read_record(trained).digest in evaluator.protocol
    module, _ = evaluator.train(arch, FULL_FIDELITY, 0)
    inherited = SupernetEvaluator(trained, SPACE, digits).supernet.network(arch)
    for a, b in zip(module.parameters(), inherited.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)
    fresh, _ = TrainEvaluator(SPACE, digits, config, measure_latency=False).train(arch, FULL_FIDELITY, 0)
    assert any(
        not torch.allclose(a, b, atol=1e-3) for a, b in zip(fresh.parameters(), inherited.parameters(), strict=True)
    )
    with pytest.raises(ConfigError, match="train at its fidelity"):
        evaluator.train(arch, Fidelity(resolution=0.5), 0)
