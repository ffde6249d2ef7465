"""Settings as objects: checked when they are made, whether by Python, by a YAML file or by the command line.

Every verb's settings are a frozen dataclass of a few shared parts (:class:`SpaceSettings`, :class:`TaskSettings`,
:class:`FidelitySettings`). A field's docstring is its help text; the class that declares it is its group there.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, get_type_hints

import yaml
from pydantic import BeforeValidator, ConfigDict, Field, PlainValidator, TypeAdapter, ValidationError

from gennas.errors import ConfigError, UnknownNameError, shown
from gennas.eval.base import FULL_FIDELITY, Fidelity
from gennas.registry import name_of
from gennas.spaces import SPACES, Space
from gennas.workbench.values import load_yaml, parse_options, read_value

__all__ = [
    "NO_OPTIONS", "Count", "FidelitySettings", "Finite", "Limits", "OptionMap", "Options", "Part", "Paths", "Positive",
    "ScaledSettings", "Seed", "Settings", "Share", "SizeSettings", "SpaceSettings", "Steps", "Switch", "TaskSettings",
    "Texts", "TrustSettings",
    "load_yaml", "named_space", "parse_options", "read_limits", "read_value", "reference", "supernet_settings",
]  # fmt: skip

Count = Annotated[int, Field(strict=True, ge=1)]
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**63)]
Finite = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
Steps = Annotated[int, Field(strict=True, ge=0)]
Share = Annotated[float, Field(strict=True, gt=0, le=1)]
Switch = Annotated[bool, Field(strict=True)]


class Options(Mapping[str, Any]):
    """Arguments of a part by name: an immutable mapping of plain values.

    Example:
        >>> Options.of(["num_cells=1"]) == Options.of({"num_cells": 1}) == {"num_cells": 1}
        True
        >>> Options.of({"lr": 1e-3, "select": "best"}).pairs()
        ['lr=0.001', 'select=best']
    """

    def __init__(self, values: Mapping[str, Any] = {}) -> None:
        self._values = dict(values)

    @classmethod
    def of(cls, value: object) -> Options:
        """From a mapping, from ``KEY=VALUE`` texts, or from one such text.

        Raises:
            ConfigError: neither, or a key is no name.
        """
        if isinstance(value, str):
            return cls(parse_options([value]))
        if isinstance(value, Mapping):
            wrong = [key for key in value if not (isinstance(key, str) and key.isidentifier())]
            if wrong:
                raise ConfigError(f"Expected names of options as keys, got {shown(wrong[0])}.")
            return cls(value)
        if value is None:
            return cls()
        if isinstance(value, (list, tuple)) and all(isinstance(pair, str) for pair in value):
            return cls(parse_options(value))
        raise ConfigError(f"Expected a mapping of options or KEY=VALUE texts, got {shown(value)}.")

    def pairs(self) -> list[str]:
        """As ``KEY=VALUE`` texts, which :meth:`of` reads again."""
        return [f"{key}={_flow(value)}" for key, value in self._values.items()]

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(json.dumps(self._values, sort_keys=True, default=repr))

    def __repr__(self) -> str:
        return repr(self._values)


def _flow(value: Any) -> str:
    """A value in one line of YAML."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10**9, sort_keys=False).strip()
    return text.removesuffix("\n...").strip() if isinstance(value, (list, dict)) else text.partition("\n")[0]


NO_OPTIONS = Options()
OptionMap = Annotated[Mapping[str, Any], PlainValidator(Options.of)]


def read_limits(value: object) -> Options:
    """Limits by name, positive numbers, from a mapping or from ``NAME=VALUE`` texts, split at the last ``=``.

    Raises:
        ConfigError: a value is not a positive number.

    Example:
        >>> read_limits(["seconds=1e6"])
        {'seconds': 1000000.0}
    """
    given = _limits_of(value)
    for name, limit in given.items():
        if isinstance(limit, bool) or not isinstance(limit, (int, float)) or not 0 < limit < float("inf"):
            raise ConfigError(
                f"Expected a limit like seconds=600, a positive number, got {shown(name)[1:-1]}={shown(limit)}."
            )
    return Options({name: float(limit) for name, limit in given.items()})


def _limits_of(value: object) -> Mapping[str, Any]:
    """As options are read, but for names that hold any character."""
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return value
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) for text in texts):
        return Options.of(value)
    found: dict[str, Any] = {}
    for name, equals, number in (text.rpartition("=") for text in texts):
        if name in found or not (name.strip() and equals):
            return Options.of(texts)  # which says what is wrong
        found[name.strip()] = parse_options([f"limit={number}"])["limit"]
    return found


