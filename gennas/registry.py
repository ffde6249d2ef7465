"""Names for what the command line and configuration files can choose from, and one way to make what is chosen.

Library code never looks anything up by name: registries serve the edge only.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.machinery
import importlib.metadata
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar, get_type_hints

from gennas.errors import ConfigError, UnknownNameError, shown

__all__ = [
    "Option",
    "Registry",
    "configured",
    "import_object",
    "import_user_files",
    "location_of",
    "name_of",
    "options_of",
    "reconfigured",
    "summary_of",
    "user_files",
]

T = TypeVar("T", bound=Callable[..., Any])


class Registry(Generic[T]):
    """A mapping from names to factories, filled by a decorator beside each class, and by installed packages.

    A package adds to it with an entry point: ``[project.entry-points."gennas.spaces"] mine = "package.module:Mine"``.

    Args:
        kind: what is registered, in the singular, for messages.
        group: name of the entry points that are looked at; none by default.

    Example:
        >>> SHAPES: Registry = Registry("shape")
        >>> @SHAPES.register("square")
        ... class Square: ...
        >>> SHAPES.get("square") is Square
        True
    """

    def __init__(self, kind: str, group: str = "") -> None:
        self.kind, self.group = kind, group
        self._items: dict[str, T] = {}
        self._paths: dict[str, str] = {}
        self._installed: dict[str, importlib.metadata.EntryPoint] | None = None

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that files what it decorates under ``name``."""

        def add(item: T) -> T:
            if name in self._items and self._items[name] is not item:
                raise ConfigError(f"The {self.kind} name {name!r} is taken; choose another.")
            self._items[name] = item
            return item

        return add

    def register_path(self, name: str, path: str) -> None:
        """File what ``path`` leads to under ``name``; it is imported when it is first asked for."""
        self._paths[name] = path

    def get(self, name: str) -> T:
        """Return the factory called ``name``, or import ``module:Attribute`` / ``file.py:Attribute``.

        Raises:
            UnknownNameError: nothing has that name.
            ConfigError: the import path cannot be resolved.
        """
        if name in self._items:
            return self._items[name]
        if name in self._paths:
            self._items[name] = import_object(self._paths[name])
            return self._items[name]
        if name in self._entry_points():
            return self._loaded(self._entry_points()[name])
        if ":" in name:
            found: T = import_object(name)
            return found
        raise UnknownNameError(self.kind, name, self)

    def name_of(self, item: object) -> str | None:
        """The name under which ``item`` itself is registered, if it is."""
        return next((name for name, known in self._items.items() if known is item), None)

    def _entry_points(self) -> Mapping[str, importlib.metadata.EntryPoint]:
        if self._installed is None:
            found = importlib.metadata.entry_points(group=self.group) if self.group else ()
            self._installed = {point.name: point for point in found}
        return self._installed

    def _loaded(self, point: importlib.metadata.EntryPoint) -> T:
        try:
            found: T = point.load()
        except Exception as error:  # somebody else's code: whatever it raises, say whose it is
            raise ConfigError(
                f"The {self.kind} {shown(point.name)} of an installed package cannot be imported from {point.value}: "
                f"{type(error).__name__}: {error}"
            ) from error
        self._items[point.name] = found
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._items, *self._paths, *self._entry_points()}))

    def __contains__(self, name: object) -> bool:
        return name in self._items or name in self._paths or name in self._entry_points()

    def __len__(self) -> int:
        return len(list(iter(self)))


# ---------------------------------------------------------------------- options


@dataclass(frozen=True)
class Option:
    """One thing that can be set when something is made: its default, its type, and what it means."""

    name: str
    default: Any = MISSING
    kind: str = ""
    meaning: str = ""

    def __str__(self) -> str:
        return self.name if self.default is MISSING else f"{self.name}={self.default!r}"


def options_of(factory: Callable[..., Any], given: tuple[str, ...] = ()) -> list[Option]:
    """What ``factory`` can be told, from its signature and the ``Args:`` of its docstring.

    Args:
        factory: a class, a function, or a partial of one.
        given: names that the caller provides and the user cannot set.

    Example:
        >>> def task(classes: int = 10) -> None:
        ...     '''A task.
        ...
        ...     Args:
        ...         classes: how many there are.
        ...     '''
        >>> options_of(task)
        [Option(name='classes', default=10, kind='int', meaning='how many there are.')]
    """
    meanings = _argument_docs(factory)
    found = []
    for parameter in inspect.signature(factory).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) or parameter.name in given:
            continue
        default = MISSING if parameter.default is parameter.empty else parameter.default
        kind = "" if parameter.annotation is parameter.empty else _type_name(parameter.annotation)
        found.append(Option(parameter.name, default, kind, meanings.get(parameter.name, "")))
    return found


