"""Proxies from settings, and a search that maximises one."""

from __future__ import annotations

import json
import math
import pickle
from pathlib import Path

import pytest

from gennas.cli import main
from gennas.config import ProblemConfig, SearchConfig
from gennas.errors import ConfigError, UnknownNameError
from gennas.eval.base import FULL_FIDELITY, Fidelity
from gennas.problem import make_problem
from gennas.scoring import make_proxy_evaluator
from gennas.spaces import MacroChain
from gennas.training import make_task

SPACE = MacroChain(max_depth=2, min_depth=1, kernels=(3,), widths=(8, 16))


def test_a_search_maximises_a_proxy_within_a_bound(tmp_path: Path) -> None:
    flags = ["--space", "macro-chain", "--space-option", "max_depth=2", "--strategy", "random", "--budget", "8"]
    proxy = ["--proxy", "synflow,params", "--proxy-option", "input_shape=[3,8,8]", "--objective", "synflow"]
    code = main(["search", *flags, *proxy, "--constraint", "params<=20000", "--out", str(tmp_path / "run")])
    best = json.loads((tmp_path / "run" / "summary.json").read_text())["best"]
    assert code == 0 and best["metrics"]["params"] <= 20000 and math.isfinite(best["metrics"]["synflow"])


def test_the_task_gives_shape_classes_and_batch() -> None:
    evaluator = make_proxy_evaluator(SPACE, ["params"], make_task("digits"), batch_size=12)
    assert (evaluator.settings.batch, evaluator.settings.input_shape) == ("digits", (1, 8, 8))
    assert evaluator.batch.inputs[0].shape == (12, 1, 8, 8) and len(evaluator.batch.second.labels) == 12
    arch = SPACE.from_text("conv3x3-w8-s1")
    # stem 1*8*9 + 16, layer 8*8*9 + 16, head 16, classifier 8*10 + 10
    assert evaluator.evaluate(arch, FULL_FIDELITY, 0) == {"params": 72 + 16 + 576 + 16 + 16 + 90}


def test_the_same_in_every_process_whatever_the_trial_seed() -> None:
    evaluator = make_proxy_evaluator(SPACE, ["synflow"], None, input_shape=(3, 8, 8))
    arch = SPACE.from_text("conv3x3-w8-s1/separable3x3-w16-s2")
    again = pickle.loads(pickle.dumps(evaluator))
    assert evaluator.evaluate(arch, FULL_FIDELITY, 0) == again.evaluate(arch, FULL_FIDELITY, 99)


def test_metrics_have_directions() -> None:
    problem = make_problem(ProblemConfig(space="macro-chain", proxy="logsynflow,params", objective=("logsynflow",)))
    assert [str(o) for o in problem.objectives.objectives] == ["logsynflow:max"]
    assert problem.evaluator.metrics["params"].direction == "min" and problem.evaluator.cost_class == "cheap"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"proxy": "params"}, "--objective"),
        ({"proxy": "params", "table": "t.csv"}, "alone"),
        ({"proxy": "params", "proxy_option": ("batchsize=3",)}, "batchsize"),
        ({"proxy": "params", "proxy_option": ("batch=digits",)}, "--task"),
        ({"proxy": " ,"}, "at least one"),
        ({"proxy": "params", "proxy_option": ("device=cuda:99",)}, "CUDA"),
        ({"proxy": "params", "proxy_option": ("batch_size=0",)}, "batch_size"),
    ],
)
def test_wrong_settings(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_problem(ProblemConfig(space="macro-chain", **settings))


def test_unknown_proxy_and_low_fidelity() -> None:
    with pytest.raises(UnknownNameError, match="synflow"):
        make_proxy_evaluator(SPACE, ["sinflow"])
    with pytest.raises(ConfigError, match="fidelity"):
        make_proxy_evaluator(SPACE, ["params"]).evaluate(SPACE.from_text("conv3x3-w8-s1"), Fidelity(epochs=1), 0)


def test_runs_without_proxies_keep_their_identity() -> None:
    assert "proxy" not in SearchConfig().identity()
    assert SearchConfig(proxy="params").config_hash != SearchConfig().config_hash
