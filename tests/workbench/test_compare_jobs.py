"""What the strategies of a comparison are told beside their labels, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from gennas.cli.main import main
from gennas.errors import ConfigError
from gennas.graph import decision_labels
from gennas.report.comparison import columns_of
from gennas.spaces import MacroChain
from gennas.workbench.compare import run_comparison
from gennas.workbench.compare_jobs import _slug, jobs_of
from gennas.workbench.config import CompareConfig
from gennas.workbench.run import Run, open_run

CHAINS = {"max_depth": 2, "min_depth": 1, "widths": [4], "kernels": [3]}
BAYESIAN = "bayesian@pool_size=20@warm_start=4"


@pytest.fixture
def columns(frame: pd.DataFrame, tmp_path: Path) -> Path:
    """A column for the chains that says what their accuracy is."""
    path = tmp_path / "columns.csv"
    pd.DataFrame({"arch": frame["arch"], "known": frame["val_accuracy"], "other": 1.0}).to_csv(path, index=False)
    return path


@pytest.fixture
def settings(table: Path, tmp_path: Path) -> CompareConfig:
    """Two seeds of twelve evaluations of the chains."""
    return CompareConfig(
        space="macro-chain", space_option=CHAINS, table=str(table), strategies=f"random,{BAYESIAN}", seeds=2,
        budget=12, out=tmp_path / "c",
    )  # fmt: skip


def found_in(settings: CompareConfig, run: str) -> Path:
    return settings.out / "runs" / run


def test_each_strategy_is_told_what_it_has_a_use_for(settings: CompareConfig, columns: Path) -> None:
    names = f"random,{BAYESIAN},{BAYESIAN}@features=[],{BAYESIAN}@features=[other]"
    told = replace(settings, strategies=names, features="known", feature_table=columns, features_per_proposal=7)
    found = {job.strategy: job.search for job in jobs_of(told)}
    assert [search.features for search in found.values()] == [(), ("known",), (), ("other",)]
    assert [search.feature_table for search in found.values()] == [None, columns, None, columns]
    assert all("features" not in search.strategy_option for search in found.values())
    assert found[BAYESIAN].features_per_proposal == 7


def test_features_help_those_that_have_a_surrogate_and_the_others_say_so(
    settings: CompareConfig, frame: pd.DataFrame, columns: Path, tmp_path: Path
) -> None:
    names, order = f"random,{BAYESIAN},{BAYESIAN}@features=[]", np.random.default_rng(0).permutation(len(frame))
    table, values = tmp_path / "noise.csv", frame["val_accuracy"].to_numpy()[order]  # decisions say nothing of it
    frame.assign(val_accuracy=values).to_csv(table, index=False)
    pd.read_csv(columns).assign(known=values).to_csv(columns, index=False)
    told = replace(settings, strategies=names, seeds=4, table=str(table), features="known", feature_table=columns)
    found = run_comparison(told)
    last = found.curves.groupby(["strategy", "seed"], observed=True)["objective"].last().unstack(0)
    assert last[BAYESIAN].mean() > last[f"{BAYESIAN}@features=[]"].mean() + 0.02
    assert "random has no surrogate and runs without features." in found.notes
    assert not any(name.startswith("bayesian") and "no surrogate" in note for name in names for note in found.notes)
    assert "cost_s" not in found.summary  # columns of a table cost nothing


def test_seconds_of_features_are_in_its_tables(settings: CompareConfig) -> None:
    small = {"input_shape": [3, 8, 8], "batch_size": 4}
    told = replace(settings, features="nwot", feature_option=small, features_per_proposal=2, limit={"seconds": 1e4})
    found = run_comparison(told)
    summary = found.summary.set_index("strategy")
    assert summary.loc["random", "feature_s"] == 0 < summary.loc[BAYESIAN, "feature_s"]
    assert (summary["cost_s"] >= summary["feature_s"]).all()
    runs = [open_run(found_in(told, f"{BAYESIAN.replace('@', '_')}-{seed}")).summary() for seed in range(2)]
    assert summary.loc[BAYESIAN, "feature_s"] == pytest.approx(np.mean([run["feature_s"] for run in runs]))
    assert summary.loc[BAYESIAN, "cost_s"] == pytest.approx(np.mean([run["cost_s"] for run in runs]))
    assert [c.title for c in columns_of(found)][-2:] == ["seconds", "of features"]
    text = (told.out / "summary.md").read_text()
    assert "of features" in text and "ends when its trials have spent seconds=10000" in text
    assert "of features" in (told.out / "report.html").read_text()


def test_labels_of_other_runs_are_counted_apart(
    settings: CompareConfig, make_run: Callable[..., Run], tmp_path: Path
) -> None:
    other = make_run(budget=9, out=tmp_path / "other")
    found = run_comparison(replace(settings, warm_from=(str(other.directory),)))
    labels = found.summary.set_index("strategy")["labels_of_other_runs"]
    assert labels.to_dict() == {"random": 0, BAYESIAN: 9}
    assert columns_of(found)[-1].title == "other labels"
    assert sorted(cell.text for cell in columns_of(found)[-1].cells) == ["0", "9"]
    assert "random never learns from labels and has no use for --warm-from" in str(found.notes)
    first = found.curves[(found.curves["n_evals"] == 1) & (found.curves["strategy"] == BAYESIAN)]["objective"]
    assert first.tolist() == [other.best.metrics["val_accuracy"]] * 2  # instead of a random start


def test_a_prior_is_followed_by_every_run(settings: CompareConfig, tmp_path: Path, chains: MacroChain) -> None:
    decision = list(decision_labels(chains.schema, []))[1]
    label = chains.schema.label(1, int(np.flatnonzero(chains.schema.decision_mask[1])[-1]))
    prior = tmp_path / "prior.yaml"
    prior.write_text(yaml.safe_dump({decision: {label: 100}}))
    found = run_comparison(replace(settings, strategies="random", budget=5, prior=prior))
    archs = [t.arch for seed in range(2) for t in open_run(found_in(settings, f"random-{seed}")).result.trials]
    assert len(archs) == 10
    assert sum(chains.schema.label(1, int(arch.decisions[1])) == label for arch in archs) >= 8  # of three labels
    assert found.config["prior"] == str(prior)


def test_features_without_a_surrogate_are_refused(
    settings: CompareConfig, columns: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match=r"for strategies with a surrogate.*got random, local-search"):
        run_comparison(replace(settings, strategies="random,local-search", feature_table=columns))
    with pytest.raises(ConfigError, match=r"--features is for strategies with a surrogate.*random has none"):
        run_comparison(replace(settings, strategies="random@features=[nwot]"))
    assert main(["compare", "--features", "", "--out", str(settings.out)]) == 2
    assert "--features: expected names separated by commas, got ''" in capsys.readouterr().err
    assert not settings.out.exists()


MODEL = """
from gennas.models.llm import Answer, Reply, Usage
class Nobody:
    concurrency = 1
    def __init__(self, mood="calm"):
        self.name = f"nobody {mood}"
    def choose(self, state, questions):
        return [Answer.of([1.0] * len(q.options), Usage(5, 1)) for q in questions]
    def complete(self, messages, grammar=None, draw=0):
        return Reply("")
