from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import pytest

from gennas.runtime.seal import _key, configuration_folder, is_sealed, seal


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GENNAS_CONFIG_DIR", str(tmp_path / "conf"))
    return tmp_path / "conf"


def test_a_seal_is_an_hmac_under_the_key_of_the_folder(folder: Path) -> None:
    digest = seal("text")
    assert configuration_folder() == folder and [p.name for p in folder.iterdir()] == ["key"]
    assert digest == hmac.new((folder / "key").read_bytes(), b"text", hashlib.sha256).hexdigest()
    assert is_sealed("text", digest) and not is_sealed("texts", digest) and not is_sealed("text", "")


def test_another_key_recognises_nothing(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = seal("text")
    monkeypatch.setenv("GENNAS_CONFIG_DIR", str(tmp_path / "other"))
    assert not is_sealed("text", digest)


@pytest.mark.parametrize("content", [b"", b"short"])
def test_a_damaged_key_seals_and_recognises_nothing(content: bytes, folder: Path) -> None:
    folder.mkdir()
    (folder / "key").write_bytes(content)
    _key.cache_clear()
    assert seal("text") == "" and not is_sealed("text", "") and (folder / "key").read_bytes() == content


def test_a_folder_that_cannot_be_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GENNAS_CONFIG_DIR", str(tmp_path / "file" / "below"))
    assert seal("text") == "" and not is_sealed("text", "")
