"""Architectures are built, trained and measured."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from gennas.errors import CheckpointError, ConfigError
from gennas.eval.base import Evaluator, Fidelity
from gennas.eval.stopping import StoppableEvaluator, StoppedEarlyError
from gennas.spaces.nasbench201.space import NASBench201
from gennas.training import TrainEvaluator, make_task

TASK = make_task("digits")
SPACE = NASBench201(num_cells=1, width=4)
ARCH = SPACE.from_text("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|")
QUICK = replace(TASK.config, epochs=2)


@pytest.fixture(scope="module")
def evaluator() -> TrainEvaluator:
    return TrainEvaluator(SPACE, TASK, QUICK)


def test_every_declared_metric_is_measured(evaluator):
    assert isinstance(evaluator, Evaluator)
    values = evaluator.evaluate(ARCH, Fidelity(), seed=1)
    assert set(values) == set(evaluator.metrics)
    assert all(np.isfinite(value) for value in values.values())
    module = SPACE.build(ARCH, TASK.spec)
    assert values["params"] == sum(p.numel() for p in module.parameters())
    assert values["params_m"] == values["params"] / 1e6
    assert values["flops"] > 1000 and values["latency_ms"] > 0


def test_same_seed_same_accuracies_in_any_process_state(evaluator):
    untimed = TrainEvaluator(SPACE, TASK, QUICK, measure_latency=False)
    first = untimed.evaluate(ARCH, Fidelity(data_fraction=0.5), seed=3)
    torch.manual_seed(77)
    copy = pickle.loads(pickle.dumps(untimed))
    second = copy.evaluate(ARCH, Fidelity(data_fraction=0.5), seed=3)
    names = ("val_accuracy", "test_accuracy", "train_loss", "params", "flops")
    assert [first[name] for name in names] == [second[name] for name in names]
    assert set(first) == set(untimed.metrics) == set(evaluator.metrics) - {"latency_ms", "latency_iqr_ms"}
    assert untimed.evaluate(ARCH, Fidelity(data_fraction=0.5), seed=4)["train_loss"] != first["train_loss"]


def test_fidelity_scales_network_and_images():
    evaluator = TrainEvaluator(SPACE, TASK, QUICK, measure_latency=False)
    full, small = (
        evaluator.evaluate(ARCH, fidelity, seed=0)
        for fidelity in (Fidelity(epochs=1), Fidelity(epochs=1, width=0.5, resolution=0.5, data_fraction=0.2))
    )
    assert small["params"] < full["params"] / 2
    assert small["flops"] < full["flops"] / 8


def test_protocol_tells_measurements_apart(evaluator):
    same = TrainEvaluator(NASBench201(num_cells=1, width=4), TASK, QUICK)
    _ = same.space.size, same.space.sample(3, np.random.default_rng(0))  # fills caches of the space
    assert TrainEvaluator(same.space, TASK, QUICK).protocol == evaluator.protocol
    others = [
        TrainEvaluator(NASBench201(num_cells=1, width=8), TASK, QUICK),
        TrainEvaluator(SPACE, TASK),
        TrainEvaluator(SPACE, TASK, QUICK, measure_latency=False),
        TrainEvaluator(SPACE, TASK, QUICK, latency_batch=8),
        TrainEvaluator(SPACE, replace(TASK, name="other"), QUICK),
    ]
    assert len({e.protocol for e in (evaluator, *others)}) == 6
    assert "batch 8" in others[3].metrics["latency_ms"].description


def test_sums_of_losses_cover_all_and_the_last_epochs():
    evaluator = TrainEvaluator(SPACE, TASK, replace(QUICK, epochs=3), measure_latency=False, sotl_epochs=2)
    sums = [evaluator.evaluate(ARCH, Fidelity(epochs=epochs), seed=0) for epochs in (1, 3)]
    assert sums[0]["sotl"] == sums[0]["sotl_e"] == sums[0]["train_loss"]
    three = sums[1]
    assert three["train_loss"] < three["sotl_e"] < three["sotl"]
    with pytest.raises(ConfigError, match="sotl_epochs=0"):
        TrainEvaluator(SPACE, TASK, QUICK, sotl_epochs=0)
    assert "last 2 epochs" in evaluator.metrics["sotl_e"].description


def test_a_trial_goes_on_from_its_checkpoint(tmp_path):
    recipe, names = replace(QUICK, epochs=4), ("val_accuracy", "test_accuracy", "train_loss", "sotl")
    at_once = TrainEvaluator(SPACE, TASK, replace(recipe, schedule_epochs=4), measure_latency=False)
    expected = at_once.evaluate(ARCH, Fidelity(data_fraction=0.5), seed=3)
    evaluator = TrainEvaluator(SPACE, TASK, recipe, measure_latency=False, checkpoints=tmp_path)
    assert evaluator.protocol == at_once.protocol
    first = evaluator.evaluate(ARCH, Fidelity(epochs=2, data_fraction=0.5), seed=3)
    copy = pickle.loads(pickle.dumps(evaluator))
    values = copy.evaluate(ARCH, Fidelity(data_fraction=0.5), seed=3)
    assert [values[name] for name in names] == pytest.approx([expected[name] for name in names], abs=1e-6)
    assert values["train_s"] > first["train_s"]
    assert len(list(tmp_path.glob("*/*/state.safetensors"))) == 2
    with pytest.raises(CheckpointError, match="another directory or the same settings"):
        TrainEvaluator(SPACE, TASK, replace(recipe, lr=0.1), checkpoints=tmp_path)


def test_a_device_that_is_not_there_is_refused_before_any_training():
    with pytest.raises(ConfigError, match="cuda:99"):
        TrainEvaluator(SPACE, TASK, replace(QUICK, device="cuda:99"))


def test_a_training_that_falls_short_is_ended_with_what_was_measured():
    evaluator = TrainEvaluator(SPACE, TASK, replace(TASK.config, epochs=4), measure_latency=False)
    assert isinstance(evaluator, StoppableEvaluator) and evaluator.stops_on == "val_accuracy"
    whole = evaluator.evaluate(ARCH, Fidelity(), seed=1)
    curve = whole.curves["val_accuracy"]
    assert dict(evaluator.evaluate_until(ARCH, Fidelity(), 1, (0.0, 0.0, 0.0, 2.0)))["val_accuracy"] == curve[-1]
    with pytest.raises(StoppedEarlyError, match=r"stopped after epoch 2 of 4: best val_accuracy .*, below the 2 that"):
        evaluator.evaluate_until(ARCH, Fidelity(), 1, (float("nan"), 2.0, 2.0, 2.0))
    with pytest.raises(StoppedEarlyError) as ended:
        evaluator.evaluate_until(ARCH, Fidelity(), 1, (0.0, 0.0, 2.0))
    assert {name: values for name, values in ended.value.curves.items()} == {
        name: values[:3] for name, values in whole.curves.items()
    }
