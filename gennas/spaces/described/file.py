"""Reading a space from a YAML file: it is data, nothing in it is imported or executed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from gennas.errors import ConfigError, shown
from gennas.spaces.base import Space

__all__ = ["digest_of", "load_space"]

_MOST_BYTES = 1_000_000
_KINDS = ("layered", "grammar")


class _Loader(yaml.SafeLoader):
    """Without aliases, which can blow a small file up, and without two values of one key."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not read; write the value out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value]
        twice = [key for key in keys if keys.count(key) > 1]
        if twice:
            raise yaml.YAMLError(f"the key {shown(twice[0])} is given twice")
        return super().construct_mapping(node, deep)


def load_space(file: str | Path) -> Space:
    """The space that a YAML file describes: ``kind: layered`` or ``kind: grammar``.

    Raises:
        ConfigError: the file is missing or too large, is no such description, or names what is not known.
    """
    path = Path(file)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ConfigError(f"{path}: expected a description of at most {_MOST_BYTES:,} bytes.")
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # a SafeLoader
    except (OSError, UnicodeError, yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, ConfigError):
            raise
        said = " ".join(str(error).split())
        raise ConfigError(f"Cannot read the space {path}: {said:.200}") from error
    kind = content.get("kind") if isinstance(content, dict) else None
    if kind not in _KINDS:
        raise ConfigError(f"{path}: expected a mapping with kind: {' or kind: '.join(_KINDS)}, got {kind!r:.60}.")
    return _space(path, content)


def _space(path: Path, content: dict[str, Any]) -> Space:
    from pydantic import ValidationError

    from gennas.spaces.described.description import GrammarDescription, LayeredDescription
    from gennas.spaces.described.grammar import GrammarFile
    from gennas.spaces.described.layered import LayeredFile

    try:
        if content["kind"] == "grammar":
            return GrammarFile(GrammarDescription.model_validate(content), path)
        return LayeredFile(LayeredDescription.model_validate(content), path)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        reason = first["msg"][:1].lower() + first["msg"][1:]
        raise ConfigError(f"{path}: {place}: {reason}, got {first['input']!r:.80}.") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def digest_of(description: Any) -> str:
    """Equal for equal descriptions in one order, however they are written."""
    return hashlib.blake2b(json.dumps(description.model_dump()).encode(), digest_size=8).hexdigest()
