"""The base class of search spaces: a schema, legality, text and modules."""

from __future__ import annotations

import math
import reprlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, InvalidArchitectureError, shown
from gennas.graph import Architecture, GraphSchema, IntArray, Population, draw_labels
from gennas.registry import Registry
from gennas.spaces.arguments import arguments_of
from gennas.spaces.counting import allowed_labels, checked_counts, exact_counts, size_text
from gennas.spaces.spec import TaskSpec

if TYPE_CHECKING:
    from torch import nn

    from gennas.spaces.parts import Parts
    from gennas.spaces.stack import Stack

__all__ = ["SPACES", "Space"]

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]


class Space(ABC):
    """A search space.

    A subclass gives ``name``, ``schema`` and :meth:`build`. Where the schema's masks do not say
    everything it overrides :meth:`legal` (which labels may follow a prefix of decisions) and, for
    exactly uniform sampling, :meth:`completions` (how many valid architectures follow). Where two
    graphs may mean the same architecture it overrides :meth:`canonical`; where a published text
    form exists, :meth:`to_text` and :meth:`from_text`. With the default text form the labels of free
    slots must be different, not empty, without ``/`` and without blanks at their ends; other schemas
    are refused when the space gets them.

    Populations are dense arrays; ``D (b, d)`` are the decisions of ``b`` architectures, in the
    order of ``schema.slots``, and ``L = schema.num_symbols``. Every architecture that a space
    hands out is valid and canonical.
    """

    name: str
    schema: GraphSchema
    formats: ClassVar[Mapping[str, Callable[[str], str]]] = {}
    """Other tools' ways to write its architectures, by the tool's name: each turns such a text into the space's own."""
    reference: ClassVar[Mapping[str, str]] = {}
    """Texts of published architectures, by their name."""
    settings: Mapping[str, tuple[Any, ...]] = MappingProxyType({})
    """Settings of the training recipe that are searched with the architecture: all values of each, by name."""
    file: Path | None = None
    """The YAML file that describes it, where one does; records name a space by it then."""
    unshared: ClassVar[str] = "it does not override network()"
    """Why its networks share no weights, where they do not."""
    options: Mapping[str, Any]
    """The arguments it was made with, by name; records name a space by its class and these."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Check a schema that is an attribute of the class."""
        super().__init_subclass__(**kwargs)
        if isinstance(cls.__dict__.get("schema"), GraphSchema):
            cls._check_labels(cls.schema)

    def __setattr__(self, name: str, value: Any) -> None:
        """Check a schema when it is set."""
        if name == "schema":
            self._check_labels(value)
        super().__setattr__(name, value)

    @classmethod
    def _check_labels(cls, schema: GraphSchema) -> None:
        """Refuse labels that the inherited text form could not tell apart."""
        if cls.to_text is Space.to_text or cls.from_text is Space.from_text:
            schema.require_plain_labels()

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Note the arguments."""
        made = super().__new__(cls)
        made.options = arguments_of(cls, args, kwargs)
        return made

    # ------------------------------------------------------------------ what a space may define

    @abstractmethod
    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        """Return a freshly initialised, trainable module for ``arch`` on a task.

        Raises:
            ConfigError: the space has no networks for ``spec.kind``.
        """

    def network(self, parts: Parts, spec: TaskSpec) -> nn.Module:
        """A network of parts: of one architecture, or of all for a :class:`~gennas.training.supernet.Supernet`.

        Raises:
            ConfigError: the space has no weight-sharing network, or none for ``spec.kind``.
        """
        raise ConfigError(f"Space {self.name!r} has no weight-sharing network: {self.unshared}.")

    def legal(self, D: NDArray[np.integer], t: int) -> BoolArray:
        """Labels that decision ``t`` may take after the first ``t`` columns of ``D``, ``(b, L)``.

        A label is legal if at least one valid architecture starts so: what is sampled under this mask is valid.
        """
        return np.broadcast_to(self.schema.decision_mask[t], (len(D), self.schema.num_symbols))

    def completions(self, D: NDArray[np.integer], t: int) -> FloatArray | None:
        """Number of valid architectures that start with the first ``t`` columns of ``D`` and each label, ``(b, L)``.

        ``None`` means "not counted": sampling then draws every decision uniformly among the legal labels, which is not
        uniform over architectures (:attr:`samples_uniformly` is False). Counts that float64 does not hold are Python
        integers in an array of ``dtype=object`` (:func:`exact_counts`); or, in a space that gives its own :attr:`size`,
        they may be *proportional* to the numbers, each row by a factor of its own, once the size passes 2^45.
        """
        if not self._is_product:
            return None
        rest = math.prod(self.schema.decision_mask[t + 1 :].sum(1).tolist())
        counts = exact_counts([rest if allowed else 0 for allowed in self.schema.decision_mask[t].tolist()])
        return np.broadcast_to(counts, (len(D), self.schema.num_symbols))

    def canonical(self, population: Population) -> Population:
        """The representative of every architecture's equivalence class; the default keeps all distinct."""
        return population

    def equivalents(self, arch: Architecture) -> Population:
        """Others whose networks compute the same functions; one is evaluated where only it keeps a cheap bound."""
        return Population.of(self.schema, [])

    def to_text(self, arch: Architecture) -> str:
        """Text of ``arch``; by default the labels of its decisions joined by ``/``."""
        return "/".join(self.schema.label(t, int(s)) for t, s in enumerate(arch.decisions))

    def from_text(self, text: str) -> Architecture:
        """Read what :meth:`to_text` writes.

        Raises:
            InvalidArchitectureError: the text is malformed or names an architecture outside the space.
        """
        labels = text.strip().split("/") if text.strip() else []
        if len(labels) != self.schema.num_decisions:
            raise InvalidArchitectureError(
                f"{self.name}: expected {self.schema.num_decisions} labels separated by '/', "
                f"got {len(labels)} in {shown(text)}."
            )
        D = np.array([[self.schema.symbol(t, label) for t, label in enumerate(labels)]])
        return self.architecture(D[0])

    def scaled(self, width: float = 1.0, depth: float = 1.0) -> Space:
        """The same space with ``width`` times the channels and ``depth`` times the cells or layers in its networks.

        Numbers of cells are rounded half up, and there is at least one.

        Raises:
            ConfigError: the space cannot scale its networks so.
        """
        raise ConfigError(
            f"Space {self.name!r} has no width or depth fidelity: it does not override scaled(width, depth)."
        )

    def count_parameters(self, population: Population, spec: TaskSpec) -> NDArray[np.int64] | None:
        """Number of parameters of the network that :meth:`build` returns for each architecture, ``(b,)``.

        None means "not known without building it"; a bounded search asks for thousands.
        """
        return None

    def hyperparameters(self, arch: Architecture) -> Mapping[str, Any]:
        """Settings of the training recipe that the architecture brings with it, such as ``{"lr": 0.01}``.

        Whoever trains replaces these in the recipe. The names are those of :attr:`settings`.
        """
        return {}

    def stack(self, arch: Architecture) -> Stack:
        """The layers of ``arch``, which compression replaces one by one.

        Raises:
            ConfigError: layers have no choices of their own.
        """
        raise ConfigError(
            "Expected a space whose layers have choices of their own, such as gpt or autoformer-tiny, got "
            f"{self.name}: it has no layers to replace."
        )

    def for_task(self, task: str) -> Space:
        """The space to search for a named task: itself, unless tasks have variants of the space."""
        return self

    def from_texts(self, texts: Sequence[str]) -> Population:
        """Read many texts; spaces with large tables override it with a batched parser.

        Raises:
            InvalidArchitectureError: one of them is malformed or names an architecture outside the space.
        """
        return Population.of(self.schema, [self.from_text(text) for text in texts])

    # ------------------------------------------------------------------ what every space gets

    @property
    def identity(self) -> str:
        """Name, schema and plain settings: what decides which networks the space builds."""
        plain = {
            name: value
            for name, value in vars(self).items()
            if isinstance(value, (bool, int, float, str, tuple))
            and not isinstance(getattr(type(self), name, None), cached_property)  # there only once it was read
        }
        settings = {"schema": self.schema.fingerprint, **plain}
        return "; ".join([self.name, *(f"{key}={value}" for key, value in sorted(settings.items()) if key != "name")])

    @property
    def size(self) -> int | None:
        """Number of distinct architectures, or None where it is not counted.

        Raises:
            ConfigError: :meth:`completions` overflowed.
        """
        if not self.schema.num_decisions:
            return 1
        counts = self.completions(np.zeros((1, self.schema.num_decisions), dtype=np.int16), 0)
        if counts is None:
            return None
        return int(sum(checked_counts(counts, self.name)[0].tolist()))

    @property
    def size_text(self) -> str:
        """The size in words: ``15,625 architectures``, ``about 1e339 architectures``, ``size not counted``."""
        return size_text(self.size)

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={reprlib.repr(value)}" for name, value in self.options.items())
        return (
            f"<{type(self).__name__}({options}): {self.name}, {self.size_text}, {self.schema.num_decisions} decisions>"
        )

    def _repr_html_(self) -> str:
        """Size, options and decisions, for notebooks."""
        from gennas.spaces.notebook import space_html

        return space_html(self)

    @property
    def samples_uniformly(self) -> bool:
        """Whether :meth:`sample` draws uniformly from the distinct valid architectures."""
        if not self.schema.num_decisions:
            return True
        return self.completions(np.zeros((1, self.schema.num_decisions), dtype=np.int16), 0) is not None

    @cached_property
    def _is_product(self) -> bool:
        """Whether decisions are independent, so that one tensor operation serves all of them."""
        return type(self).legal is Space.legal

    def is_valid(self, population: Population) -> BoolArray:
        """Whether each graph is a valid architecture of the space, ``(b,)``."""
        ok = self.schema.allows(population.X, population.E)
        if self._is_product:
            return ok
        D = np.where(ok[:, None], population.decisions, 0)
        rows = np.arange(len(D))
        for t in range(D.shape[1]):
            ok = ok & self.legal(D, t)[rows, D[:, t]]
        return ok

    def architecture(self, decisions: NDArray[np.integer] | Iterable[int]) -> Architecture:
        """The canonical architecture with the given decisions ``(d,)``.

        Raises:
            InvalidArchitectureError: a label is not admitted, or the whole is not valid.
        """
        D = np.array([list(decisions)], dtype=np.int16)
        if D.shape[1] != self.schema.num_decisions:
            raise InvalidArchitectureError(
                f"{self.name}: expected {self.schema.num_decisions} decisions, got {D.shape[1]}."
            )
        population = Population.from_decisions(self.schema, D)
        if not self.is_valid(population)[0]:
            raise InvalidArchitectureError(f"{self.name}: decisions {D[0].tolist()} are not a valid architecture.")
        return self.canonical(population)[0]

    def sample(self, n: int, rng: np.random.Generator) -> Population:
        """Draw ``n`` independent architectures (repetitions possible), uniformly where counted."""
        mask = self.schema.decision_mask
        if self._is_product:
            ranks = rng.integers(mask.sum(1), size=(n, len(mask)))
            D = allowed_labels(mask)[np.arange(len(mask)), ranks]
        else:
            D = np.zeros((n, len(mask)), dtype=np.int16)
            for t in range(len(mask)):
                weights = self.completions(D, t)
                D[:, t] = draw_labels(self.legal(D, t) if weights is None else checked_counts(weights, self.name), rng)
        return self.canonical(Population.from_decisions(self.schema, D))

    def mutate(self, population: Population, rng: np.random.Generator) -> Population:
        """One random edit of each architecture: valid, canonical and different from its parent.

        An architecture without any neighbour comes back unchanged.
        """
        children, keys = population, np.array(population.keys)
        todo = np.arange(len(population) if self.schema.num_decisions else 0)
        for _ in range(20):
            edited = self.canonical(Population.from_decisions(self.schema, self._edit(population[todo].decisions, rng)))
            changed = np.array(edited.keys) != keys[todo]
            children = children.replaced(todo[changed], edited[changed])
            todo = todo[~changed]
            if not len(todo):
                return children
        for i in todo:  # hardly any edit changes these: draw from all that do
            near = self.neighbours(population[int(i)])
            if len(near):
                children = children.replaced(np.array([i]), near[rng.integers(len(near), size=1)])
        return children

    def neighbours(self, arch: Architecture) -> Population:
        """All distinct architectures one edit away from ``arch``, without itself, in a fixed order."""
        D = np.array([c for t in range(self.schema.num_decisions) for c in self._changes(arch.decisions, t)])
        if not len(D):
            return Population.of(self.schema, [])
        D = D[:, :-1] if self._is_product else self._complete(D[:, :-1], D[:, -1])
        return self._distinct_from(arch, D)

    def crossover(self, a: Population, b: Population, rng: np.random.Generator) -> Population:
        """Uniform crossover: every decision from either parent, kept legal from first to last."""
        take_a = rng.random(a.decisions.shape) < 0.5
        wish = np.where(take_a, a.decisions, b.decisions)
        other = np.where(take_a, b.decisions, a.decisions)
        if not self._is_product:
            rows, D = np.arange(len(wish)), np.zeros_like(wish)
            for t in range(D.shape[1]):
                legal = self.legal(D, t)
                fallback = np.where(legal[rows, other[:, t]], other[:, t], draw_labels(legal, rng))
                D[:, t] = np.where(legal[rows, wish[:, t]], wish[:, t], fallback)
            wish = D
        return self.canonical(Population.from_decisions(self.schema, wish))

    # ------------------------------------------------------------------ how edits are made

    def _distinct_from(self, arch: Architecture, D: NDArray[np.integer]) -> Population:
        """The distinct canonical architectures among valid rows of decisions, without ``arch``."""
        near = self.canonical(Population.from_decisions(self.schema, D)).unique()
        different: Population = near[np.array(near.keys) != arch.key]
        return different

    def _edit(self, D: IntArray, rng: np.random.Generator) -> IntArray:
        """Change one random decision of each row; later ones change only where they became illegal."""
        rows, D = np.arange(len(D)), D.copy()
        when = rng.integers(D.shape[1], size=len(D))
        if self._is_product:
            legal = self.schema.decision_mask[when].copy()
            legal[rows, D[rows, when]] = False
            drawn = draw_labels(legal | ~legal.any(1, keepdims=True), rng)
            D[rows, when] = np.where(legal.any(1), drawn, D[rows, when])
            return D
        for t in range(int(when.min(initial=D.shape[1])), D.shape[1]):
            legal = self.legal(D, t)
            current = legal[rows, D[:, t]]
            others = legal.copy()
            others[rows, D[:, t]] = False
            change = (when == t) & others.any(1)
            when[(when == t) & ~change] += 1  # nothing else is legal here: edit the next decision
            redraw = change | ~current
            pick = draw_labels(np.where(change[:, None], others, legal), rng)
            D[:, t] = np.where(redraw, pick, D[:, t])
        return D

    def _changes(self, decisions: IntArray, t: int) -> list[list[int]]:
        """Rows of decisions with another label at ``t``, each followed by ``t`` itself."""
        legal = self.legal(decisions[None], t)[0]
        found = []
        for symbol in np.flatnonzero(legal):
            if symbol != decisions[t]:
                row = decisions.tolist()
                row[t] = int(symbol)
                found.append([*row, t])
        return found

    def _complete(self, D: NDArray[np.integer], first: NDArray[np.integer]) -> IntArray:
        """Make rows legal after column ``first``: keep a label where it is legal, else the lowest legal one."""
        rows, complete = np.arange(len(D)), np.array(D, dtype=np.int16)
        for t in range(complete.shape[1]):
            legal = self.legal(complete, t)
            keep = legal[rows, complete[:, t]] | (t <= first)
            complete[:, t] = np.where(keep, complete[:, t], legal.argmax(1))
        return complete


SPACES: Registry[type[Space]] = Registry("search space", "gennas.spaces")
