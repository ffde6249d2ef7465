"""What the generators have in common: seeded weights, drawing in parts, files, weights that move on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import torch
from numpy.typing import NDArray

from gennas.generators.fitting import chunks, load_settings, save_settings
from gennas.graph import GraphSchema, Population
from gennas.models.base import FloatArray, Legality
from gennas.models.checkpoints import saving
from gennas.runtime.threads import one_thread

__all__ = ["SETTINGS_FILE", "NetworkGenerator"]

SETTINGS_FILE = "generator.json"


class _Network(Protocol):
    def save_pretrained(self, directory: str | Path) -> None: ...


class _Settings(Protocol):
    @property
    def chunk(self) -> int: ...


N = TypeVar("N", bound=_Network)
S = TypeVar("S", bound=_Settings)


class NetworkGenerator(ABC, Generic[N, S]):
    """A :class:`gennas.models.base.Generator` around one network (or pipeline of networks) ``N``.

    A subclass names its classes and says how a network is made, adopted from another, fitted and
    drawn from; settings ``S`` are a dataclass whose ``chunk`` bounds the architectures drawn at a time.

    Args:
        schema: the schema of the architectures.
        legal: legality of the space; without it only the schema's masks hold.
        num_conditions: how many numbers in [0, 1] an architecture can be asked for by.
        settings: everything else.
        seed: seed of the initial weights.
    """

    kind: ClassVar[str]
    network_type: ClassVar[Any]
    settings_type: ClassVar[Any]

    def __init__(
        self,
        schema: GraphSchema,
        legal: Legality | None = None,
        num_conditions: int = 1,
        settings: S | None = None,
        seed: int = 0,
    ) -> None:
        self.schema, self.legal = schema, legal
        self.settings: S = settings or self.settings_type()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = self._untrained(num_conditions)

    # ------------------------------------------------------------------ what a subclass says

    @property
    @abstractmethod
    def num_conditions(self) -> int:
        """How many conditions the model knows."""

    @abstractmethod
    def fit(
        self,
        archs: Population,
        conditions: FloatArray | None = None,
        weights: FloatArray | None = None,
        steps: int = 100,
        seed: int = 0,
    ) -> FloatArray:
        """Train further from the present weights and return the losses."""

    @abstractmethod
    def _untrained(self, num_conditions: int) -> N:
        """A network of this schema and these settings; torch's global generator is seeded."""

    @abstractmethod
    def _adopt(self, network: N, kept: Sequence[int | None]) -> None:
        """Take the weights of a network of other conditions, see :meth:`with_conditions`."""

    @abstractmethod
    def _draw(self, n: int, generator: torch.Generator, conditions: FloatArray | None) -> Population:
        """Draw at most ``chunk`` architectures."""

    @property
    def _device(self) -> torch.device:
        """Where random numbers are drawn."""
        return torch.device("cpu")

    # ------------------------------------------------------------------ what it gets

    def sample(self, n: int, conditions: FloatArray | None = None, seed: int = 0) -> Population:
        """Draw ``n`` architectures, each legal, under ``conditions`` ``(c,)`` or ``(n, c)``."""
        return self._in_chunks(self._draw, n, seed, conditions)

    def _in_chunks(
        self, draw: Callable[..., Population], n: int, seed: int, *values: NDArray[Any] | None
    ) -> Population:
        """Join what ``draw(size, generator, *rows of values)`` gives for consecutive parts of ``n``."""
        generator = torch.Generator(self._device).manual_seed(seed)
        parts = [Population.of(self.schema, [])]
        with one_thread():
            for size, rows in chunks(n, self.settings.chunk, *values):
                parts.append(draw(size, generator, *rows))
        return Population.concat(parts)

    def with_conditions(self, kept: Sequence[int | None], settings: S | None = None, seed: int = 0) -> Self:
        """A generator of other conditions that starts from these weights.

        Args:
            kept: for every condition of the new generator the number of the one that it goes on from,
                None for a new one.
            settings: those of the new generator; default: the same.
            seed: seed of the weights of new conditions.

        Raises:
            CheckpointError: ``settings`` ask for networks of another size.
        """
        found = type(self)(self.schema, self.legal, len(kept), settings or self.settings, seed)
        found._adopt(self.network, kept)
        return found

    def literal(self) -> Self:
        """The same network, to which every condition is handed as it was asked.

        Here itself; a generator whose settings move conditions before its network sees them overrides this.
        """
        return self

    def save_pretrained(self, directory: str | Path) -> None:
        """Write weights, configuration and settings into a directory."""
        with saving(Path(directory)):
            self.network.save_pretrained(directory)
            save_settings(self.settings, Path(directory) / SETTINGS_FILE)

    @classmethod
    def from_pretrained(cls, directory: str | Path, schema: GraphSchema, legal: Legality | None = None) -> Self:
        """Read what :meth:`save_pretrained` wrote.

        Raises:
            CheckpointError: nothing readable is there, or it belongs to another schema.
        """
        found = cls.__new__(cls)
        found.network = cls.network_type.from_pretrained(directory, schema)
        found.settings = load_settings(cls.settings_type, Path(directory) / SETTINGS_FILE)
        found.schema, found.legal = schema, legal
        return found
