"""A generator with what it was trained on: its space, its conditions, the architectures that it has seen."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

from gennas.errors import CheckpointError, reason_of, shown
from gennas.generators.base import SETTINGS_FILE, NetworkGenerator
from gennas.generators.conditions import ConditionScale
from gennas.generators.registry import GENERATORS
from gennas.runtime.files import write_atomically
from gennas.runtime.reading import MIB, read_json_bounded
from gennas.spaces import SPACES, Space, make_space

__all__ = ["SpaceSource", "TrainedGenerator", "generator_class"]

_FILE = "gennas.json"
_LARGEST = 512 * MIB
V = TypeVar("V")


def generator_class(kind: str) -> type[NetworkGenerator[Any, Any]]:
    """The class of a generator that was saved: one of gennas' own, or of an installed package.

    Raises:
        CheckpointError: another kind; weights must not bring code with them.
    """
    if kind not in GENERATORS:
        raise CheckpointError(f"Expected a generator of kind {', '.join(GENERATORS)}, got {shown(kind)}.")
    found: type[NetworkGenerator[Any, Any]] = GENERATORS.get(kind)
    return found


@dataclass(frozen=True)
class SpaceSource:
    """How to make a space again: its name, its options, and the task whose variant it is."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    task: str = ""

    def make(self) -> Space:
        """The space.

        Raises:
            UnknownNameError: no space has that name.
            ConfigError: it does not take these options.
        """
        return make_space(self.name, **self.options).for_task(self.task)


@dataclass(frozen=True)
class TrainedGenerator:
    """A generator and everything that is needed to use it elsewhere.

    Args:
        generator: the weights.
        space: where its architectures belong.
        source: how to make the space again; None: it must be named when the generator is loaded.
        scales: what its conditions are, in their order.
        known: keys of the labelled architectures that it was trained on.
        history: one record for each training that led to the weights.

    Example:
        >>> import tempfile
        >>> source = SpaceSource("nasbench201")
        >>> space = source.make()
        >>> generator = generator_class("diffusion")(space.schema, space.legal, num_conditions=0)
        >>> trained = TrainedGenerator(generator, space, source)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     trained.save_pretrained(folder)
        ...     TrainedGenerator.from_pretrained(folder).space.name
        'nasbench201'
    """

    generator: NetworkGenerator[Any, Any]
    space: Space
    source: SpaceSource | None = None
    scales: tuple[ConditionScale, ...] = ()
    known: frozenset[str] = frozenset()
    history: tuple[Mapping[str, Any], ...] = ()

    @property
    def kind(self) -> str:
        """Which generator it is."""
        return self.generator.kind

    def save_pretrained(self, directory: str | Path) -> None:
        """Write the generator's own files, and beside them ``gennas.json`` with all the rest."""
        self.generator.save_pretrained(directory)
        record = {
            "kind": self.kind,
            "schema": self.space.schema.fingerprint,
            "space": None if self.source is None else asdict(self.source),
            "conditions": [asdict(scale) for scale in self.scales],
            "known": sorted(self.known),
            "history": [dict(entry) for entry in self.history],
        }
        write_atomically(Path(directory) / _FILE, json.dumps(record, indent=1) + "\n")

    @classmethod
    def from_pretrained(cls, directory: str | Path, space: Space | None = None) -> Self:
        """Read what :meth:`save_pretrained` wrote, or the bare files of a diffusion generator.

        Args:
            directory: the folder, or a run directory, whose last generator is taken.
            space: where architectures belong; default: the space that the folder names, if it is one of gennas's own.

        Raises:
            CheckpointError: nothing readable is there, it belongs to another space, or the space must be given.
        """
        folder = _generator_folder(Path(directory))
        record = _read_record(folder)
        try:
            kind, source, scales, known, history = _parts_of(record)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(
                f"{folder / _FILE} cannot be read ({type(error).__name__}: {reason_of(error)}); train the generator "
                "again."
            ) from error
        home = space or _own_space(source, folder)
        generator = generator_class(kind).from_pretrained(folder, home.schema, home.legal)
        return cls(generator, home, source, _complete(scales, generator.num_conditions, folder), known, history)

    def for_conditions(self, scales: Sequence[ConditionScale], settings: Any = None, seed: int = 0) -> Self:
        """The same weights for other conditions: one of the same metric and direction goes on, others are new.

        Raises:
            CheckpointError: ``settings`` ask for networks of another size.
        """
        mine = [(scale.metric, scale.direction) for scale in self.scales]
        asked = [(scale.metric, scale.direction) for scale in scales]
        kept = [mine.index(pair) if pair in mine else None for pair in asked]
        generator = self.generator.with_conditions(kept, settings, seed)
        return type(self)(generator, self.space, self.source, tuple(scales), self.known, self.history)


