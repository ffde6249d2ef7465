from __future__ import annotations

from pathlib import Path

import pytest

from gennas.errors import ConfigError
from gennas.training.datasets._root import dataset_root, missing, not_fetched


def test_what_is_given_goes_before_the_variable_and_that_before_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("GENNAS_DATASETS", "/data")
    assert dataset_root("mine") == Path("mine") and dataset_root("~/mine") == Path("/home/someone/mine")
    assert dataset_root(None) == Path("/data")
    monkeypatch.setenv("GENNAS_DATASETS", "")
    assert dataset_root(None) == Path("/home/someone/.cache/gennas")


def test_errors_say_where_and_what_to_do() -> None:
    error = missing("cora", Path("/data/cora"))
    assert isinstance(error, ConfigError) and all(t in str(error) for t in ("'cora'", "/data/cora", "--download"))
    error = not_fetched("cora", Path("/data"), OSError("two\n  lines"))
    assert str(error).endswith("/data: two lines")
