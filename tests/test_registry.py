"""Names at the edge."""

from __future__ import annotations

from pathlib import Path

import pytest

from gennas.errors import ConfigError, UnknownNameError
from gennas.registry import Registry, import_object


def test_register_get_list() -> None:
    registry: Registry = Registry("thing")
    registry.register("b")(int)
    registry.register("a")(str)
    assert list(registry) == ["a", "b"] and "a" in registry and len(registry) == 2
    assert registry.get("b") is int
    with pytest.raises(ConfigError, match="taken"):
        registry.register("a")(float)


def test_unknown_names_come_with_near_ones() -> None:
    registry: Registry = Registry("strategy")
    registry.register("local-search")(int)
    with pytest.raises(UnknownNameError, match=r"Unknown strategy 'local-serch'. Did you mean local-search\?"):
        registry.get("local-serch")


def test_import_paths(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("class Mine: ...\n")
    assert import_object("collections:OrderedDict").__name__ == "OrderedDict"
    assert import_object(f"{file}:Mine") is import_object(f"{file}:Mine")
    for bad in ("collections:Nothing", "no_such_module_at_all:X", f"{tmp_path}/none.py:X"):
        with pytest.raises(ConfigError, match="Expected"):
            import_object(bad)
