"""Tables that hold a part of their space."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gennas.cli.main import main
from gennas.spaces import NASBench201
from gennas.workbench.compare import run_comparison
from gennas.workbench.config import CompareConfig, ProblemConfig, SearchConfig
from gennas.workbench.problem import make_problem
from gennas.workbench.run import run_search


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    space, rng = NASBench201(), np.random.default_rng(3)
    archs = space.sample(600, rng).unique()[:500]
    lines = [
        f"{space.to_text(a)},{v:.4f},{c:.4f}" for a, v, c in zip(archs, rng.random(500), rng.random(500), strict=True)
    ]
    file = tmp_path_factory.mktemp("partial") / "part.csv"
    file.write_text("arch,acc,ms\n" + "\n".join(lines) + "\n")
    return file


@pytest.mark.parametrize(
    "strategy",
    [
        "random", "local-search", "regularized-evolution", "nsga2", "bayesian", "generative", "generative-evolution",
        "diffusion-rl",
    ],
)  # fmt: skip
def test_no_label_is_bought_for_a_row_that_is_not_there(table: Path, tmp_path: Path, strategy: str) -> None:
    objective = ("acc:max", "ms:min") if strategy == "nsga2" else ("acc:max",)

    def run(out: str):
        config = SearchConfig(
            table=str(table), objective=objective, strategy=strategy, budget=60, seed=1, out=tmp_path / out
        )
        return run_search(config, report=False)

    found = run("a")
    assert [t.status for t in found.result.trials] == ["ok"] * 60
    assert len({t.arch.key for t in found.result.trials}) == 60
    assert [t.arch.key for t in run("b").result.trials] == [t.arch.key for t in found.result.trials]


def test_a_search_goes_on_with_what_was_enqueued_from_outside(table: Path, tmp_path: Path) -> None:
    space = NASBench201()
    outside = [a for a in space.sample(50, np.random.default_rng(9)) if a not in make_problem(config(table)).table]
    (tmp_path / "more.txt").write_text("\n".join(space.to_text(a) for a in outside[:3]))
    for budget in (20, 40):
        run = run_search(
            SearchConfig(
                table=str(table), objective=("acc",), strategy="local-search", budget=budget, out=tmp_path / "run",
                enqueue=tmp_path / "more.txt",
            ),
            report=False,
        )  # fmt: skip
        assert [t.status for t in run.result.trials] == ["failed"] * 3 + ["ok"] * (budget - 3)


def config(table: Path) -> ProblemConfig:
    return ProblemConfig(table=str(table), objective=("acc",))


def test_a_search_ends_when_the_rows_are_spent(table: Path, tmp_path: Path) -> None:
    few = tmp_path / "few.csv"
    few.write_text("\n".join(table.read_text().splitlines()[:13]) + "\n")
    run = run_search(
        SearchConfig(table=str(few), objective=("acc",), strategy="local-search", budget=50, out=tmp_path / "r"),
        report=False,
    )
    assert run.result.n_evals == 12 and run.result.stopped == "exhausted"
    assert run.best.metrics["acc"] == run.problem.optimum


def test_coverage_is_said(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = "part.csv holds 500 architectures, 3.20% of the space: the search stays among them."
    assert make_problem(config(table)).notes == [said]
    words = ["--table", str(table), "--objective", "acc", "--strategy", "random", "--budget", "3"]
    assert main(["search", *words, "--out", str(tmp_path / "run")]) == 0
    assert said in capsys.readouterr().out
    notes: list[str] = []
    compared = run_comparison(
        CompareConfig(
            table=str(table),
            objective=("acc",),
            strategies="random,local-search",
            seeds=1,
            budget=4,
            out=tmp_path / "c",
        ),
        on_note=notes.append,
    )
    assert said in notes and said in compared.notes


def test_duplicates_are_a_setting_that_changes_no_identity_by_default(tmp_path: Path) -> None:
    space = NASBench201()
    text = space.to_text(space.sample(1, np.random.default_rng(0))[0])
    (tmp_path / "t.csv").write_text(f"arch,acc\n{text},0.25\n{text},0.5\n")
    one = ProblemConfig(table=str(tmp_path / "t.csv"), objective=("acc",))
    first = ProblemConfig(table=str(tmp_path / "t.csv"), objective=("acc",), table_duplicates="first")
    assert (make_problem(one).optimum, make_problem(first).optimum) == (0.375, 0.25)
    assert "table_duplicates" not in one.identity() and first.identity()["table_duplicates"] == "first"


@pytest.mark.parametrize(("objective", "is_said"), [("test_accuracy", True), ("val_accuracy", False)])
def test_optimising_the_test_split_is_said(objective: str, is_said: bool) -> None:
    notes = make_problem(ProblemConfig(space="nasbench-graph", task="cora", objective=(objective,))).notes
    assert (
        notes
        == [f"{objective} is of the test split and is optimised: what is found looks better than it is."] * is_said
    )


def test_an_export_into_a_folder_that_is_not_there_is_refused(table: Path, tmp_path: Path) -> None:
    run_search(
        SearchConfig(table=str(table), objective=("acc",), strategy="random", budget=2, out=tmp_path / "r"),
        report=False,
    )
    assert main(["report", str(tmp_path / "r"), "--export", str(tmp_path / "none" / "t.csv")]) == 2
