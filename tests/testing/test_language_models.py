from __future__ import annotations

from pathlib import Path

import pytest

from gennas.testing.language_models import write_gguf


def test_a_tiny_model_is_written_the_same_twice(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    for name, flat in (("a", False), ("b", False), ("flat", True)):
        write_gguf(tmp_path / name, flat)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() != (tmp_path / "flat").read_bytes()
    assert (tmp_path / "a").stat().st_size < 1_000_000
    tensors = {t.name: t.data for t in gguf.GGUFReader(str(tmp_path / "flat")).tensors}
    assert not tensors["output.weight"].any() and tensors["token_embd.weight"].any()