"""
SMALL = "warm_start=4@pool_size=20"
SOURCES = "generative@" + SMALL + "@shares={random: 0.6, llm: 0.4}"


@pytest.fixture
def model(tmp_path: Path) -> str:
    """A language model that knows nothing."""
    (tmp_path / "model.py").write_text(MODEL)
    return f"{tmp_path / 'model.py'}:Nobody"


def test_each_strategy_that_takes_one_is_given_the_language_model(settings: CompareConfig, model: str) -> None:
    names = "random,llm,state-sharing,generative,generative@model=null,llm@model=vllm:NAME"
    told = replace(settings, strategies=names, model=model, model_option={"mood": "merry"})
    found = {job.strategy: dict(job.search.strategy_option).get("model", "none") for job in jobs_of(told)}
    given = {"class": model, "mood": "merry"}
    assert list(found.values()) == ["none", given, given, given, None, "vllm:NAME"]
    assert CompareConfig.from_dict(told.to_dict()) == told
    short = replace(told, strategies="llm", model_option={})
    assert [job.search.strategy_option["model"] for job in jobs_of(short)] == [model, model]


def test_a_strategy_with_and_without_the_model_beside_every_control(settings: CompareConfig, model: str) -> None:
    controls = ["random", "biggest-first", "local-search", "regularized-evolution@population_size=4@sample_size=2",
                "cross-entropy"]  # fmt: skip
    without = f"generative@{SMALL}@shares={{random: 1}}@model=null"
    asked = [
        "llm@warm_start=4",
        SOURCES,
        "state-sharing@share=0.3@beside=bayesian@beside_option={warm_start: 4, pool_size: 20}",
    ]
    told = replace(settings, strategies=",".join([*controls, without, *asked]), model=model, seeds=1, budget=9)
    notes: list[str] = []
    found = run_comparison(told, on_note=notes.append)
    summary = found.summary.set_index("strategy")
    assert list(summary.index) == [*controls, without, *asked] and (summary["seeds"] == 1).all()
    assert (found.curves.groupby(["strategy", "seed"], observed=True)["n_evals"].last() == 9).all()
    own = dict[str, int]()
    for name in summary.index:
        run = open_run(next(found_in(told, "").glob(f"{_slug(name)}-0")))
        own[name] = sum(t.proposal.origin.source == "llm" for t in run.result.trials)
        assert (sum(t.cost.get("llm_tokens", 0.0) for t in run.result.trials) > 0) == (name in asked)
    assert all(own[name] == 0 for name in [*controls, without]) and own[asked[0]] == 5 and own[asked[2]] >= 1
    assert [note for note in notes if "language model" in note] == [
        f"{name} is given the language model {model}." for name in asked
    ]
    written = (told.out / "summary.md").read_text()
    assert all(name in written for name in ("biggest-first", "state-sharing", "model=null"))


def test_a_model_that_nobody_asks_is_refused(
    settings: CompareConfig, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match=r"--model is for strategies that ask a language model.*got random"):
        run_comparison(replace(settings, strategies="random", model=model))
    assert main(["compare", "--strategies", "llm", "--model-option", "x=1", "--out", str(settings.out)]) == 2
    assert "--model-option needs --model" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="Unknown option 'mod'"):
        run_comparison(replace(settings, strategies="llm", model=model, model_option={"mod": 1}))
    assert not settings.out.exists()
