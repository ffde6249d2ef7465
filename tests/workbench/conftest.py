"""Small real parts: chains of one or two layers with a complete table, a task of 40 images, a finished run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from gennas.spaces import MacroChain
from gennas.training import Task
from gennas.workbench.run import Run, search

CHAINS = {"max_depth": 2, "min_depth": 1, "widths": [4], "kernels": [3]}


@pytest.fixture(scope="session")
def chains() -> MacroChain:
    """All 42 chains of one or two layers of width 4: 6 choices for a layer."""
    return MacroChain(max_depth=2, min_depth=1, widths=(4,), kernels=(3,))


@pytest.fixture
def blobs() -> Task:
    """Forty images of two classes that differ in brightness."""
    y = torch.arange(40) % 2
    x = torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(0)) + y[:, None, None, None]
    return Task.from_tensors("blobs", train=(x, y), validation=(x[:20], y[:20]), test=(x[20:], y[20:]))


@pytest.fixture(scope="session")
def frame(chains: MacroChain) -> pd.DataFrame:
    """Every chain with its own accuracy in steps of 0.01, a test accuracy that is 0.5 lower, and its layers."""
    texts = sorted({chains.to_text(arch) for arch in chains.sample(2000, np.random.default_rng(0))})
    accuracy = 0.5 + 0.01 * np.arange(len(texts))
    layers = [1 + text.count("/") for text in texts]
    return pd.DataFrame({"arch": texts, "val_accuracy": accuracy, "test_accuracy": accuracy - 0.5, "layers": layers})


@pytest.fixture(scope="session")
def table(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a CSV file."""
    path = tmp_path_factory.mktemp("tables") / "chains.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def make_run(table: Path, tmp_path: Path) -> Callable[..., Run]:
    """Searches the chains at random, eight evaluations, in the folder ``run``; settings may be changed."""

    def make(**changes: Any) -> Run:
        settings = {"space": "macro-chain", "space_option": CHAINS, "table": str(table), "strategy": "random"}
        return search(**{**settings, "budget": 8, "out": tmp_path / "run", "report": False, **changes})

    return make
