"""Equal-budget comparison."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.stats import friedmanchisquare

from gennas.cli.main import main
from gennas.graph import Population
from gennas.search import Objective, Objectives, Origin, Proposal, Trial
from gennas.spaces import NASBench201
from gennas.workbench.compare import compare, incumbent_curve
from gennas.workbench.config import CompareConfig

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
    assert all(np.isnan(p.seconds) for p in curve)


def test_seconds_are_those_of_all_trials_so_far() -> None:
    arch = NASBench201().sample(1, np.random.default_rng(0))[0]
    trials = [
        Trial(Proposal(arch, Origin("test")), "ok", {"val": 0.5}, {"seconds": 2.0}),
        Trial(Proposal(arch, Origin("test")), "failed", {}, {"seconds": 3.0}),
        Trial(Proposal(arch, Origin("test")), "ok", {"val": 0.6}, {"seconds": 1.5}),
        Trial(Proposal(arch, Origin("test")), "ok", {"val": 0.1}, {"seconds": 1.0}),
    ]
    curve = incumbent_curve(trials, Objectives((Objective("val"),)), None)
    assert [(p.n_evals, p.seconds) for p in curve] == [(1, 2.0), (3, 6.5), (4, 7.5)]


def test_files_and_continuing(tmp_path: Path, capsys) -> None:
    out = tmp_path / "c"
    names = "random,regularized-evolution@population_size=10@sample_size=4"
    assert main([*COMMAND, "--strategies", names, "--seeds", "3", "--out", str(out)]) == 0
    curves, summary = pd.read_csv(out / "curves.csv"), pd.read_csv(out / "summary.csv")
    assert curves.columns.tolist() == ["strategy", "seed", "n_evals", "objective", "report", "seconds"]
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
    one, two = (pd.read_csv(tmp_path / w / "curves.csv").drop(columns="seconds") for w in "12")
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


def test_three_strategies_give_what_a_paper_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "c"
    names = ["random", "local-search", "regularized-evolution@population_size=8"]
    assert main([*COMMAND, "--strategies", ",".join(names), "--seeds", "6", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert (out / "curves.pdf").read_bytes().startswith(b"%PDF") and b"/Type3" not in (out / "curves.pdf").read_bytes()
    assert "<svg" in (out / "curves.svg").read_text() and (out / "curves.png").stat().st_size > 10_000
    latex, markdown, page = ((out / f).read_text() for f in ("summary.tex", "summary.md", "report.html"))
    assert r"\toprule" in latex and r"regularized-evolution@population\_size=8" in latex and latex.count(r"\\") == 4
    assert (
        "Friedman p = " in latex and "Friedman p = " in markdown and "Friedman p = " in page and "Friedman p" in shown
    )
    statistics, tests = pd.read_csv(out / "statistics.csv"), pd.read_csv(out / "tests.csv")
    last = pd.read_csv(out / "curves.csv").groupby(["seed", "strategy"])["objective"].last().unstack()[names]
    found = statistics[statistics["measure"] == "val_accuracy"].set_index("strategy")
    assert found["mean"].tolist() == pytest.approx(last.mean().tolist())
    first = tests[(tests["measure"] == "val_accuracy") & (tests["test"] == "friedman")]
    if not np.isclose(last.to_numpy(), last.to_numpy()[:, :1]).all():
        assert first["p"].iloc[0] == pytest.approx(friedmanchisquare(*last.to_numpy().T).pvalue)
    assert len(tests[(tests["measure"] == "val_accuracy") & (tests["test"] == "wilcoxon")]) == 3
    spent = statistics[statistics["measure"] == "evaluations"].set_index("strategy")
    summary = pd.read_csv(out / "summary.csv").set_index("strategy")
    for name in names:
        share, runs = summary["optimum_share"][name], 6
        reached = 0.0 if share == 0 else share * runs * summary["evals_to_optimum_mean"][name]
        assert spent["mean"][name] == pytest.approx((reached + (1 - share) * runs * 41) / runs)


def test_the_table_fits_a_terminal_of_80_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    names = "random,regularized-evolution@population_size=8@sample_size=3"
    assert main([*COMMAND, "--strategies", names, "--seeds", "2", "--out", str(tmp_path / "c")]) == 0
    lines = capsys.readouterr().out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("Equal budget: 40 evaluations, 2 seeds"))
    end = next(i for i, line in enumerate(lines) if line.startswith("Mean ± standard deviation"))
    assert all(len(line) <= 80 for line in lines[start:end])
    row = next(line for line in lines[start:end] if line.split()[:1] == ["random"])
    assert all("±" in row.split()[i] for i in (1, 3, 5)) and row.split()[4].endswith("%")
    assert "2 seeds cannot tell the pair apart (p is 0.5 at least); 6 can." in "\n".join(lines)


def test_seconds_get_a_figure_where_evaluations_take_time(tmp_path: Path) -> None:
    command = ["compare", "--space", "macro-chain", "--proxy", "synflow", "--strategies", "random", "--budget", "3"]
    assert main([*command, "--seeds", "1", "--objective", "synflow:max", "--out", str(tmp_path / "c")]) == 0
    assert {p.name for p in (tmp_path / "c").glob("curves*.*")} == {
        "curves.csv", "curves.png", "curves.svg", "curves.pdf",
        "curves_seconds.png", "curves_seconds.svg", "curves_seconds.pdf",
    }  # fmt: skip
    assert (pd.read_csv(tmp_path / "c" / "curves.csv")["seconds"] > 0).all()


def test_a_strategy_that_cannot_learn_is_said_everywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "c"
    assert main([*COMMAND, "--strategies", "random,nsga2@population_size=40", "--seeds", "1", "--out", str(out)]) == 0
    words = "nsga2@population_size=40 cannot differ from random search here: its first 40 proposals"
    assert words in " ".join(capsys.readouterr().out.split())
    summary = pd.read_csv(out / "summary.csv")
    assert summary["note"].isna().tolist() == [True, False] and words in summary["note"][1]
    assert words in (out / "summary.md").read_text() and words in (out / "report.html").read_text()
    curves = pd.read_csv(out / "curves.csv")
    random, nsga2 = (group.drop(columns=["strategy", "seconds"]) for _, group in curves.groupby("strategy"))
    assert random.to_numpy().tolist() == nsga2.to_numpy().tolist()  # indeed


def test_a_small_budget_gets_a_small_population(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "c"
    command = [*COMMAND, "--strategies", "regularized-evolution", "--out", str(out)]
    assert main([*command, "--seeds", "1"]) == 0
    assert "runs with population_size=10, which suits a small budget" in " ".join(capsys.readouterr().out.split())
    assert main([*command, "--seeds", "2"]) == 0
    for seed in "01":
        kept = yaml.safe_load((out / "runs" / f"regularized-evolution-{seed}" / "config.yaml").read_text())
        assert kept["strategy_option"] == {"population_size": 10}
    assert len(pd.read_csv(out / "summary.csv")) == 1


def test_runs_that_were_begun_keep_their_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "c"
    begun = ["search", *COMMAND[1:], "--strategy", "regularized-evolution", "--seed", "0"]
    assert main([*begun, "--out", str(out / "runs" / "regularized-evolution-0")]) == 0  # as version 0.1.0 did
    assert main([*COMMAND, "--strategies", "regularized-evolution", "--seeds", "2", "--out", str(out)]) == 0
    kept = yaml.safe_load((out / "runs" / "regularized-evolution-1" / "config.yaml").read_text())
    assert kept["strategy_option"] == {}
    assert "cannot differ from random search" in " ".join(capsys.readouterr().out.split())


def test_a_strategy_that_finds_nothing_feasible_is_left_out_of_the_tests(tmp_path: Path) -> None:
    space = NASBench201()
    archs = Population.from_decisions(space.schema, np.stack(np.meshgrid(*[np.arange(5)] * 6), -1).reshape(-1, 6))
    lines = [f"{space.to_text(a)},{(a.decisions == 3).sum()},{(a.decisions == 0).sum()}" for a in archs]
    (tmp_path / "t.csv").write_text("\n".join(["arch,score,zeros", *lines]))
    command = ["compare", "--space", "nasbench201", "--table", str(tmp_path / "t.csv"), "--objective", "score:max"]
    command += ["--constraint", "zeros>=4", "--strategies", "local-search,random", "--budget", "12", "--seeds", "4"]
    out = tmp_path / "c"
    assert main([*command, "--out", str(out)]) == 0
    summary, statistics = pd.read_csv(out / "summary.csv"), pd.read_csv(out / "statistics.csv")
    runs = statistics[statistics["measure"] == "score"].set_index("strategy")["runs"]
    assert (summary.set_index("strategy")["feasible_share"] * 4 == runs).all() and runs.min() < 4
    never = [*command[:-4], "--budget", "1", "--seeds", "1", "--constraint", "zeros>=6"]
    assert main([*never, "--out", str(tmp_path / "never")]) == 2


def test_a_language_model_stands_beside_the_same_strategy_without_it(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from gennas.models.llm import Answer, Reply\n"
        "class Nobody:\n"
        "    name, concurrency = 'nobody', 1\n"
        "    def choose(self, state, questions):\n"
        "        return [Answer.of([1.0] * len(q.options)) for q in questions]\n"
        "    def complete(self, messages, grammar=None, draw=0):\n"
        "        return Reply('')\n"
        "def score(arch):\n"
        "    return float(arch.decisions.sum())\n"
    )
    beside = "generative@shares={mutation: 1}@pool_size=30"
    with_model = f"generative@shares={{mutation: 0.8, llm: 0.2}}@pool_size=30@model={tmp_path / 'mine.py'}:Nobody"
    names = ["random", f"llm@model={tmp_path / 'mine.py'}:Nobody", beside, with_model]
    config = CompareConfig(
        strategies=names, space="nasbench201", evaluator=f"{tmp_path / 'mine.py'}:score", budget=14, seeds=2,
        out=tmp_path / "c",
    )  # fmt: skip
    summary = compare(config)
    assert [str(name) for name in summary["strategy"]] == names
