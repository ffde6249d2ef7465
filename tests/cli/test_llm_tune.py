"""``gennas llm tune``: from a run to a folder that a search asks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gennas.cli.main import main
from gennas.models.llm.methods.prompt import load_prompt
from gennas.testing.language_models import write_pretrained

SCORE = "def score(arch):\n    return float((arch.decisions == 3).sum())\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of thirty random cells, and a model."""
    pytest.importorskip("peft")
    found = tmp_path_factory.mktemp("tune")
    (found / "mine.py").write_text(SCORE)
    write_pretrained(found / "model")
    assert search(found, "run", "--strategy", "random", "--budget", "30") == 0
    return found


def search(place: Path, out: str, *words: str) -> int:
    base = ["search", "--space", "nasbench201", "--evaluator", f"{place / 'mine.py'}:score"]
    return main([*base, "--out", str(place / out), *words])


def tuned(place: Path, out: str, *words: str) -> int:
    base = ["llm", "tune", "--from", str(place / "run"), "--model", str(place / "model"), "--out", str(place / out)]
    return main([*base, "--steps", "3", "--batch", "4", *words])


def test_from_a_run_to_a_search(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tuned(place, "tuned", "--prompt", "A good {{ cell }}?") == 0
    assert "6 held out" in capsys.readouterr().out
    prompt = place / "tuned" / "prompt.j2"
    assert load_prompt(str(prompt)).render({}) == "A good {{ cell }}?"  # as it was tuned under
    record = json.loads((place / "tuned" / "tuning.json").read_text())
    assert record["labels"] == 30 and record["learned"] == 24 and record["seconds"] > 0
    assert 0 <= record["right_order_after"] <= 1
    option = f"method_option={{ask: texts, prompt: {prompt}}}"
    words = ("--strategy", "llm", "--model", f"local:{place / 'tuned'}", "--strategy-option", option)
    assert search(place, "again", *words, "--budget", "12") == 0
    assert main(["llm", "show", str(place / "again"), "--call", "0"]) == 0
    assert "A good {{ cell }}?" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--held-out", "2"], "Expected shares"),
        (["--model", "nowhere"], "No language model"),
        (["--from", "nowhere"], "nowhere"),
        (["--prompt", "{% raw %}"], "plain text"),
        (["--out", "run"], "not empty"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    words: list[str], says: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flag, value = words
    given = str(place / value) if flag in ("--out", "--from", "--model") else value
    assert tuned(place, "wrong", flag, given) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and says in error
    assert not (place / "wrong").exists()


def test_no_run_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["llm", "tune"]) == 2
    assert "Give --from RUN and --model FOLDER" in capsys.readouterr().err
