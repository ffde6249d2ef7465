"""Proxies from settings, and a search that maximises one."""

from __future__ import annotations

import json
import math
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from gennas.cli.main import main
from gennas.errors import ConfigError, UnknownNameError
from gennas.eval.base import FULL_FIDELITY, Fidelity
from gennas.spaces import MacroChain
from gennas.training import make_task
from gennas.workbench.config import ProblemConfig, SearchConfig
from gennas.workbench.problem import make_problem
from gennas.workbench.run import open_run
from gennas.workbench.score import PopulationScores, make_proxy_evaluator, score_population

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


def test_a_population_through_executors_and_cache(tmp_path: Path) -> None:
    archs = list(SPACE.sample(5, np.random.default_rng(0)))
    archs.append(archs[0])
    settings = {"input_shape": (3, 8, 8), "batch_size": 4}
    names = ["aznas", "synflow", "params"]
    first = score_population(SPACE, archs[:3], names, cache=tmp_path / "c.sqlite", **settings)
    both = score_population(SPACE, archs, names, cache=tmp_path / "c.sqlite", **settings)
    assert both.cached == len({a.key for a in archs[:3]}) + 1 and not both.errors
    fresh = score_population(SPACE, archs, names, executor="process", workers=1, **settings)
    assert fresh.cached == 0
    for name, column in both.columns.items():
        assert column == pytest.approx(fresh.columns[name], rel=1e-6)
    assert first.columns["synflow"] == pytest.approx(both.columns["synflow"][:3])
    parts = [both.columns[f"az_{part}"] for part in ("expressivity", "progressivity", "trainability", "complexity")]
    assert both.columns["aznas"] == pytest.approx(sum(np.log(rankdata(p) / 6) for p in parts))
    other = score_population(SPACE, archs, ["params"], cache=tmp_path / "c.sqlite", **settings, seed=1)
    assert other.cached == 0
    pooled = PopulationScores.pool([first, both])
    assert len(pooled.keys) == 9 and "aznas" not in pooled.columns
    with pytest.raises(ConfigError, match="never pooled"):
        PopulationScores.pool([both, other])


def test_a_proxy_that_fails_spoils_no_other() -> None:
    archs = list(SPACE.sample(2, np.random.default_rng(0)))
    settings = {"input_shape": (3, 8, 8), "batch_size": 1}
    scores = score_population(SPACE, archs, ["jacov", "params", "dss", "grad_norm"], **settings)
    alone = score_population(SPACE, archs, ["params", "grad_norm"], **settings)
    assert np.isnan(scores.columns["jacov"]).all() and np.isnan(scores.columns["dss"]).all()
    for name in ("params", "grad_norm"):
        assert np.isfinite(scores.columns[name]).all()
        assert scores.columns[name].tolist() == alone.columns[name].tolist()
    assert "two or more" in scores.errors[0] and "no attention" in scores.errors[0] and not alone.errors


def test_networks_that_no_proxy_can_score_say_why() -> None:
    archs = list(SPACE.sample(2, np.random.default_rng(0)))
    scores = score_population(SPACE, archs, ["jacov"], input_shape=(3, 8, 8), batch_size=1)
    assert np.isnan(scores.columns["jacov"]).all() and "two or more" in scores.errors[0]


def test_only_proxies_that_goals_use_fail_a_trial(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["search", "--space", "macro-chain", "--space-option", "max_depth=2", "--proxy", "params,dss"]
    flags += ["--proxy-option", "input_shape=[3,8,8]", "--budget", "3", "--strategy", "random"]
    assert main([*flags, "--objective", "params:min", "--out", str(tmp_path / "a")]) == 0
    frame = open_run(tmp_path / "a").trials()
    assert set(frame["status"]) == {"ok"} and "dss" not in frame and frame["params"].notna().all()
    assert frame["error"].str.contains("no attention").all()
    assert main([*flags, "--objective", "params:min", "--constraint", "dss>=0", "--out", str(tmp_path / "b")]) == 2
    assert "no attention" in capsys.readouterr().err  # told before the budget is touched


def test_the_command_line_lists_and_scores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["proxies", "list"]) == 0
    assert "logsynflow" in capsys.readouterr().out
    flags = ["--space", "macro-chain", "--n", "3", "--proxies", "params,synflow", "--protocol", "input_shape=[3,8,8]"]
    assert main(["proxies", "score", *flags, "--out", str(tmp_path / "s.csv")]) == 0
    frame = pd.read_csv(tmp_path / "s.csv")
    assert list(frame.columns) == ["arch", "key", "params", "synflow", "protocol"] and len(frame) == 3
    assert main(["proxies", "score", *flags, "--protocol", "device=cuda:9"]) == 2
    assert "CUDA" in capsys.readouterr().err


def test_a_population_proxy_cannot_be_searched() -> None:
    with pytest.raises(ConfigError, match="population"):
        make_proxy_evaluator(SPACE, ["aznas"])