Limits = Annotated[Mapping[str, float], PlainValidator(read_limits)]
Paths = Annotated[
    tuple[Path, ...], BeforeValidator(lambda value: (value,) if isinstance(value, (str, Path)) else value)
]
Texts = Annotated[tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)]
Part = Any
"""A name from a registry, an import path, a class, a function, or the thing itself."""


@dataclass(frozen=True)
class Settings:
    """Base of all settings: values are checked, and made immutable, when an object is made.

    Raises:
        ConfigError: a value of the wrong type or out of range.
    """

    parts: ClassVar[tuple[str, ...]] = ()
    """Those of the fields declared here that may hold objects instead of names."""

    def __post_init__(self) -> None:
        for name, adapter in _adapters(type(self)).items():  # type: ignore[arg-type]  # classes do hash
            value = getattr(self, name)
            try:
                clean = adapter.validate_python(value)
            except ValidationError as error:
                raise ConfigError(f"{_flag(name)}: {_reason(error, value)}") from error
            for path in clean if isinstance(clean, tuple) else (clean,):
                if isinstance(path, Path) and "\0" in str(path):
                    raise ConfigError(f"{_flag(name)}: expected a path, got a text with a NUL character.")
            object.__setattr__(self, name, clean)
        for name in self.part_names():
            if isinstance(value := getattr(self, name), (bool, int, float, list, tuple, dict)):
                raise ConfigError(
                    f"{_flag(name)}: expected a name, an import path or the thing itself, got {shown(value)}."
                )
        self.check()

    def check(self) -> None:
        """Refuse what contradicts itself.

        Raises:
            ConfigError: it does.
        """

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as written to ``config.yaml``; objects by the name under which they are found again."""
        return {f.name: self._plain(f.name) for f in dataclasses.fields(self)}

    def _plain(self, name: str) -> Any:
        value = getattr(self, name)
        if isinstance(value, Options):
            return dict(value)
        if isinstance(value, Path):
            return str(value)
        if name in self.part_names() and value is not None and not isinstance(value, str):
            return reference(value)
        return list(value) if isinstance(value, tuple) else value

    @classmethod
    def part_names(cls) -> frozenset[str]:
        """Fields that may hold objects instead of names."""
        return frozenset(name for base in cls.__mro__ for name in base.__dict__.get("parts", ()))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build from plain values, as read from YAML.

        Raises:
            UnknownNameError: a key is not a setting.
            ConfigError: a value has the wrong type.
        """
        names = [f.name for f in dataclasses.fields(cls)]
        for name in values:
            if name not in names:
                raise UnknownNameError("setting", name, names)
        return cls(**values)


@cache
def _adapters(cls: type[Any]) -> dict[str, TypeAdapter[Any]]:
    """What checks each field, from its annotation."""
    hints = get_type_hints(cls, include_extras=True)
    config = ConfigDict(arbitrary_types_allowed=True)
    return {f.name: TypeAdapter(hints[f.name], config=config) for f in dataclasses.fields(cls)}


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _reason(error: ValidationError, value: object) -> str:
    """The first complaint, in one sentence: what was expected, what was got."""
    first = error.errors()[0]
    about = first.get("ctx", {})
    if isinstance(about.get("error"), Exception):  # one of ours: it says all
        text = str(about["error"]).rstrip(".")
        return f"{text[:1].lower()}{text[1:]}."
    expected = _EXPECTED.get(first["type"], "").format(**about)
    if first["type"] == "literal_error":
        near = difflib.get_close_matches(str(value), re.findall(r"'([^']*)'", about["expected"]), n=1)
        return f"expected {about['expected']}, got {shown(value)}." + (f" Did you mean {near[0]}?" if near else "")
    return f"{f'expected {expected}' if expected else first['msg'].lower()}, got {shown(value)}."


_EXPECTED = {
    "greater_than_equal": "at least {ge:g}",
    "greater_than": "more than {gt:g}",
    "less_than_equal": "at most {le:g}",
    "less_than": "less than {lt:g}",
    "finite_number": "a finite number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "path_type": "a path",
}


def named_space(space: Space) -> str:
    """The name, the YAML file or the import path that makes a space like this one again."""
    return str(space.file) if space.file is not None else SPACES.name_of(type(space)) or reference(type(space))


