"""Numbers, texts and places that cannot be: one line, exit code 2, nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

from gennas.cli.main import main

HUGE = "9" * 400
DEEP = "[" * 2000 + "]" * 2000
WRONG: list[list[str]] = [
    *(["--seed", seed] for seed in ("-1", HUGE, str(2**63))),
    *(["--time-limit-s", value] for value in ("-1", "0", "nan", "inf")),
    *(["--memory-limit-gb", value] for value in ("0", "-2", "inf")),
    *(["--target", value] for value in ("nan", "inf")),
    *(["--budget", value] for value in ("0", "-5")),
    *(["--workers", value] for value in ("0", "-1")),
    *(["--constraint", text] for text in ("params<=inf", "params<=nan", "params>=-inf", "params<=1e400")),
    *(
        ["--objective", text]
        for text in ("1e400*params", "val_accuracy - 1e999 * params", "nothing", "val_accuracy:up")
    ),
    *(
        ["--train-option", f"{name}={value}"]
        for name in ("lr", "weight_decay", "grad_clip")
        for value in ("inf", "nan")
    ),
    ["--train-option", "lr=1e400"],
    ["--train-option", "lr=2020-01-01"],
    ["--train-option", f"batch_size={HUGE}x"],
    ["--train-option", f"epochs={DEEP}"],
    *(["--space-option", f"num_cells={value}"] for value in ("-1", "0", "abc", "1e400", "[3]", "2020-01-01", DEEP)),
    *(["--space-option", f"width={value}"] for value in ("0", "-4", ".5")),
    *(["--limit", f"seconds={value}"] for value in ("0", "-1", "inf", "nan", "1e400", "soon")),
    *(["--epochs", value] for value in ("0", "-3")),
    *(["--data-fraction", value] for value in ("0", "1.5", "nan")),
    *(["--resolution", value] for value in ("0", "-1", "inf")),
    ["--out", "a" * 5000],
    ["--out", "a\0b"],
    ["--out", "/proc/nowhere"],
    ["--config", "a\0b"],
    ["--config", "b" * 5000],
    ["--table", "c\0d.csv"],
    ["--table", "c" * 5000 + ".csv"],
    ["--enqueue", "e\0.txt"],
    ["--enqueue", "e" * 5000 + ".txt"],
]


@pytest.mark.parametrize("words", WRONG, ids=lambda words: " ".join(words)[:40].encode("unicode_escape").decode())
def test_what_cannot_be_is_one_line(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    task = [] if "--table" in words else ["--task", "digits"]
    assert main(["search", "--space", "nasbench201", *task, "--strategy", "random", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("gennas: ") and error.count("\n") == 1 and len(error) < 1500, error[:2000]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        "a: " + DEEP,
        "budget: .inf",
        "budget: 2020-01-01",
        f"seed: {HUGE}",
        "? [a]\n: b",
        "&a [*a]",
        "space: !!python/object/apply:os.system ['touch mark']",
        "\x00",
        "%YAML 9.9\n---\na: 1",
        "a: *nowhere",
        "lol: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b]",
    ],
    ids=lambda text: text[:20].encode("unicode_escape").decode(),
)
def test_settings_files_that_cannot_be(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(text)
    assert main(["search", "--config", "c.yaml"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("gennas: ") and error.count("\n") == 1 and len(error) < 1500, error[:2000]
    assert [path.name for path in tmp_path.iterdir()] == ["c.yaml"]
