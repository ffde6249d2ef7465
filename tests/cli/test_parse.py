"""Words become settings: flags over files, groups in the help."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gennas.cli.main import VERBS, main
from gennas.cli.parse import parse


def search(*words: str) -> object:
    return parse("search", VERBS["search"], words)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "c.yaml"
    path.write_text(
        "space: nasbench201\nspace_option: {num_cells: 2, width: 8}\nobjective: [val_accuracy:max, params:min]\n"
        "seed: 7\nasynchronous: true\nlimit: {seconds: 60}\n"
    )
    return str(path)


def test_a_file_comes_before_defaults(file: str) -> None:
    config = search("--config", file)
    assert (config.seed, config.budget, config.space_option) == (7, 100, {"num_cells": 2, "width": 8})
    assert config.asynchronous and config.limit == {"seconds": 60.0}


def test_flags_replace_what_the_file_says_repeatable_ones_too(file: str) -> None:
    config = search(
        "--config", file, "--objective", "flops:min", "--space-option", "num_cells=1", "--seed=3",
        "--no-asynchronous", "--limit", "seconds=1e3",
    )  # fmt: skip
    assert config.objective == ("flops:min",) and config.space_option == {"num_cells": 1}
    assert config.seed == 3 and not config.asynchronous and config.limit == {"seconds": 1000.0}


def test_a_flag_at_its_default_still_replaces(file: str) -> None:
    assert search("--seed", "0", "--config", file).seed == 0


def test_underscores_serve_as_dashes() -> None:
    assert search("--space_option", "num_cells=1").space_option == {"num_cells": 1}


def test_the_file_is_complained_about(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("budget: 0")
    from gennas.errors import ConfigError

    with pytest.raises(ConfigError, match="--budget: expected at least 1"):
        search("--config", str(tmp_path / "c.yaml"), "--budget", "5")


def test_names_and_aliases_of_flags() -> None:
    config = parse("train", VERBS["train"], ["--from", "runs/a", "--task", "digits"])
    assert config.source == Path("runs/a")
    assert parse("latency", VERBS["latency"], ["-n", "4"]).n == parse("latency", VERBS["latency"], ["--n", "4"]).n == 4


def test_first_words_need_no_flags() -> None:
    config = parse("list", VERBS["list"], ["strategies", "random"])
    assert (config.kind, config.name) == ("strategies", "random")
    assert parse("list", VERBS["list"], ["tasks"]).name == ""


GROUPS = [
    "space",
    "task",
    "evaluator",
    "goal",
    "training",
    "stopping",
    "fidelity",
    "strategy",
    "model",
    "feature",
    "knowledge",
    "execution",
    "continuation",
]
GROUPS += ["tracking"]


def help_of(verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_help_of_search_is_grouped(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    text = help_of("search", capsys, monkeypatch)
    groups = re.findall(r"^\W*(\w+) options\b\W*$", text, re.MULTILINE)
    assert groups == GROUPS
    assert max(map(len, text.splitlines())) <= 80
    assert "--config FILE" in text and "Search space: a name from" in text


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_every_flag(
    verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = " ".join(help_of(verb, capsys, monkeypatch).replace("│", " ").split())
    from dataclasses import fields

    from gennas.cli.parse import _docs

    docs = _docs(VERBS[verb].settings)
    for field in fields(VERBS[verb].settings):
        assert docs[field.name], f"{verb}: {field.name} has no docstring"
        assert docs[field.name].split(".")[0][:30] in text


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (["search", "--space-option", "num_cell=1"], "num_cells"),
        (["search", "--task-option", "downlod=true", "--task", "mnist", "--evaluator", "train"], "download"),
        (
            ["search", "--strategy", "regularized-evolution", "--strategy-option", "population_sise=3"],
            "population_size",
        ),
        (["search", "--train-option", "lrr=0.1", "--task", "digits"], "lr"),
        (["search", "--measure", "ece", "--measure-option", "exmples=3", "--task", "digits"], "examples"),
        (["search", "--proxy", "params", "--objective", "params:min", "--proxy-option", "batchsize=3"], "batch_size"),
        (["compare", "--strategies", "regularized-evolution@sample_sise=3"], "sample_size"),
        (["train", "x", "--train-option", "momentun=0.1"], None),
        (["sample", "--space", "macro-chain", "--space-option", "maxdepth=3"], "max_depth"),
        (["proxies", "score", "--protocol", "initialization=kaiming"], "initialisation"),
        (["latency", "--space-option", "num_cell=1"], "num_cells"),
        (["show", "x", "--space-option", "num_cell=1"], "num_cells"),
        (["train-generator", "--space", "nasbench201", "--generator-option", "dimm=8"], "dim"),
        (["train-generator", "--space", "nasbench201", "--space-option", "num_cell=8"], "num_cells"),
    ],
)
def test_a_typo_in_an_option_of_any_verb(
    words: list[str],
    near: str | None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    out = ["--out", str(tmp_path / "out.txt")] if words[0] in ("sample", "show") else []
    assert main([*words, *out]) == 2
    *before, error = capsys.readouterr().err.strip().splitlines()
    assert error.startswith("gennas: ") and not any(line.startswith(("gennas", "Traceback")) for line in before)
    if near is not None:
        assert "Unknown option" in error and f"Did you mean {near}?" in error and "Options:" in error
    assert not list(tmp_path.iterdir())
