"""One small finished search on the digits' space of short chains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gennas.cli.main import main
from gennas.spaces import MacroChain

SPACE = ["--space", "macro-chain", "--space-option", "max_depth=2", "--space-option", "min_depth=1"]
SPACE += ["--space-option", "widths=[4]", "--space-option", "kernels=[3]"]


@pytest.fixture(scope="session")
def chains_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten of 42 chains, scored by a table in which every chain has its own accuracy."""
    folder = tmp_path_factory.mktemp("runs")
    space = MacroChain(max_depth=2, min_depth=1, widths=(4,), kernels=(3,))
    texts = sorted({space.to_text(arch) for arch in space.sample(2000, np.random.default_rng(0))})
    table = pd.DataFrame({"arch": texts, "val_accuracy": 0.5 + 0.01 * np.arange(len(texts))})
    table.to_csv(folder / "chains.csv", index=False)
    words = ["search", *SPACE, "--table", str(folder / "chains.csv"), "--strategy", "random", "--budget", "10"]
    assert main([*words, "--out", str(folder / "run")]) == 0
    return folder / "run"


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that cuts nothing off."""
    monkeypatch.setenv("COLUMNS", "250")


@pytest.fixture
def run() -> Callable[..., int]:
    """A command, by its words; returns its exit code."""
    return lambda *words: main([str(word) for word in words])


@pytest.fixture
def error_of(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The one line that a wrong command prints."""

    def error(*words: object) -> str:
        capsys.readouterr()
        assert run(*words) == 2
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1 and lines[0].startswith("gennas: "), lines
        return lines[0]

    return error