def _type_name(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))


def _function(factory: Any) -> Any:
    """What stands behind partials."""
    while isinstance(factory, partial):
        factory = factory.func
    return factory


def _argument_docs(factory: Any) -> dict[str, str]:
    """Names and texts under ``Args:`` of a docstring; those of base classes where a class says nothing itself."""
    target = _function(factory)
    found: dict[str, str] = {}
    sources = list(reversed(target.__mro__)) if isinstance(target, type) else [target]
    for source in [d for c in sources for d in (c, getattr(c, "__init__", None)) if d is not None]:
        doc = inspect.cleandoc(source.__doc__ or "")
        match = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)*)", doc, re.MULTILINE)
        if match is None:
            continue
        body = inspect.cleandoc("\n" + match.group(1))
        for entry in re.split(r"\n(?=\w)", body):
            name, colon, text = entry.partition(":")
            if colon and name.isidentifier():
                found[name] = " ".join(text.split())
    return found


def summary_of(item: Any) -> str:
    """First line of a docstring; a partial may have its own."""
    own = vars(item).get("__doc__") if isinstance(item, partial) else None
    return inspect.cleandoc(own or _function(item).__doc__ or "").partition("\n")[0]


def configured(what: str, factory: Callable[..., Any], options: Mapping[str, Any], /, *args: Any, **given: Any) -> Any:
    """Call ``factory(*args, **given, **options)``: the one way to make something with a user's options.

    Options are checked against the signature first, names and types, so that a ``TypeError`` raised inside of the
    factory is the factory's own and passes through.

    Args:
        what: what is made, for messages, such as ``strategy 'random'``.
        factory: a class or a function.
        options: the user's, plain values; lists become tuples and whole numbers floats where the signature says so.
        *args: what the caller provides, by position.
        **given: what the caller provides, by name; dropped where the factory does not take it.

    Raises:
        ConfigError: an option that does not exist (with near names and all options), has a wrong type, or is missing.

    Example:
        >>> configured("shape 'box'", lambda width=1, height=2: (width, height), {"height": 5})
        (1, 5)
        >>> configured("shape 'box'", lambda width=1, height=2: (width, height), {"hight": 5})  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        gennas.errors.ConfigError: Unknown option 'hight' of shape 'box'. Did you mean height? Options: width=1, ...
    """
    try:
        parameters = inspect.signature(factory).parameters
    except (ValueError, TypeError) as error:  # written in C
        raise ConfigError(f"Cannot tell which options {what} takes ({error}); wrap it in a function.") from error
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    given = {name: value for name, value in given.items() if takes_any or name in parameters}
    positional = [p.name for p in parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    taken = (*positional[: len(args)], *given)
    known = options_of(factory, taken)
    names = [option.name for option in known]
    for name in options:
        if name not in names and not takes_any:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]}?" if near else ""
            listed = ", ".join(map(str, known)) or "none"
            raise ConfigError(f"Unknown option {shown(name)} of {what}.{hint} Options: {listed}.")
    missing = [o.name for o in known if o.default is MISSING and o.name not in options]
    if missing and not takes_any:
        raise ConfigError(f"Missing option {', '.join(map(repr, missing))} of {what}; give it as KEY=VALUE.")
    return factory(*args, **given, **_typed(what, factory, options))


def reconfigured(what: str, settings: Any, options: Mapping[str, Any]) -> Any:
    """A copy of a dataclass object with some of its fields replaced, checked as :func:`configured` does.

    Raises:
        ConfigError: an option that does not exist or has a wrong type.

    Example:
        >>> reconfigured("option", Option("a", 1), {"kind": "int"})
        Option(name='a', default=1, kind='int', meaning='')
    """
    kept = {f.name: getattr(settings, f.name) for f in fields(settings) if f.init and f.name not in options}
    factory: Callable[..., Any] = type(settings)
    return configured(what, partial(factory, **kept), options)


