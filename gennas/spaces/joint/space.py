"""Any space together with settings of the training recipe: learning rate, weight decay, batch size."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, InvalidArchitectureError, shown
from gennas.graph import Architecture, GraphSchema, IntArray, Population
from gennas.registry import name_of
from gennas.spaces.base import SPACES, BoolArray, FloatArray, Space
from gennas.spaces.spec import TaskSpec

if TYPE_CHECKING:
    from torch import nn

__all__ = ["JointSpace"]

_WITH = " with "


_DEFAULT = {"lr": (0.001, 0.01, 0.1)}


@SPACES.register("joint")
class JointSpace(Space):
    r"""Architectures of another space with settings of their training, given as ``lr=[0.01, 0.03]``.

    The graph is that of the base with one more node for each setting, without edges. Every decision about the base
    is the base's; settings are independent of it and of each other. So the space holds

    .. math:: |base| \prod_s |values_s|

    pairs, and is sampled uniformly where the base is. Two pairs are equal only if both parts are.
    :meth:`hyperparameters` gives the settings of a pair, which replace those of the training recipe. The text is the
    base's, then the settings: ``|nor_conv_3x3~0|+… with lr=0.01, batch_size=64``.

    Args:
        base: a space, or what names one.
        base_option: arguments of the base, where it is named: ``{num_cells: 1, width: 4}``.
        settings: values by setting of the recipe: ``lr=[0.01, 0.03]``; a text is a list with commas. Without any:
            three learning rates, 0.001, 0.01 and 0.1.

    Raises:
        ConfigError: a setting without different values, or options of a base that is made already.

    Example:
        >>> space = JointSpace("nasbench201", {"num_cells": 1}, lr=[0.01, 0.03, 0.1])
        >>> space.size
        46875
        >>> arch = space.from_text(
        ...     "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2| with lr=0.03"
        ... )
        >>> space.hyperparameters(arch)
        {'lr': 0.03}
    """

    unshared: ClassVar[str] = "training settings cannot be shared; its base may have one"

    def __init__(
        self, base: str | Space = "nasbench201", base_option: Mapping[str, Any] | None = None, **settings: Any
    ) -> None:
        if isinstance(base, Space) and base_option:
            raise ConfigError(f"joint: the base {base.name} is made already: expected no base_option.")
        self.base = base if isinstance(base, Space) else _made(base, base_option or {})
        self.settings = {name: _values(name, values) for name, values in (settings or _DEFAULT).items()}
        named = base if isinstance(base, str) else _name_of(base)
        self.options = {
            "base": named,
            "base_option": dict(self.base.options if base is self.base else base_option or {}),
            **{name: list(values) for name, values in self.settings.items()},
        }
        self.name = f"joint-{self.base.name}"
        self._base_identity = self.base.identity  # part of this space's own
        self._labels = [[f"{name}={value}" for value in values] for name, values in self.settings.items()]
        self.schema = _schema(self.name, self.base.schema, self.settings, self._labels)
        self._d = self.base.schema.num_decisions
        self._k = len(self.base.schema.node_labels)
        self._free = [i for i, labels in enumerate(self._labels) if len(labels) > 1]  # settings that leave a choice

    def for_task(self, task: str) -> JointSpace:
        """The base as the task needs it, with the same settings."""
        base = self.base.for_task(task)
        return self if base is self.base else JointSpace(base, None, **self.settings)

    def scaled(self, width: float = 1.0, depth: float = 1.0) -> JointSpace:
        """The base with ``width`` times the channels and ``depth`` times the layers, with the same settings."""
        return JointSpace(self.base.scaled(width, depth), None, **self.settings)

    # ------------------------------------------------------------------ the two parts

    def parts(self, population: Population) -> tuple[Population, IntArray]:
        """Architectures of the base, and the place of every setting's value among its values, ``(b, settings)``."""
        n, schema = self.base.schema.num_nodes, self.base.schema
        E = population.E[:, :n, :n] if schema.has_free_edges else schema.same_edges(len(population))
        starts = self._k + np.cumsum([0, *(len(labels) for labels in self._labels[:-1])])
        return Population(schema, population.X[:, :n], E), (population.X[:, n:] - starts).astype(np.int16)

    def joined(self, base: Population, chosen: NDArray[np.integer]) -> Population:
        """The pairs of architectures of the base and values of the settings: the inverse of :meth:`parts`."""
        n, m = self.base.schema.num_nodes, len(self._labels)
        starts = self._k + np.cumsum([0, *(len(labels) for labels in self._labels[:-1])])
        X = np.concatenate([base.X, (chosen + starts).astype(np.int16)], axis=1)
        if not self.schema.has_free_edges:
            return Population(self.schema, X, self.schema.same_edges(len(X)))
        E = np.zeros((len(X), n + m, n + m), dtype=np.int16)
        E[:, :n, :n] = base.E
        return Population(self.schema, X, E)

    def hyperparameters(self, arch: Architecture) -> Mapping[str, Any]:
        """The settings of a pair, by name."""
        _, chosen = self.parts(Population.of(self.schema, [arch]))
        return {name: values[i] for (name, values), i in zip(self.settings.items(), chosen[0], strict=True)}

    def base_architecture(self, arch: Architecture) -> Architecture:
        """The architecture of a pair, in the base."""
        return self.parts(Population.of(self.schema, [arch]))[0][0]

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        """The base's network; settings do not change it."""
        return self.base.build(self.base_architecture(arch), spec)

    def count_parameters(self, population: Population, spec: TaskSpec) -> NDArray[np.int64] | None:
        """The base's count."""
        return self.base.count_parameters(self.parts(population)[0], spec)

    # ------------------------------------------------------------------ what is legal

    @property
    def size(self) -> int | None:
        """Exact number of pairs, where the base is counted."""
        base = self.base.size
        return None if base is None else base * math.prod(len(values) for values in self.settings.values())

    @property
    def samples_uniformly(self) -> bool:
        """As the base."""
        return self.base.samples_uniformly

    def legal(self, D: NDArray[np.integer], t: int) -> BoolArray:
        """What the base admits, and any value of a setting."""
        if t >= self._d:
            return super().legal(D, t)
        return self._widened(self.base.legal(D[:, : self._d], t))

    def completions(self, D: NDArray[np.integer], t: int) -> FloatArray | None:
        """The base's numbers times the values of all settings; None where the base does not count."""
        after = self._free[t - self._d + 1 :] if t >= self._d else self._free
        rest = math.prod(len(self._labels[i]) for i in after)
        if t >= self._d:
            counted: FloatArray = self.legal(D, t).astype(np.float64) * rest
            return counted
        counts = self.base.completions(D[:, : self._d], t)
        return None if counts is None else self._widened(counts * rest)

    def _widened(self, by_symbol: NDArray[Any]) -> NDArray[Any]:
        """Columns for the labels that only settings have."""
        more = self.schema.num_symbols - by_symbol.shape[1]
        return np.pad(by_symbol, ((0, 0), (0, more))) if more else by_symbol

    def is_valid(self, population: Population) -> BoolArray:
        """Whether each graph is a pair of a valid architecture and values of the settings, ``(b,)``."""
        ok = self.schema.allows(population.X, population.E)
        found: BoolArray = ok & self.base.is_valid(self.parts(population)[0])
        return found

    def canonical(self, population: Population) -> Population:
        """The base's representative with the same settings."""
        base, chosen = self.parts(population)
        return self.joined(self.base.canonical(base), chosen)

    # ------------------------------------------------------------------ moves

    def sample(self, n: int, rng: np.random.Generator) -> Population:
        """Draw ``n`` pairs: the base's sample, and settings uniformly."""
        return self.joined(self.base.sample(n, rng), rng.integers(self._counts, size=(n, len(self._counts))))

    def mutate(self, population: Population, rng: np.random.Generator) -> Population:
        """One edit: of a setting as often as settings are among the decisions, else of the architecture."""
        base, chosen = self.parts(population)
        chosen = chosen.copy()
        of_settings = rng.random(len(base)) * (self._d + len(self._free)) >= self._d
        rows = np.flatnonzero(~of_settings)
        mutants = base.replaced(rows, self.base.mutate(base[rows], rng))
        same = np.array(base.keys)[rows] == np.array(mutants.keys)[rows] if len(rows) else np.zeros(0, dtype=bool)
        rows = np.concatenate([np.flatnonzero(of_settings), rows[same]])  # an architecture without neighbours, too
        if self._free and len(rows):
            which = np.array(self._free)[rng.integers(len(self._free), size=len(rows))]
            other = rng.integers(self._counts[which] - 1)
            chosen[rows, which] = other + (other >= chosen[rows, which])
        return self.joined(mutants, chosen)

    def neighbours(self, arch: Architecture) -> Population:
        """The architecture's neighbours with the same settings, then the architecture with one other setting."""
        base, chosen = self.parts(Population.of(self.schema, [arch]))
        near = self.base.neighbours(base[0])
        found = [self.joined(near, np.repeat(chosen, len(near), axis=0))]
        for i in self._free:
            others = [value for value in range(self._counts[i]) if value != chosen[0, i]]
            rows = np.repeat(chosen, len(others), axis=0)
            rows[:, i] = others
            found.append(self.joined(base[np.zeros(len(others), dtype=np.intp)], rows))
        return Population.concat(found)

    def crossover(self, a: Population, b: Population, rng: np.random.Generator) -> Population:
        """The base's crossover, and every setting from either parent."""
        (base_a, chosen_a), (base_b, chosen_b) = self.parts(a), self.parts(b)
        take_a = rng.random(chosen_a.shape) < 0.5
        return self.joined(self.base.crossover(base_a, base_b, rng), np.where(take_a, chosen_a, chosen_b))

    @property
    def _counts(self) -> NDArray[np.intp]:
        return np.array([len(labels) for labels in self._labels], dtype=np.intp)

    # ------------------------------------------------------------------ text

    def to_text(self, arch: Architecture) -> str:
        """The base's text and the settings: ``… with lr=0.01, batch_size=64``."""
        base, chosen = self.parts(Population.of(self.schema, [arch]))
        settings = (labels[i] for labels, i in zip(self._labels, chosen[0], strict=True))
        return f"{self.base.to_text(base[0])}{_WITH}{', '.join(settings)}"

    def from_text(self, text: str) -> Architecture:
        """Read what :meth:`to_text` writes; settings may come in any order.

        Raises:
            InvalidArchitectureError: the base's text or a setting is malformed, or a setting is missing.
        """
        return self.from_texts([text])[0]

    def from_texts(self, texts: Sequence[str]) -> Population:
        """Read many texts."""
        split = [text.rpartition(_WITH) for text in texts]
        chosen = np.array([self._chosen(settings if found else "", text) for (_, found, settings), text in zip(
            split, texts, strict=True)], dtype=np.int16).reshape(len(texts), len(self._labels))  # fmt: skip
        return self.canonical(self.joined(self.base.from_texts([base for base, _, _ in split]), chosen))

    def _chosen(self, text: str, whole: str) -> list[int]:
        """Places of the values that a text like ``lr=0.01, batch_size=64`` names."""
        given: dict[str, str] = {}
        for part in text.split(","):
            name, equals, value = (x.strip() for x in part.partition("="))
            if not equals or name not in self.settings or name in given:
                raise InvalidArchitectureError(
                    f"{self.name}: expected an architecture{_WITH}{', '.join(f'{x}=…' for x in self.settings)}, got "
                    f"{reprlib.repr(whole)}."
                )
            given[name] = value
        missing = [name for name in self.settings if name not in given]
        if missing:
            raise InvalidArchitectureError(
                f"{self.name}: the setting {shown(missing[0])} is missing in {shown(whole)}."
            )
        return [self._index(name, given[name]) for name in self.settings]

    def _index(self, name: str, written: str) -> int:
        values = [str(value) for value in self.settings[name]]
        if written not in values:
            try:
                values, written = [str(float(value)) for value in values], str(float(written))
            except ValueError:  # words, or numbers and words
                values = []
        if written not in values:
            known = ", ".join(map(str, self.settings[name]))
            raise InvalidArchitectureError(f"{self.name}: expected {name} out of {known}, got {written[:80]!r}.")
        return values.index(written)


