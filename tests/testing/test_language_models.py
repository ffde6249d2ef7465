from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gennas.errors import GennasError
from gennas.models.llm import Question
from gennas.models.llm.local import LocalBackend
from gennas.testing.language_models import transformers_server, write_gguf, write_pretrained


def test_a_tiny_model_is_written_the_same_twice(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    for name, flat in (("a", False), ("b", False), ("flat", True)):
        write_gguf(tmp_path / name, flat)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() != (tmp_path / "flat").read_bytes()
    assert (tmp_path / "a").stat().st_size < 1_000_000
    tensors = {t.name: t.data for t in gguf.GGUFReader(str(tmp_path / "flat")).tensors}
    assert not tensors["output.weight"].any() and tensors["token_embd.weight"].any()


def test_a_folder_is_opened_by_the_local_backend(tmp_path: Path) -> None:
    question = Question("Which?", ("a", "b", "c"))
    for name, flat in (("random", False), ("flat", True)):
        write_pretrained(tmp_path / name, flat)
    random, flat = (
        LocalBackend.from_pretrained(tmp_path / name, local_files_only=True, calibrate=False)
        for name in ("random", "flat")
    )
    uneven, even = (backend.choose("state", [question])[0].probabilities for backend in (random, flat))
    assert uneven is not None and even is not None
    assert np.ptp(uneven) > 0.01 and np.allclose(even, 1 / 3)


@pytest.mark.slow
def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    """A folder without a model: it ends, and what it wrote is told."""
    pytest.importorskip("fastapi")
    with pytest.raises(GennasError, match="ended with status"), transformers_server(tmp_path):
        raise AssertionError("it answers")