def _typed(what: str, factory: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as the signature's types, as far as it names plain ones."""
    if not options:
        return {}
    from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

    parameters, found = inspect.signature(factory).parameters, dict(options)
    for name, value in options.items():
        if name not in parameters or parameters[name].annotation is inspect.Parameter.empty:
            continue
        hint = _hint(factory, name)
        try:
            adapter: TypeAdapter[Any] = TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True))
        except (PydanticUserError, TypeError):  # a type that only its own code can judge
            continue
        try:
            found[name] = adapter.validate_python(value)
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            reason = f"{reason[:1].lower()}{reason[1:]}"
            raise ConfigError(f"Option {shown(name)} of {what}: {reason}, got {shown(value)}.") from error
    return found


def _hint(factory: Any, name: str) -> Any:
    """Type of a parameter; Any where its name cannot be resolved, as those that only type checkers import."""
    annotation = inspect.signature(factory).parameters[name].annotation
    module = getattr(_function(factory), "__module__", "") or ""
    try:
        return get_type_hints(type("_", (), {"__annotations__": {name: annotation}, "__module__": module}))[name]
    except (NameError, TypeError, AttributeError, SyntaxError):
        return Any


# ---------------------------------------------------------------------- import paths


def import_object(path: str) -> Any:
    """Import ``package.module:Attribute`` or ``some/file.py:Attribute``.

    Raises:
        ConfigError: the module, the file or the attribute does not exist.
    """
    module_name, _, attribute = path.rpartition(":")
    if path.startswith("object:"):  # how records name what had no import path
        raise ConfigError(f"{shown(path)} stands for an object, which cannot be made again from its name.")
    try:
        is_file = module_name.endswith(".py")
        module = _module_from_file(Path(module_name)) if is_file else _module_from_here(module_name)
        return getattr(module, attribute)
    except (ImportError, AttributeError, OSError, SyntaxError, ValueError) as error:
        raise ConfigError(
            f"Cannot import {shown(path)}: {error}. Expected 'package.module:Name' or 'file.py:Name'."
        ) from error


def location_of(path: str) -> str:
    """Where :func:`import_object` would find the code of an import path, without importing it; empty if nowhere.

    A file by its absolute path; a module by the file of its top-level package.
    """
    module, _, _ = path.rpartition(":")
    if module.endswith(".py"):
        return str(Path(module).resolve())
    top = module.partition(".")[0]
    places = [*sys.path, str(Path.cwd())]
    try:
        spec = importlib.machinery.PathFinder.find_spec(top, places)
    except (ImportError, ValueError):
        return ""
    return "" if spec is None else str(spec.origin or next(iter(spec.submodule_search_locations or ()), ""))


def _module_from_here(name: str) -> Any:
    """Import a module, one of the current directory too, as ``python -m`` would."""
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)
    return importlib.import_module(name)


def name_of(item: Any) -> str | None:
    """The import path from which :func:`import_object` gets ``item`` again, or None if there is none.

    Example:
        >>> name_of(Registry)
        'gennas.registry:Registry'
    """
    module, name = getattr(item, "__module__", None), getattr(item, "__qualname__", "")
    if module is None or module == "__main__" or not name.isidentifier():
        return None
    loaded = sys.modules.get(module)
    if getattr(loaded, name, None) is not item:
        return None
    file = getattr(loaded, "__file__", None)
    return f"{file}:{name}" if module.startswith(_USER_FILE) and file else f"{module}:{name}"


_USER_FILE = "_gennas_user_"


def user_files() -> tuple[str, ...]:
    """Python files that things were imported from by path; another process imports them before it unpickles."""
    files = (getattr(m, "__file__", None) for name, m in sys.modules.items() if name.startswith(_USER_FILE))
    return tuple(file for file in files if file is not None)


def import_user_files(files: Iterable[str]) -> None:
    """Import what :func:`user_files` named in another process.

    Raises:
        ImportError: a file is gone.
    """
    for file in files:
        _module_from_file(Path(file))


def _module_from_file(file: Path) -> Any:
    # A stable name, so that worker processes can import the same classes again.
    name = f"{_USER_FILE}{file.resolve().stem}"
    if name in sys.modules and getattr(sys.modules[name], "__file__", None) == str(file.resolve()):
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file.resolve())
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]  # half a module would pass for a whole one
        raise
    return module
