"""Shared fixtures: no network, no account, and the real tables where they are present."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("WANDB_SILENT", "true")
os.environ.setdefault("MPLBACKEND", "Agg")
# The key by which a user's own runs are recognised; never the one of who runs the tests.
_OWN = tempfile.TemporaryDirectory()
os.environ["GENNAS_CONFIG_DIR"] = _OWN.name


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the published tables; tests that use it are skipped where it is missing."""
    folder = Path(os.environ.get("GENNAS_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no published tables in {folder}; set GENNAS_DATA to their folder")
    return folder