def reference(part: Any) -> str:
    """How an object is named in ``config.yaml``: an import path, or ``object:Name`` where there is none."""
    return name_of(part) or f"object:{getattr(part, 'name', '') or getattr(part, '__qualname__', type(part).__name__)}"


# ---------------------------------------------------------------------- shared parts


@dataclass(frozen=True)
class TrustSettings(Settings):
    """What may be run of somebody else's."""

    trust: Switch = False
    """Import the code that a run's settings name although somebody else wrote them; your own runs need no such word."""


@dataclass(frozen=True)
class SpaceSettings(Settings):
    """What is searched."""

    parts: ClassVar[tuple[str, ...]] = ("space",)

    space: Part = "nasbench201"
    """Search space: a name from `gennas list spaces`, `module:Class` / `file.py:Class`, or a
    file `….yaml` that describes one."""
    space_option: OptionMap = NO_OPTIONS
    """Arguments of the space, as KEY=VALUE (for example num_cells=1); `gennas list spaces NAME` shows them."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values; a space that was given as an object by its class and the arguments it was made with."""
        values = super().to_dict()
        if isinstance(self.space, Space):
            values |= {"space": named_space(self.space), "space_option": dict(self.space.options)}
        return values


@dataclass(frozen=True)
class TaskSettings(Settings):
    """What networks are for."""

    parts: ClassVar[tuple[str, ...]] = ("task",)

    task: Part | None = None
    """Task: a name from `gennas list tasks`, or `module:attribute` / `file.py:attribute`."""
    task_option: OptionMap = NO_OPTIONS
    """Arguments of the task, as KEY=VALUE; `gennas list tasks NAME` shows them."""
    download: Switch = False
    """Allow the task to download its dataset."""


@dataclass(frozen=True)
class FidelitySettings(Settings):
    """How much of a full training is spent."""

    epochs: Count | None = None
    """Training epochs (default: the task's)."""
    data_fraction: Share = 1.0
    """Share of the training set used, in (0, 1]."""
    resolution: Share = 1.0
    """Scale of image height and width, in (0, 1]."""
    width: Share = 1.0
    """Scale of the network's channels, in (0, 1]."""
    depth: Share = 1.0
    """Scale of the network's cells (or layers) per stage, in (0, 1]."""
    context: Share = 1.0
    """Scale of the number of tokens that a network sees, in (0, 1]."""

    @property
    def fidelity(self) -> Fidelity:
        """The same as a value."""
        return Fidelity(self.epochs, self.data_fraction, self.resolution, self.width, self.depth, self.context)


@dataclass(frozen=True)
class SizeSettings(Settings):
    """How large networks and images are; what is not given is a run's, where there is one."""

    resolution: Share | None = None
    """Scale of image height and width, in (0, 1]. Default: the run's, else 1."""
    context: Share | None = None
    """Scale of the number of tokens, in (0, 1]. Default: the run's, else 1."""
    width: Positive | None = None
    """Scale of the network's channels; more than 1 is wider. Default: the run's, else 1."""
    depth: Positive | None = None
    """Scale of the network's cells (or layers) per stage; more than 1 is deeper. Default: the run's, else 1."""
    full: Switch = False
    """Nothing of the run's fidelity: whole images and networks, and in a training all data and the recipe's epochs."""

    def effort(self, found: Fidelity | None) -> dict[str, Any]:
        """Epochs, data, resolution, width and depth, as far as these settings have them.

        Args:
            found: what a run spent, for what is not given here; None: everything.
        """
        default = asdict(FULL_FIDELITY if self.full or found is None else found)
        mine = {name: getattr(self, name) for name in default if hasattr(self, name)}
        return {name: default[name] if value is None else value for name, value in mine.items()}


@dataclass(frozen=True)
class ScaledSettings(SizeSettings):
    """How long and on how much is trained, and how large the networks are."""

    epochs: Count | None = None
    """Training epochs. Default: the run's, else the task's."""
    data_fraction: Share | None = None
    """Share of the training set used, in (0, 1]. Default: the run's, else 1."""


def supernet_settings(directory: Path) -> Mapping[str, Any]:
    """Space and task of a supernet as settings; nothing where it says nothing or is not there, which is said later."""
    try:
        found = json.loads((directory / "supernet.json").read_text())["settings"]
        return {name: found[name] for name in ("space", "space_option", "task", "task_option")}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
