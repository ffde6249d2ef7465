"""Imports that a trial would make are made before its clock starts, and never cut in two."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import linecache
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from gennas.registry import user_files

__all__ = ["is_importing", "modules_named_in", "warm_up"]

_DEPTH = 2  # evaluator, its space and task, the functions that these hold
_MACHINERY = "<frozen importlib._bootstrap>"


def warm_up(evaluator: object) -> None:
    """Import what evaluating is going to import: whatever the code of the evaluator names inside of its functions.

    That is the code of gennas and of the user: the modules in which the evaluator's class or function, its space and
    its task are defined, and files that were imported by path; and what the evaluator's attribute ``imports`` lists,
    if it has one. Nothing of it is called, so that nothing can hang. What cannot be imported is left to the trial that
    needs it, which says so.
    """
    files = set(user_files())
    for home in _homes(evaluator):
        file = getattr(home, "__file__", None)
        if file is not None:
            files.add(file)
    for file in sorted(files):
        loaded = next((m for m in list(sys.modules.values()) if getattr(m, "__file__", None) == file), None)
        with suppress(OSError, SyntaxError, ValueError):  # no source is there: compiled code
            for name, parts in modules_named_in(_text_of(file, loaded), getattr(loaded, "__package__", "") or ""):
                _import(name, parts)
    for name in getattr(evaluator, "imports", ()):
        _import(name, ())
    if "torch" in sys.modules:
        _import("torch._dynamo", ())  # which the first step of any optimizer imports


def _text_of(file: str, module: ModuleType | None) -> str:
    """The source of a module, which may have come from another machine without its file."""
    if module is not None and not Path(file).exists():
        return "".join(linecache.getlines(file, vars(module)))
    return Path(file).read_text(encoding="utf-8")


def _import(name: str, parts: tuple[str, ...]) -> None:
    with suppress(Exception):
        module = importlib.import_module(name)
        for part in parts:
            if not hasattr(module, part):
                importlib.import_module(f"{name}.{part}")


def modules_named_in(source: str, package: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    r"""Modules that source imports anywhere but for the sake of types, and what is taken from each.

    Args:
        source: of one file.
        package: what relative imports start from.

    Raises:
        SyntaxError: it is no Python.

    Example:
        >>> source = "def f():\n    import torch.nn\n    from a import b\n    from . import c\n"
        >>> list(modules_named_in(source, "pack"))
        [('torch.nn', ()), ('a', ('b',)), ('pack', ('c',))]
    """
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            name = "." * node.level + (node.module or "")
            if node.level and not package:
                continue
            found = importlib.util.resolve_name(name, package) if node.level else name
            yield found, tuple(alias.name for alias in node.names if alias.name != "*")
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)


def _homes(evaluator: object) -> Iterator[ModuleType]:
    """Modules of the evaluator's parts: its own, those of gennas, and those of the user's functions."""
    parts: list[Any] = [evaluator]
    own = {type(evaluator).__module__, getattr(getattr(evaluator, "function", None), "__module__", None)}
    for depth in range(_DEPTH + 1):
        names = {getattr(part, "__module__", None) or type(part).__module__ for part in parts}
        for name in sorted(n for n in names if isinstance(n, str)):
            module = sys.modules.get(name)
            if module is not None and (name in own or name.partition(".")[0] == "gennas"):
                yield module
        if depth < _DEPTH:
            held = (value for part in parts for value in getattr(part, "__dict__", {}).values())
            parts = [value.func if isinstance(value, partial) else value for value in held]


def is_importing(frame: FrameType | None) -> bool:
    """Whether the code at ``frame`` runs on behalf of an import: to stop it would leave half a module behind."""
    while frame is not None:
        if frame.f_code.co_filename == _MACHINERY:
            return True
        frame = frame.f_back
    return False
