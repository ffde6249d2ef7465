"""What can be named, and what each name can be told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

from gennas.errors import ConfigError, UnknownNameError
from gennas.registry import Option, Registry, import_object, options_of, summary_of

__all__ = ["KINDS", "Kind", "list_names", "list_options"]

Kind = Literal["spaces", "tasks", "strategies", "generators", "proxies", "tables", "evaluators", "metrics"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_REGISTRIES = {
    "spaces": "gennas.spaces:SPACES",
    "strategies": "gennas.search:STRATEGIES",
    "tables": "gennas.eval.tables:TABLES",
    "tasks": "gennas.training:TASKS",
    "proxies": "gennas.eval.proxies:PROXIES",
    "generators": "gennas.generators.registry:GENERATORS",
    "evaluators": "gennas.workbench.evaluators:EVALUATORS",
}
# Provided by the program, not by the user.
_GIVEN = {"strategies": ("space", "objectives", "seed"), "tables": ("space",), "evaluators": ("space", "task")}


def list_names(kind: Kind) -> list[tuple[str, str]]:
    """Everything of one kind that can be named, with its first docstring line."""
    if kind == "metrics":
        return _metrics()
    registry = _registry(kind)
    return [(name, _summary(registry, name)) for name in registry]


def list_options(kind: Kind, name: str) -> tuple[str, list[Option]]:
    """The first docstring line of something, and every option with its default and meaning.

    Args:
        kind: what it is.
        name: from :func:`list_names`, or an import path.

    Raises:
        UnknownNameError: nothing has that name.
        ConfigError: things of this kind have no options.
    """
    if kind == "metrics":
        raise ConfigError("A metric has no options; `gennas list metrics` says what it is.")
    item = _registry(kind).get(name)
    factory = _factory(kind, item)
    options = options_of(factory, _GIVEN.get(kind, ())) if callable(factory) else []
    return summary_of(item), options


def _registry(kind: str) -> Registry[Any]:
    if kind not in _REGISTRIES:
        raise UnknownNameError("kind", kind, KINDS)
    found: Registry[Any] = import_object(_REGISTRIES[kind])
    return found


def _summary(registry: Registry[Any], name: str) -> str:
    try:
        return summary_of(registry.get(name))
    except ConfigError as error:  # an installed package that cannot be imported must not hide the others
        return f"({error})"


def _factory(kind: str, item: Any) -> Callable[..., Any]:
    """What takes the options: for a generator its settings."""
    factory: Callable[..., Any] = getattr(item, "settings_type", item) if kind == "generators" else item
    return factory


def _metrics() -> list[tuple[str, str]]:
    from gennas.eval.tables import TABLES, open_table
    from gennas.spaces import SPACES, make_space
    from gennas.training import MEASURES, TrainEvaluator, make_task

    name = next(iter(TABLES))
    family = name.partition("/")[0]
    table = open_table(name, make_space(family))
    trained = TrainEvaluator(make_space(next(iter(SPACES))), make_task("digits"), measure=tuple(MEASURES)).metrics
    rows = [(m.name, f"training: {m.description} ({m.direction})") for m in trained.values()]
    rows += [(m.name, f"{family} tables: {m.description} ({m.direction})") for m in table.metrics.values()]
    return [*rows, ("…", "every numeric column of a table given with --table FILE")]
