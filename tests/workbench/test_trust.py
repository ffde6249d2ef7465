"""Reading somebody's run directory executes nothing of theirs, in any verb and any setting that may name code."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from gennas.cli.main import main
from gennas.errors import ConfigError
from gennas.runtime.seal import _key
from gennas.search import Archive
from gennas.workbench.directory import read_config
from gennas.workbench.run import Run, read_run
from gennas.workbench.trust import code_names

Maker = Callable[..., Run]

EVIL = """
from pathlib import Path
Path({mark!r}).write_text("executed")
from gennas.spaces import MacroChain as Space
from gennas.training import make_task
def task(**options): return make_task("digits")
def score(arch, **options): return 0.5
class Strategy: ...
class Proxy: ...
def table(space): ...
"""
# Every setting of a search that may hold an import path, in its value or deep in its options.
SETTINGS: list[dict[str, Any]] = [
    {"space": "{file}:Space"},
    {"task": "{file}:task"},
    {"task": "os:system", "task_option": {"command": "touch {mark}"}},
    {"evaluator": "{file}:score"},
    {"evaluator": "evil:score"},
    {"strategy": "{file}:Strategy"},
    {"proxy": "synflow,{file}:Proxy", "table": None},
    {"table": "{file}:table"},
    {"measure": "ece,{file}:Proxy", "table": None},
    {"space_option": {"max_depth": "{file}:Space"}},
    {"task_option": {"a": ["{file}:task"]}, "task": "digits", "table": None},
    {"train_option": {"optimizer": "{file}:task"}},
    {"proxy_option": {"batch": "{file}:task"}},
    {"measure_option": {"a": {"b": "{file}:task"}}},
    {"evaluator_option": {"a": "{file}:task"}},
    {"strategy": "generative", "strategy_option": {"shares": {"{file}:Source": 1}}},
    {"strategy": "generative", "strategy_option": ["shares={{{file}:Source: 1}}"]},
]
VERBS: list[list[str]] = [
    ["report", "{run}"],
    ["report", "{run}", "--track", "wandb"],
    ["train", "--from", "{run}", "--epochs", "1"],
    ["export", "--from", "{run}", "--to", "source", "--out", "net.py"],
    ["transfer", "{run}", "--tasks", "digits", "--epochs", "1", "--top", "1", "--seeds", "1"],
    ["train-generator", "--archive", "{run}", "--out", "gen", "--pretrain-steps", "1", "--steps", "1"],
]


@pytest.fixture
def evil(make_run: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A run directory, and the hostile file beside it, of somebody else; the current directory is the run's."""
    made = make_run(report=False)
    run, space = made.directory, made.problem.space
    file, mark = run / "evil.py", tmp_path / "mark"
    file.write_text(EVIL.format(mark=str(mark)))

    def filled(value: Any) -> Any:
        if isinstance(value, str):
            return value.format(file=str(file), mark=str(mark))
        if isinstance(value, dict):
            return {filled(k): filled(v) for k, v in value.items()}
        return [filled(v) for v in value] if isinstance(value, list) else value

    def make(changes: dict[str, Any], place: str) -> Path:
        settings = {**yaml.safe_load((run / "config.yaml").read_text()), **filled(changes)}
        archive = Archive(run / "archive.sqlite", space)
        if place == "archive":
            del settings["version"]
            archive.set_meta("config", json.dumps(settings))
        else:  # of version 0.1.0
            archive.drop_meta("config")
            (run / "config.yaml").write_text(yaml.safe_dump(settings))
        archive.close()
        monkeypatch.chdir(run)
        return run

    return make


@pytest.mark.parametrize("changes", SETTINGS, ids=lambda c: "-".join(c))
def test_no_setting_of_a_foreign_run_executes_anything(
    changes: dict[str, Any], evil: Callable[..., Path], tmp_path: Path
) -> None:
    for place in ("archive", "config.yaml"):
        run = evil(changes, place)
        for read in (read_config, read_run):
            with pytest.raises(ConfigError, match=r"names code outside of gennas.*Nothing of it was run.*--trust"):
                read(run)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("verb", VERBS, ids=lambda v: "-".join(v[:1] + [w for w in v if w.startswith("--track")]))
