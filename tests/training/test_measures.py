"""Calibration and robustness as metrics of a training."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torchmetrics.functional.classification import multiclass_calibration_error

from gennas.errors import ConfigError, EvaluationError, UnknownNameError
from gennas.eval.base import Fidelity
from gennas.execution import SerialExecutor
from gennas.search.trial import Origin, Proposal
from gennas.spaces import MacroChain
from gennas.training import MEASURES, MeasureConfig, Task, TrainEvaluator, make_task, measure_network

TASK = make_task("digits")
SPACE = MacroChain(max_depth=2, widths=(8,))
ARCH = SPACE.from_text("conv3x3-w8-s1/conv3x3-w8-s2")
QUICK = replace(TASK.config, epochs=2)
CONFIG = MeasureConfig(epsilon=0.1, steps=3, severities=(1, 3))


def evaluator(*names: str, config: MeasureConfig = CONFIG) -> TrainEvaluator:
    return TrainEvaluator(SPACE, TASK, QUICK, measure_latency=False, measure=names, measure_config=config)


@pytest.fixture(scope="module")
def trained() -> tuple[nn.Module, dict[str, float]]:
    module, values = evaluator(*MEASURES).train(ARCH, Fidelity(), seed=0)
    return module, dict(values)


def test_every_declared_metric_is_measured_within_its_bounds(trained) -> None:
    metrics, values = evaluator(*MEASURES).metrics, trained[1]
    assert set(values) == set(metrics) and len(values) == 9 + 1 + 2 * len(MEASURES)
    for name, metric in metrics.items():
        assert metric.bounds[0] <= values[name] <= metric.bounds[1], name
    assert metrics["val_pgd_accuracy"].direction == "max" and metrics["val_ece"].direction == "min"
    assert values["val_pgd_accuracy"] < values["val_accuracy"] and values["measure_s"] > 0


def test_values_are_those_of_the_trained_network_on_each_part(trained) -> None:
    module, values = trained
    data = TASK.data
    module.eval()
    for prefix, part in (("val", "validation"), ("test", "test")):
        with torch.no_grad():
            logits = module((data.x[part].float() - data.mean) / data.std)
        y = data.y[part]
        assert values[f"{prefix}_accuracy"] == pytest.approx(float((logits.argmax(1) == y).double().mean()))
        assert values[f"{prefix}_nll"] == pytest.approx(float(nn.functional.cross_entropy(logits, y)), rel=1e-5)
        expected = float(multiclass_calibration_error(logits, y, 10, n_bins=15))
        assert values[f"{prefix}_ece"] == pytest.approx(expected, abs=1e-6)
    assert values["val_scaled_ece"] < values["val_ece"]  # two epochs leave the network underconfident


def test_epsilon_is_in_units_of_the_task_pixels(trained) -> None:
    """The digits run from 0 to 16: the same task in units of 0 to 1 has the same robust accuracies."""
    data = TASK.data
    assert data.value_range == (0.0, 16.0)
    parts = {part: (data.x[part].float() / 16, data.y[part]) for part in data.x}
    unit = Task.from_tensors("unit", **parts).data
    assert unit.value_range == (0.0, 1.0)
    module, names = trained[0], ["fgsm", "pgd", "corruptions"]
    a, b = (measure_network(module, d, names, CONFIG) for d in (data, unit))
    for name in ("val_fgsm_accuracy", "test_pgd_accuracy", "val_corruption_accuracy"):
        assert a[name] == pytest.approx(b[name], abs=0.003)
    none = measure_network(module, data, ["fgsm", "pgd"], replace(CONFIG, epsilon=0.0))
    assert none["val_fgsm_accuracy"] == none["val_pgd_accuracy"] == pytest.approx(trained[1]["val_accuracy"])


def test_measures_are_seeded_and_leave_everything_as_it_was(trained) -> None:
    module = trained[0].train()
    module.stem.eval()
    for parameter in module.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = {name: t.clone() for name, t in module.state_dict().items()}
    modes, state = [m.training for m in module.modules()], torch.get_rng_state()
    first, second = (measure_network(module, TASK.data, ["pgd", "corruptions"], CONFIG) for _ in range(2))
    assert {k: v for k, v in first.items() if k != "measure_s"} == {k: v for k, v in second.items() if k != "measure_s"}
    assert modes == [m.training for m in module.modules()] and torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(t, before[name]) for name, t in module.state_dict().items())
    assert all(p.requires_grad and bool((p.grad == 1).all()) for p in module.parameters())


def test_a_share_of_the_examples_and_a_lower_resolution() -> None:
    few = evaluator("pgd", "ece", config=replace(CONFIG, examples=50))
    values = few.evaluate(ARCH, Fidelity(epochs=1, resolution=0.5), seed=0)
    assert (values["val_pgd_accuracy"] * 50) == pytest.approx(round(values["val_pgd_accuracy"] * 50))
    assert few.protocol != evaluator("pgd", "ece").protocol != evaluator("ece", "pgd").protocol


def test_the_protocol_without_measures_is_what_it_was() -> None:
    assert "measures" not in evaluator().protocol and "measure_s" not in evaluator().metrics
    assert evaluator("pgd").protocol.startswith(evaluator().protocol)
    assert pickle.loads(pickle.dumps(evaluator("pgd"))).protocol == evaluator("pgd").protocol


def test_the_cost_of_measures_is_part_of_the_trial() -> None:
    runner = SerialExecutor(evaluator("corruptions"))
    runner.submit(Proposal(ARCH, Origin("test"), fidelity=Fidelity(epochs=1)))
    trial = runner.wait_any()
    assert trial.ok, trial.error
    assert trial.cost["seconds"] >= trial.metrics["train_s"] + trial.metrics["measure_s"] > trial.metrics["train_s"]


def test_graphs_are_calibrated_but_not_attacked() -> None:
    x, edges = torch.randn(30, 4, generator=torch.Generator().manual_seed(0)), torch.randint(30, (2, 60))
    parts = {"train": torch.arange(10), "validation": torch.arange(10, 20), "test": torch.arange(20, 30)}
    task = Task.from_graph("tiny", x=x, edge_index=edges, y=torch.arange(30) % 3, **parts)

    class Rows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 3)

        def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
            return self.linear(x)

    net = Rows()
    values = measure_network(net, task.data, ["brier", "nll"], MeasureConfig(examples=7))
    expected = nn.functional.cross_entropy(net(x, edges)[10:20], task.data.y[10:20])
    whole = measure_network(net, task.data, ["nll"], MeasureConfig())
    assert whole["val_nll"] == pytest.approx(expected.item(), rel=1e-5) and np.isfinite(values["test_brier"])
    with pytest.raises(ConfigError, match="images"):
        TrainEvaluator(SPACE, task, measure=["pgd"])


def test_bad_input_is_refused_before_any_training() -> None:
    with pytest.raises(UnknownNameError, match="pgd"):
        evaluator("pdg")
    with pytest.raises(ConfigError, match="different"):
        evaluator("ece", "ece")
    for options, reason in [
        ({"epsilon": -1}, "epsilon"),
        ({"steps": 0}, "steps"),
        ({"epsilom": 1}, "Did you mean epsilon"),
        ({"epsilon": "x"}, "8/255"),
        ({"severities": 3}, "valid tuple"),
        ({"severities": [6]}, "severities"),
        ({"corruptions": ["fog"]}, "fog"),
        ({"examples": 0}, "examples"),
    ]:
        with pytest.raises((ConfigError, UnknownNameError), match=reason):
            MeasureConfig.of(options)
    broken = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    nn.init.constant_(broken[1].weight, float("nan"))
    with pytest.raises(EvaluationError, match="finite"):
        measure_network(broken, TASK.data, ["ece"], MeasureConfig())
