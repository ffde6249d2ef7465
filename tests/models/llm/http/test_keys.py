from __future__ import annotations

from pathlib import Path

import pytest

from gennas.errors import ConfigError
from gennas.models.llm.http.keys import read_key


def test_where_keys_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    file.write_text("from-file\n")
    monkeypatch.setenv("SOME_KEY", "from-variable")
    assert read_key("SOME_KEY") == "from-variable"
    assert read_key("SOME_KEY", file) == "from-file"
    assert read_key("MISSING_KEY", optional=True) == ""
    with pytest.raises(ConfigError, match="environment variable MISSING_KEY holds no key"):
        read_key("MISSING_KEY")
    with pytest.raises(ConfigError, match="Cannot read the key's file"):
        read_key("SOME_KEY", tmp_path / "none")


@pytest.mark.parametrize("content", ["two words", "line\nbreak", "schlüssel", "tab\tbed"])
def test_what_is_no_key_is_not_repeated(content: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(content)
    with pytest.raises(ConfigError, match="holds more than a key") as caught:
        read_key(None, file)
    assert content not in str(caught.value)
