"""From words on a command line to settings: groups, defaults, YAML files, and what overrides what."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import tyro

from gennas.errors import ConfigError
from gennas.workbench.config import ProblemConfig
from gennas.workbench.settings import Settings, load_yaml

__all__ = ["Verb", "parse"]


@dataclass(frozen=True)
class Verb:
    """One verb of the command line; its module is imported when it is used.

    Args:
        module: holds ``SETTINGS``, what the verb can be told, and ``run``, which does it, prints, and returns the exit
            code.
        summary: what it does, in a few words.
        example: a command that works.
        positional: settings that may be given without their flags, as the first words.
    """

    module: str
    summary: str
    example: str
    positional: tuple[str, ...] = ()

    @property
    def settings(self) -> type[Settings]:
        """What the verb can be told."""
        found: type[Settings] = importlib.import_module(self.module).SETTINGS
        return found

    def run(self, settings: Settings) -> int:
        """Do it; returns the exit code."""
        code: int = importlib.import_module(self.module).run(settings)
        return code


def parse(name: str, verb: Verb, words: Sequence[str]) -> Any:
    """Settings from words: a YAML file's values come before the defaults, flags before both.

    A flag replaces what the file says, one that may be repeated too.

    Raises:
        ConfigError: a value out of range, or a file that cannot be read.
        SystemExit: an unknown flag, a word that is no number; or help was asked for and printed.
    """
    values, words = _from_yaml(verb.settings, list(words))
    words = _with_flags(words, verb.positional)
    form = tyro.cli(
        _form(verb.settings),
        prog=f"gennas {name}",
        description=_description(verb),
        args=words,
        config=(tyro.conf.UseAppendAction,),
    )
    given = _flags(words)
    for group in dataclasses.fields(form):
        part = getattr(form, group.name)
        values |= {
            f.name: getattr(part, f.name) for f in dataclasses.fields(part) if _flag(verb.settings, f.name) & given
        }
    return verb.settings.from_dict(values)


def _description(verb: Verb) -> str:
    """What the verb does, an example, and that settings may stand in a file."""
    from_file = "\n\nSettings may also stand in a YAML file: --config FILE." if _reads_yaml(verb.settings) else ""
    return f"{inspect.getdoc(verb.settings)}\n\nExample:\n  {verb.example}{from_file}"


def _reads_yaml(settings: type[Settings]) -> bool:
    return issubclass(settings, ProblemConfig)


def _from_yaml(settings: type[Settings], words: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Take ``--config FILE`` out of the words and return the settings that the file holds."""
    for i, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if flag != "--config":
            continue
        if not _reads_yaml(settings):
            raise ConfigError("--config works with search and compare only.")
        path = value if equals else (words[i + 1] if i + 1 < len(words) else "")
        values = load_yaml(Path(path))
        values.pop("version", None)
        settings.from_dict(values)  # complain about the file, not about flags
        return values, words[:i] + words[i + (1 if equals else 2) :]
    return {}, words


def _with_flags(words: Sequence[str], positional: Sequence[str]) -> list[str]:
    """The words, the first of which get the flags that they stand for."""
    n = 0
    while n < min(len(words), len(positional)) and not words[n].startswith("-"):
        n += 1
    return [part for name, word in zip(positional, words[:n], strict=False) for part in (f"--{name}", word)] + [
        *words[n:]
    ]


def _flags(words: Sequence[str]) -> set[str]:
    """Names of the flags among the words, without dashes and values."""
    found = {word.partition("=")[0].lstrip("-").replace("_", "-") for word in words if word.startswith("-")}
    return found | {name.removeprefix("no-") for name in found}


def _flag(settings: type[Settings], name: str) -> set[str]:
    """The flags that set a field."""
    field = next(f for f in dataclasses.fields(settings) if f.name == name)
    return {str(field.metadata.get("flag", name)).replace("_", "-"), *field.metadata.get("aliases", ())}


# ---------------------------------------------------------------------- the form


def _form(settings: type[Settings]) -> type[Any]:
    """A class for tyro: the fields of each class that settings are composed of are a group of the help."""
    hints, docs = get_type_hints(settings, include_extras=True), _docs(settings)
    fields = {f.name: f for f in dataclasses.fields(settings)}
    groups = []
    for owner, names in _groups(settings).items():
        entries = [_entry(fields[name], hints[name], docs.get(name, "")) for name in names]
        group = dataclasses.make_dataclass(owner.__name__, entries, frozen=True)
        group.__doc__ = (inspect.getdoc(owner) or "").partition("\n")[0] if owner is not settings else ""
        title = _title(owner) if owner is not settings else "more"
        groups.append((title, group, dataclasses.field(default=group())))
    return dataclasses.make_dataclass(settings.__name__, groups, frozen=True)


def _groups(settings: type[Settings]) -> dict[type[Any], list[str]]:
    """Fields by the class that declares them last, in the order of the classes' mention."""
    owners = {}
    for base in reversed(settings.__mro__):
        for name in inspect.get_annotations(base):
            owners[name] = base
    fields = [f.name for f in dataclasses.fields(settings)]
    order = [c for c in reversed(settings.__mro__) if c in owners.values()]
    found = {owner: [name for name in fields if owners[name] is owner] for owner in order}
    return {owner: names for owner, names in found.items() if names}


def _title(owner: type[Any]) -> str:
    return owner.__name__.removesuffix("Settings").removesuffix("Config").lower() or "more"


def _entry(field: dataclasses.Field[Any], hint: Any, doc: str) -> tuple[str, Any, Any]:
    """Name, type and default of one flag."""
    default = field.default  # every setting has one
    options: dict[str, Any] = {"help": doc, "prefix_name": False}
    if "flag" in field.metadata:
        options["name"] = field.metadata["flag"]
    if "aliases" in field.metadata:
        options["aliases"] = tuple(f"-{a}" if len(a) == 1 else f"--{a}" for a in field.metadata["aliases"])
    kind = _kind(hint, default)
    if kind == tuple[str, ...]:
        options["metavar"] = "KEY=VALUE" if isinstance(default, Mapping) else "TEXT"
        default = () if isinstance(default, Mapping) else default
    return field.name, Annotated[kind, tyro.conf.arg(**options)], dataclasses.field(default=default)


def _kind(hint: Any, default: Any) -> Any:
    """What tyro reads for an annotation: texts for options, a text for a part; pydantic's marks are dropped."""
    if isinstance(default, Mapping):
        return tuple[str, ...]
    if get_origin(hint) is Annotated:
        return _kind(get_args(hint)[0], default)
    if hint is Any or Any in get_args(hint):
        return str if isinstance(default, str) else str | None
    return hint


def _docs(settings: type[Any]) -> dict[str, str]:
    """The docstrings below fields, of a class and its bases."""
    found: dict[str, str] = {}
    for base in reversed(settings.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        assert isinstance(body, ast.ClassDef)
        for line, following in zip(body.body, body.body[1:], strict=False):
            if (
                isinstance(line, ast.AnnAssign)
                and isinstance(line.target, ast.Name)
                and isinstance(following, ast.Expr)
            ):
                text = following.value.value if isinstance(following.value, ast.Constant) else ""
                found[line.target.id] = inspect.cleandoc(str(text)).replace("\n", " ")
    return found