@pytest.mark.parametrize("changes", [SETTINGS[0], SETTINGS[2], SETTINGS[4], SETTINGS[7]], ids=lambda c: "-".join(c))
def test_no_verb_executes_anything(
    verb: list[str], changes: dict[str, Any], evil: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    run = evil(changes, "archive")
    assert main([word.format(run=run) for word in verb]) == 2
    assert "Nothing of it was run" in capsys.readouterr().err
    assert not (tmp_path / "mark").exists()


def test_continuing_in_a_foreign_directory_executes_nothing(
    evil: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    run = evil({"task": "os:system"}, "archive")
    assert (
        main(["search", "--space", "macro-chain", "--strategy", "random", "--out", str(run), "--task", "digits"]) == 2
    )
    assert "belongs to another configuration" in capsys.readouterr().err
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "compare.yaml").write_text("task: os:system\nspace: evil.py:Space\n")
    words = ["compare", "--strategies", "random", "--seeds", "1", "--budget", "2", "--out", str(tmp_path / "c")]
    assert main([*words, "--space", "nasbench-graph", "--task", "cora"]) == 2
    assert not (tmp_path / "mark").exists()


def test_a_foreign_comparison_lends_no_options_that_are_code(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "evil.py").write_text(EVIL.format(mark=str(tmp_path / "mark")))
    run = tmp_path / "c" / "runs" / "generative-0"
    run.mkdir(parents=True)
    options = {"shares": {f"{tmp_path / 'evil.py'}:Space": 1.0}}
    settings = {"space": "nasbench-graph", "task": "cora", "strategy": "generative", "strategy_option": options}
    (run / "config.yaml").write_text(yaml.safe_dump(settings))
    words = ["compare", "--strategies", "generative", "--seeds", "1", "--budget", "12", "--out", str(tmp_path / "c")]
    assert main([*words, "--space", "nasbench-graph", "--task", "cora"]) == 2
    assert "Nothing of it was run" in capsys.readouterr().err and not (tmp_path / "mark").exists()


def test_a_generator_of_somebody_else_brings_no_code(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    words = ["--unlabelled", "20", "--pretrain-steps", "1", "--out", str(tmp_path / "g")]
    assert main(["train-generator", "--space", "nasbench201", *words]) == 0
    record = json.loads((tmp_path / "g" / "gennas.json").read_text())
    for change in ({"space": {"name": "os:system", "options": {}, "task": ""}}, {"kind": "os:system"}):
        (tmp_path / "g" / "gennas.json").write_text(json.dumps(record | change))
        capsys.readouterr()
        assert main(["sample", "--generator", str(tmp_path / "g"), "--n", "1"]) == 2
        assert main(["train-generator", "--init", str(tmp_path / "g"), "--out", str(tmp_path / "h")]) == 2


# ---------------------------------------------------------------------- one's own


OWN = """
from gennas.spaces import MacroChain
class Tiny(MacroChain):
    name = "tiny"
    def __init__(self): super().__init__(max_depth=2, min_depth=1, widths=(4,), kernels=(3,))
def score(arch): return float(arch.decisions.sum())
"""
COMMAND = ["search", "--space", "own.py:Tiny", "--evaluator", "own.py:score", "--strategy", "random", "--budget", "4"]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of a run with parts of the user's own, which is the current one's child."""
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "home")
    Path("own.py").write_text(OWN)
    assert main([*COMMAND, "--out", "run"]) == 0
    return tmp_path / "home" / "run"


def test_ones_own_runs_need_no_word(own: Path) -> None:
    assert main(["report", "run"]) == 0
    assert main([*COMMAND, "--out", "run", "--budget", "6"]) == 0 and main(["report", "run"]) == 0
    shutil.move("run", "moved")
    Path("own.py").write_text(OWN + "\n# edited\n")
    assert main(["report", "moved"]) == 0


def test_the_same_names_elsewhere_are_not_ones_own(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """A run that was given away comes back with another file of that name beside it."""
    shutil.move(str(own), str(tmp_path / "away"))
    (tmp_path / "away" / "own.py").write_text(EVIL.format(mark=str(tmp_path / "mark")))
    monkeypatch.chdir(tmp_path / "away")
    assert main(["report", "."]) == 2 and not (tmp_path / "mark").exists()
    assert "space: own.py:Tiny" in capsys.readouterr().err


def test_another_user_needs_trust_or_parts_of_their_own(
    own: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("GENNAS_CONFIG_DIR", str(tmp_path / "other"))
    assert main(["report", "run"]) == 2
    assert main(["report", "run", "--trust"]) == 0
    Path("mine.py").write_text(OWN)
    assert main(["report", "run", "--space", "mine.py:Tiny"]) == 2  # the evaluator is still theirs
    assert "evaluator: own.py:score" in capsys.readouterr().err
    export = ["export", "--from", "run", "--to", "source", "--task", "digits", "--out", "net.py"]
    assert main(export) == 2 and not Path("net.py").exists()
    assert main([*export, "--trust"]) == 0 and Path("net.py").exists()


def test_the_key_is_readable_by_its_user_only_and_stays_the_same(
    own: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GENNAS_CONFIG_DIR", str(tmp_path / "fresh"))
    assert main([*COMMAND, "--out", "other"]) == 0
    file = tmp_path / "fresh" / "key"
    assert os.name != "posix" or file.stat().st_mode & 0o077 == 0
    before = file.read_bytes()
    _key.cache_clear()
    assert main(["report", "other"]) == 0 and file.read_bytes() == before and len(before) == 32


@pytest.mark.parametrize("setting", ["space", "strategy", "evaluator", "task", "proxy", "table"])
@pytest.mark.parametrize("text", ["object:{name}", "object:odd.py:{name}", ",object:odd.py:{name}"])
def test_names_that_look_like_those_of_objects_lead_to_no_code(
    setting: str, text: str, evil: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    value = text.format(name="Space")
    run = evil({setting: value} | ({"table": None} if setting == "proxy" else {}), "archive")
    for name in ("object.py", "object:odd.py", ",object:odd.py"):
        shutil.copy(run / "evil.py", run / name)
    for verb in (["report", "."], ["report", ".", "--track", "wandb"], ["train", "--from", ".", "--epochs", "1"]):
        assert main(verb) in (0, 2)
    assert not (tmp_path / "mark").exists()


def test_a_part_of_ones_own_does_not_vouch_for_the_same_name_elsewhere(
    evil: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    run = evil({"space": "{file}:Space", "task": "{file}:Space"}, "archive")
    for verb in (["report", str(run)], ["train", "--from", str(run), "--epochs", "1"]):
        assert main([*verb, "--task", "digits"]) == 2
    assert "Nothing of it was run" in capsys.readouterr().err
    assert not (tmp_path / "mark").exists()


def test_what_counts_as_code() -> None:
    settings = {"objective": ["val_accuracy:max"], "space": "object:Tiny", "strategy_option": {"a": {"b:c": 1}}}
    assert code_names({**settings, "out": "C:/x", "table": "a.csv"}) == {"b:c": "strategy_option"}


def test_a_language_model_is_code_only_where_it_is_imported() -> None:
    for model in ("openai:some-model", "local:models/x", {"server": "vllm", "url": "http://127.0.0.1:8000"}):
        assert not code_names({"strategy": "llm", "strategy_option": {"model": model}})
    for given in ("evil.py:Model", {"class": "evil.py:Model"}):
        assert code_names({"strategy_option": {"model": given}}) == {"evil.py:Model": "strategy_option"}
    assert code_names({"task_option": {"model": "local:x"}}) == {"local:x": "task_option"}  # might be imported
    assert code_names({"strategy_option": {"model": {"nonsense": "a:b"}}}) == {"a:b": "strategy_option"}