def _generator_folder(folder: Path) -> Path:
    """The folder itself, or the last generator of a run directory."""
    rounds = sorted((folder / "generator").glob("round-*"), key=lambda path: (len(path.name), path.name))
    found = rounds[-1] if rounds else folder
    if not (found / SETTINGS_FILE).exists():
        raise CheckpointError(f"Expected a saved generator, or a run that has one, in {folder}; found none there.")
    return found


def _own_space(source: SpaceSource | None, folder: Path) -> Space:
    if source is None:
        raise CheckpointError(f"{folder} does not name its space: say which one it belongs to (--space).")
    if source.name not in SPACES:  # weights must not bring code with them
        raise CheckpointError(
            f"{folder} belongs to the space {shown(source.name)}, which is not one of gennas's own; name it yourself "
            "(--space) if you trust its code."
        )
    return source.make()


def _read_record(folder: Path) -> dict[str, Any]:
    if not (folder / _FILE).exists():
        return {"kind": "diffusion", "space": None, "conditions": [], "known": [], "history": []}
    what, advice = "what a generator was trained on", "train the generator again"
    record = read_json_bounded(folder / _FILE, _LARGEST, CheckpointError, what, advice)
    if not isinstance(record, dict):
        raise CheckpointError(f"{folder / _FILE}: expected {what}, got {shown(record, 60)}; {advice}.")
    return record


def _parts_of(
    record: Any,
) -> tuple[str, SpaceSource | None, tuple[ConditionScale, ...], frozenset[str], tuple[Mapping[str, Any], ...]]:
    """Kind, space, conditions, known keys and history of a record.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    space, kind = record["space"], _a(str, record["kind"], "kind")
    source = None
    if space is not None:
        options = _a(dict, space.get("options", {}), "the space's options")
        source = SpaceSource(
            _a(str, space["name"], "the space's name"), options, _a(str, space.get("task", ""), "task")
        )
    scales = []
    for entry in _a(list, record["conditions"], "conditions"):
        scale = ConditionScale.from_dict({**entry, "metric": _a(str, entry["metric"], "a condition's metric")})
        if scale.direction not in ("max", "min") or not all(math.isfinite(value) for value in scale.values):
            raise ValueError(f"expected a direction and finite values of the condition {shown(scale.metric)}")
        scales.append(scale)
    known = frozenset(_a(str, key, "a known key") for key in _a(list, record["known"], "known"))
    history = tuple(_a(dict, entry, "an entry of the history") for entry in _a(list, record["history"], "history"))
    return kind, source, tuple(scales), known, history


def _a(kind: type[V], value: Any, what: str) -> V:
    """The value, if it is of the kind."""
    if not isinstance(value, kind):
        raise TypeError(f"expected {what} as {kind.__name__}, got {shown(value, 60)}")
    return value


def _complete(scales: tuple[ConditionScale, ...], number: int, folder: Path) -> tuple[ConditionScale, ...]:
    """The scales, or, where none were recorded, nameless ones that know quantiles only."""
    if not scales:
        names = ["quality"] if number == 1 else [f"condition-{i + 1}" for i in range(number)]
        return tuple(ConditionScale(name, "max") for name in names)
    if len(scales) != number:
        raise CheckpointError(
            f"{folder / _FILE} names {len(scales)} conditions, the weights know {number}; train the generator again."
        )
    return scales
