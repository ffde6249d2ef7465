"""A small task, and a supernet that was trained on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gennas.spaces import NASBench201
from gennas.training import Task, make_task
from gennas.training.supernet import train_supernet

SPACE = NASBench201(num_cells=1, width=4)


@pytest.fixture(scope="session")
def digits() -> Task:
    task = make_task("digits")
    return replace(task, config=replace(task.config, epochs=2, batch_size=256))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, digits: Task) -> Path:
    directory = tmp_path_factory.mktemp("supernet")
    train_supernet(SPACE, digits, directory)
    return directory
