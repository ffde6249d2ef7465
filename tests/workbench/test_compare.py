"""Equal-budget comparison."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gennas.cli.main import main
from gennas.graph import Population
from gennas.search import Objective, Objectives, Origin, Proposal, Trial
from gennas.spaces import NASBench201
from gennas.workbench.compare import incumbent_curve

COMMAND = ["compare", "--space", "nasbench-graph", "--task", "cora", "--budget", "40", "--report", "test_accuracy"]


def test_curve_by_hand() -> None:
    arch = NASBench201().sample(1, np.random.default_rng(0))[0]
    values = [(0.5, 0.1), None, (0.4, 0.9), (0.7, 0.2), (0.7, 0.3), (0.6, 0.8)]
    trials = [
        Trial(Proposal(arch, Origin("test")), "failed")
        if v is None
        else Trial(Proposal(arch, Origin("test")), "ok", {"val": v[0], "test": v[1]})
        for v in values
    ]
    curve = incumbent_curve(trials, Objectives((Objective("val"),)), "test")
    assert [(p.n_evals, p.objective, p.report) for p in curve] == [(1, 0.5, 0.1), (4, 0.7, 0.2), (6, 0.7, 0.2)]


def test_files_and_continuing(tmp_path: Path, capsys) -> None:
    out = tmp_path / "c"
    names = "random,regularized-evolution@population_size=10@sample_size=4"
    assert main([*COMMAND, "--strategies", names, "--seeds", "3", "--out", str(out)]) == 0
    curves, summary = pd.read_csv(out / "curves.csv"), pd.read_csv(out / "summary.csv")
    assert curves.columns.tolist() == ["strategy", "seed", "n_evals", "objective", "report"]
    assert set(curves["strategy"]) == set(names.split(",")) and set(curves["seed"]) == {0, 1, 2}
    for _, run in curves.groupby(["strategy", "seed"]):
        assert run["n_evals"].is_monotonic_increasing and run["n_evals"].iloc[-1] == 40
        assert run["objective"].is_monotonic_increasing
    last = curves.groupby(["strategy", "seed"]).last().reset_index()
    for _, row in summary.iterrows():
        final = last[last["strategy"] == row["strategy"]]
        assert row["objective_mean"] == pytest.approx(final["objective"].mean())
        assert row["report_std"] == pytest.approx(final["report"].std())
        assert 0 <= row["optimum_share"] <= 1 and row["seeds"] == 3
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    stamp = {p: p.stat().st_mtime_ns for p in out.glob("runs/*/config.yaml")}
    assert main([*COMMAND, "--strategies", names, "--seeds", "4", "--out", str(out)]) == 0
    again = pd.read_csv(out / "curves.csv")
    pd.testing.assert_frame_equal(again[again["seed"] < 3].reset_index(drop=True), curves)
    assert all(p.stat().st_mtime_ns == t for p, t in stamp.items())
    capsys.readouterr()
    assert main([*COMMAND, "--strategies", names, "--seeds", "3", "--epochs", "2", "--out", str(out)]) == 2
    for budget in (45, 40):  # more budget goes on; less looks at the first part
        assert main([*COMMAND, "--strategies", names, "--seeds", "3", "--budget", str(budget), "--out", str(out)]) == 0
        found = pd.read_csv(out / "curves.csv")
        assert set(found.groupby(["strategy", "seed"])["n_evals"].last()) == {budget}
    pd.testing.assert_frame_equal(found, curves)


def test_side_by_side_gives_the_same_curves(tmp_path: Path) -> None:
    for workers in ("1", "2"):
        command = [*COMMAND, "--strategies", "random,local-search", "--seeds", "2", "--workers", workers]
        assert main([*command, "--out", str(tmp_path / workers)]) == 0
    one, two = (pd.read_csv(tmp_path / w / "curves.csv") for w in "12")
    pd.testing.assert_frame_equal(one, two)


@pytest.mark.parametrize("strategies", ["", "random,random", "random,nope", "local-search@size=3"])
def test_bad_strategies(strategies: str, tmp_path: Path, capsys) -> None:
    assert main([*COMMAND, "--strategies", strategies, "--out", str(tmp_path / "c")]) == 2
    assert capsys.readouterr().err.startswith("gennas: ") and not (tmp_path / "c").exists()


def test_stopping_at_the_optimum_tells_the_same_sooner(tmp_path: Path) -> None:
    space = NASBench201()
    grid = np.stack(np.meshgrid(*[np.arange(5)] * 6, indexing="ij"), -1).reshape(-1, 6)
    archs = Population.from_decisions(space.schema, grid)
    lines = [f"{space.to_text(a)},{-(a.decisions == 0).sum()}" for a in archs]
    (tmp_path / "easy.csv").write_text("\n".join(["arch,score", *lines]))
    command = ["compare", "--space", "nasbench201", "--table", str(tmp_path / "easy.csv"), "--objective", "score:max"]
    command += ["--strategies", "random", "--seeds", "3", "--budget", "50"]
    rows = []
    for name, extra in (("full", []), ("stopped", ["--stop-at-optimum"])):
        assert main([*command, *extra, "--out", str(tmp_path / name)]) == 0
        summary = pd.read_csv(tmp_path / name / "summary.csv")
        rows.append(summary[["optimum_share", "evals_to_optimum_mean", "objective_mean"]].iloc[0].tolist())
    assert rows[0] == rows[1] and rows[0][0] == 1
    stopped = pd.read_csv(tmp_path / "stopped" / "curves.csv").groupby("seed")["n_evals"].last()
    assert stopped.max() < 50


def test_hypervolume_of_several_objectives(tmp_path: Path, capsys) -> None:
    space = NASBench201()
    archs = Population.from_decisions(space.schema, np.stack(np.meshgrid(*[np.arange(5)] * 6), -1).reshape(-1, 6))
    lines = [f"{space.to_text(a)},{(a.decisions == 3).sum()},{(a.decisions != 0).sum()}" for a in archs]
    (tmp_path / "two.csv").write_text("\n".join(["arch,score,cost_ms", *lines]))
    goals = ["--objective", "score:max", "--objective", "cost_ms:min"]
    command = ["compare", "--space", "nasbench201", "--table", str(tmp_path / "two.csv"), *goals]
    out = tmp_path / "c"
    assert main([*command, "--strategies", "random,nsga2", "--budget", "30", "--seeds", "2", "--out", str(out)]) == 0
    assert "hypervolume" in capsys.readouterr().out
    volumes, summary = pd.read_csv(out / "hypervolume.csv"), pd.read_csv(out / "summary.csv")
    for (strategy, _), group in volumes.groupby(["strategy", "seed"]):
        assert group["hypervolume"].is_monotonic_increasing and group["hypervolume"].between(0, 1).all()
        assert strategy in summary["strategy"].tolist()
    last = volumes.groupby(["strategy", "seed"])["hypervolume"].last().groupby("strategy").mean()
    for _, row in summary.iterrows():
        assert row["hypervolume_mean"] == pytest.approx(last[row["strategy"]])
