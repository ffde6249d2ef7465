"""Names for what the command line and configuration files can choose from.

Library code never looks anything up by name: registries serve the edge only.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

from gennas.errors import ConfigError, UnknownNameError

__all__ = ["Registry", "import_object"]

T = TypeVar("T", bound=Callable[..., Any])


class Registry(Generic[T]):
    """A mapping from names to factories, filled by a decorator beside each class.

    Example:
        >>> SHAPES: Registry = Registry("shape")
        >>> @SHAPES.register("square")
        ... class Square: ...
        >>> SHAPES.get("square") is Square
        True
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._items: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that files what it decorates under ``name``."""

        def add(item: T) -> T:
            if name in self._items and self._items[name] is not item:
                raise ConfigError(f"The {self.kind} name {name!r} is taken; choose another.")
            self._items[name] = item
            return item

        return add

    def get(self, name: str) -> T:
        """Return the factory called ``name``, or import ``module:Attribute`` / ``file.py:Attribute``.

        Raises:
            UnknownNameError: nothing has that name.
            ConfigError: the import path cannot be resolved.
        """
        if name in self._items:
            return self._items[name]
        if ":" in name:
            found: T = import_object(name)
            return found
        raise UnknownNameError(self.kind, name, self._items)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._items))

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def __len__(self) -> int:
        return len(self._items)


def import_object(path: str) -> Any:
    """Import ``package.module:Attribute`` or ``some/file.py:Attribute``.

    Raises:
        ConfigError: the module, the file or the attribute does not exist.
    """
    module_name, _, attribute = path.rpartition(":")
    try:
        if module_name.endswith(".py"):
            module = _module_from_file(Path(module_name))
        else:
            module = importlib.import_module(module_name)
        return getattr(module, attribute)
    except (ImportError, AttributeError, OSError) as error:
        raise ConfigError(
            f"Cannot import {path!r}: {error}. Expected 'package.module:Name' or 'file.py:Name'."
        ) from error


def _module_from_file(file: Path) -> Any:
    # A stable name, so that worker processes can import the same classes again.
    name = f"_gennas_user_{file.resolve().stem}"
    if name in sys.modules and getattr(sys.modules[name], "__file__", None) == str(file.resolve()):
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file.resolve())
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
