from __future__ import annotations

from pathlib import Path

import pytest

from gennas.errors import CheckpointError
from gennas.models.checkpoints import checkpoint_errors


def test_a_folder_without_the_file_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with (
        pytest.raises(CheckpointError, match=r"found no model_index\.json"),
        checkpoint_errors(tmp_path, "model_index.json"),
    ):
        raise AssertionError("not reached")


@pytest.mark.parametrize("error", [KeyError("dim"), ValueError("shape"), OSError("disk"), RuntimeError("size")])
def test_whatever_reading_raises_names_folder_and_cause(tmp_path: Path, error: Exception) -> None:
    (tmp_path / "index.json").touch()
    with (
        pytest.raises(CheckpointError, match=type(error).__name__) as caught,
        checkpoint_errors(tmp_path, "index.json"),
    ):
        raise error
    assert str(tmp_path) in str(caught.value) and caught.value.__cause__ is error


def test_what_is_a_checkpoint_error_already_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "index.json").touch()
    with pytest.raises(CheckpointError, match=r"^another schema$"), checkpoint_errors(tmp_path, "index.json"):
        raise CheckpointError("another schema")