def _name_of(space: Space) -> str:
    """What makes a space like this one again, with its options."""
    known = str(space.file) if space.file is not None else SPACES.name_of(type(space)) or name_of(type(space))
    return known or f"object:{type(space).__name__}"


def _made(name: str, options: Mapping[str, Any]) -> Space:
    from gennas.spaces import make_space

    return make_space(name, **options)


def _values(name: str, values: Any) -> tuple[Any, ...]:
    """The values of a setting: numbers, words, truth values or None; a text is a list with commas."""
    if isinstance(values, str):
        values = [_scalar(part.strip()) for part in values.split(",")]
    found = tuple(values) if isinstance(values, (list, tuple)) else (values,)
    plain = all(isinstance(value, (bool, int, float, str)) or value is None for value in found)
    texts = {str(value) for value in found}
    if not plain or not found or len(texts) < len(found) or any("," in text or _WITH in text for text in texts):
        raise ConfigError(
            f"joint: expected different numbers or words as values of {shown(name)}, such as lr=[0.01, 0.03], got "
            f"{reprlib.repr(values)}."
        )
    return found


def _scalar(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False, "none": None}.get(text.lower(), text)


def _schema(
    name: str, base: GraphSchema, settings: Mapping[str, tuple[Any, ...]], labels: Sequence[Sequence[str]]
) -> GraphSchema:
    """The base's graph and one node for each setting."""
    n, k, m = base.num_nodes, len(base.node_labels), len(labels)
    flat = [label for some in labels for label in some]
    node_mask = np.zeros((n + m, k + len(flat)), dtype=bool)
    node_mask[:n, :k] = base.node_mask
    for i, some in enumerate(labels):
        node_mask[n + i, k:] = [label in some for label in flat]
    edge_mask = np.zeros((n + m, n + m, len(base.edge_labels)), dtype=bool)
    edge_mask[..., 0] = True
    edge_mask[:n, :n] = base.edge_mask
    names = base.node_names or tuple(f"node {v}" for v in range(n))
    numbers = {
        label: float(value)
        for some, values in zip(labels, settings.values(), strict=True)
        for label, value in zip(some, values, strict=True)
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }
    return GraphSchema(
        name,
        (*base.node_labels, *flat),
        base.edge_labels,
        node_mask,
        edge_mask,
        (*names, *(f"training.{name}" for name in settings)),
        {**base.ordinals, **numbers},
    )
