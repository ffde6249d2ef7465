"""Searches, trainings, measurements and exports on tokens, pixels and numbers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gennas import SearchConfig, run_search
from gennas.errors import ConfigError
from gennas.eval.base import Fidelity
from gennas.generators.encoder import free_properties
from gennas.graph import Architecture
from gennas.spaces import MacroChain, TaskSpec
from gennas.training import Task, TrainEvaluator, make_task
from gennas.workbench.config import ProblemConfig
from gennas.workbench.evaluators import make_proxy_evaluator
from gennas.workbench.export import ExportSettings, export
from gennas.workbench.measure import LatencySettings, measure
from gennas.workbench.problem import make_problem


class Wide(MacroChain):
    """As many hidden units as an architecture has layers, for tokens and for pixels."""

    name = "wide"

    def __init__(self) -> None:
        super().__init__(max_depth=3, widths=(8,), kernels=(3,))

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        spec.require("wide", "language", "tagging", "text", "segmentation")
        width = 4 * len(self.to_text(arch).split("/"))
        if spec.kind == "segmentation":
            return nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.GELU(), nn.Conv2d(width, spec.num_outputs, 1))
        return TokenNet(spec, width)


class TokenNet(nn.Module):
    def __init__(self, spec: TaskSpec, width: int) -> None:
        super().__init__()
        self.pooled = spec.kind == "text"
        self.embed, self.hidden = nn.Embedding(spec.vocabulary, width), nn.Linear(width, width)
        self.head = nn.Linear(width, spec.num_outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        x = torch.nn.functional.gelu(self.hidden(self.embed(tokens)))
        return self.head(x.mean(1) if self.pooled else x)


SPACE = Wide()
ARCH = SPACE.sample(1, np.random.default_rng(0))[0]
TEXT = "the cat sat on the mat. the dog ran to the cat. " * 12


def corpus() -> Task:
    task = Task.from_tokens("cat", train=TEXT, test=TEXT[:99], context=8, windows=64)
    return replace(task, config=replace(task.config, epochs=2, threads=1))


def test_the_objective_is_the_score_of_the_task() -> None:
    for task, goal, report in (
        (corpus(), "val_loss:min", "test_loss"),
        ("python-tokens", "val_span_f1:max", "test_span_f1"),
        ("digits", "val_accuracy:max", "test_accuracy"),
    ):
        space: Any = "macro-chain" if task == "digits" else SPACE
        problem = make_problem(ProblemConfig(space=space, task=task))
        assert [f"{o.metric}:{o.direction}" for o in problem.objectives.objectives] == [goal]
        assert problem.report == report
    other = make_problem(ProblemConfig(space=SPACE, task=corpus(), objective=("val_perplexity:min",)))
    assert other.report == "test_perplexity"


def test_every_metric_of_a_language_model_is_measured_with_its_curves() -> None:
    evaluator = TrainEvaluator(SPACE, corpus())
    evaluator.check(ARCH, Fidelity())
    found = evaluator.evaluate(ARCH, Fidelity(context=0.5), 0)
    assert set(found) == set(evaluator.metrics) and found["val_perplexity"] == pytest.approx(np.exp(found["val_loss"]))
    curves = found.curves  # type: ignore[attr-defined]
    assert list(curves) == ["val_loss", "train_loss", "val_perplexity", "val_token_accuracy"]
    assert curves["val_loss"][-1] == found["val_loss"] and len(curves["train_loss"]) == 2


def test_a_search_minimises_the_loss(tmp_path: Path) -> None:
    config = SearchConfig(space=SPACE, task=corpus(), strategy="random", budget=4, out=tmp_path / "run")
    run = run_search(config)
    losses = [t.metrics["val_loss"] for t in run.result.trials]
    assert run.best.metrics["val_loss"] == min(losses) and len(set(losses)) > 1
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert "val_loss" in json.dumps(summary) and (tmp_path / "run" / "report.html").stat().st_size > 10_000


def test_proxies_take_the_shapes_of_the_task() -> None:
    for task in (corpus(), make_task("shapes"), make_task("stdlib-packages")):
        noise = make_proxy_evaluator(SPACE, ["synflow", "nwot_gelu"], task, batch="noise", batch_size=4)
        real = make_proxy_evaluator(SPACE, ["synflow", "nwot_gelu"], task, batch_size=4)
        a, b = (e.evaluate(ARCH, Fidelity(), 0) for e in (noise, real))
        assert a["synflow"] == pytest.approx(b["synflow"], rel=1e-12) and a["nwot_gelu"] != b["nwot_gelu"]
        assert task.spec.kind in noise.protocol


def test_measures_that_have_no_meaning_are_refused() -> None:
    for name, task, message in (
        ("pgd", corpus(), "defined for images, the task's kind is 'language'"),
        ("ece", corpus(), "one class per example, not targets of kind 'language'"),
        ("ece", make_task("shapes"), "of kind 'segmentation'"),
        ("fgsm", make_task("digit-slant"), "not targets numbers"),
    ):
        with pytest.raises(ConfigError, match=message):
            TrainEvaluator(SPACE, task, measure=[name])
    values = TrainEvaluator(SPACE, quick("stdlib-packages"), measure=["ece"], measure_latency=False).evaluate(
        ARCH, Fidelity(data_fraction=0.1), 0
    )
    assert 0 <= values["val_ece"] <= 1


def quick(name: str) -> Task:
    task = make_task(name)
    return replace(task, config=replace(task.config, epochs=1))


def test_latency_with_and_without_a_task() -> None:
    found = measure(LatencySettings(space=SPACE, task=corpus(), batch=4, seconds=0.02))
    assert found.rows[0]["batch"] == 4 and found.rows[0]["median_ms"] > 0
    assert measure(LatencySettings(space=SPACE, seconds=0.02)).rows[0]["batch"] == 1, "for tokens of a well-known task"


def test_properties_of_networks_on_tokens() -> None:
    task = corpus()
    values, names = free_properties(SPACE, SPACE.sample(3, np.random.default_rng(0)), task.spec)
    assert {"params", "flops"} <= set(names) and np.isfinite(values).all()


@pytest.mark.parametrize("to", ["onnx", "pt2", "safetensors", "source"])
def test_networks_on_tokens_leave_the_workbench(to: str, tmp_path: Path) -> None:
    if to == "onnx":
        pytest.importorskip("onnxruntime")
    done = export(
        ExportSettings(space=SPACE, arch=SPACE.to_text(ARCH), task=corpus(), to=to, out=tmp_path / f"net.{to}")
    )
    assert done.difference < 1e-5 and done.sizes == (2, 1, 5)
    if to == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(done.path), providers=["CPUExecutionProvider"])
        assert [(i.name, i.type) for i in session.get_inputs()] == [("tokens", "tensor(int64)")]


def test_pairs_and_graphs_are_exported_too(tmp_path: Path) -> None:
    from gennas.export import export_module

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(6, 4), nn.Linear(3, 4)

        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            return self.first(a.flatten(1)) * self.second(b)

    spec = TaskSpec("pair", (2, 3), 4, second_shape=(3,))
    for to in ("pt2", "source"):
        checks = [spec.random_inputs(1), spec.random_inputs(5)]
        assert export_module(Both(), spec.random_inputs(2), tmp_path / f"a.{to}", to, checks=checks) < 1e-6  # type: ignore[arg-type]
