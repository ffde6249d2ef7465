"""Values as people write them: YAML files, and ``KEY=VALUE`` texts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from gennas.errors import ConfigError, shown
from gennas.runtime.reading import MIB, read_bounded

__all__ = ["load_yaml", "parse_options", "read_value"]


_LARGEST = MIB  # bytes of a file of settings
_MOST = 100_000
_BITS = 4096
_DEEPEST = 64


class _Loader(yaml.SafeLoader):
    """YAML in which ``1e-3`` is a number, as YAML 1.2 has it, and a date a text; nested at most 64 levels deep."""

    def fetch_flow_collection_start(self, token: Any) -> None:
        """A bracket; PyYAML's time grows with the square of those that are open."""
        if self.flow_level >= _DEEPEST:
            raise ValueError(f"brackets nested deeper than {_DEEPEST} levels")
        super().fetch_flow_collection_start(token)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9][0-9_]*+(?:\.[0-9_]*+)?|\.[0-9][0-9_]*+)[eE][-+]?[0-9]++$"),
    list("-+.0123456789"),
)


def read_value(text: str) -> Any:
    """A YAML value: number, truth value, text, list or mapping.

    Raises:
        yaml.YAMLError: it is none.
        ValueError: a number that Python cannot hold, or anchors that stand for more than 100,000 values.

    Example:
        >>> read_value("1e-3"), read_value("[3, 5]"), read_value("{random: 1}"), read_value("2020-01-01")
        (0.001, [3, 5], {'random': 1}, '2020-01-01')
    """
    found = yaml.load(text, _Loader)  # a SafeLoader
    _count(found, {})
    return found


def _count(value: Any, known: dict[int, int]) -> int:
    """How many values a value is made of where those that anchors repeat count each time.

    Raises:
        ValueError: one holds itself, they are too many, or a number is too large to be written in decimal digits.
    """
    if isinstance(value, int) and value.bit_length() > _BITS:
        raise ValueError(f"a number of {value.bit_length():,} bits; expected at most {_BITS:,}")
    if not isinstance(value, (dict, list, set, tuple)):
        return 1
    if id(value) in known:
        if not known[id(value)]:
            raise ValueError("a value that holds itself")
        return known[id(value)]
    known[id(value)] = 0
    parts = [*value.keys(), *value.values()] if isinstance(value, dict) else value
    total = 1 + sum(_count(part, known) for part in parts)
    if total > _MOST:
        raise ValueError(f"more than {_MOST:,} values")
    known[id(value)] = total
    return total


def load_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file of settings.

    Raises:
        ConfigError: the file is missing or not a mapping.
    """
    try:
        content = read_value(read_bounded(path, _LARGEST, ConfigError, advice="keep settings only").decode())
    except ConfigError:
        raise
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"Cannot read the configuration file {path}: {_first_line(error)}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected a mapping of settings, got {type(content).__name__}.")
    return {str(k).replace("-", "_"): v for k, v in content.items()}


def parse_options(pairs: Iterable[str]) -> dict[str, Any]:
    """Read ``KEY=VALUE`` texts; a value is anything that YAML can say in a line.

    Raises:
        ConfigError: a text has no ``=``, its value is not YAML, or a key is given twice.

    Example:
        >>> parse_options(["num_cells=1", "lr=1e-3", "kernels=[3, 5]"])
        {'num_cells': 1, 'lr': 0.001, 'kernels': [3, 5]}
    """
    options: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.isidentifier():
            raise ConfigError(f"Expected KEY=VALUE, got {shown(pair)}.")
        if key in options:
            raise ConfigError(
                f"The option {shown(key)} is given twice: {shown(options[key])} and {shown(value)}; drop one."
            )
        try:
            options[key] = read_value(value)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise ConfigError(f"Cannot read the value of {shown(pair)}: {_first_line(error)}") from error
    return options


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:300]
