"""What a zero-cost proxy is: a formula, what it needs, and which way is better."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gennas.eval.base import Direction
from gennas.eval.proxies.outcome import WORST, NotApplicableError
from gennas.registry import Registry

if TYPE_CHECKING:
    from gennas.eval.proxies.passes import Pass, Passes

__all__ = ["PROXIES", "PopulationProxy", "Proxy"]

Need = Literal["data", "labels", "batch_norm", "activations", "gradients"]


class Proxy(ABC):
    r"""A score of a network at initialisation.

    A subclass gives the attributes and :meth:`score`. What several proxies need from the network is a
    *pass*; passes are computed once for all proxies that declare them (:class:`Passes`). A proxy reads
    passes only and never sees the caller's network.

    Attributes:
        name: as registered.
        direction: whether more or less of it is said to mean a better network.
        scale: ``linear``, ``log`` (a logarithm) or ``rank`` (only its order among networks has a meaning).
        domain: for which networks it is meant.
        needs: what it needs from the network and the batch.
        passes: what it reads.
        is_cost: a quantity that users rather bound or minimise, although more of it correlates with accuracy.
    """

    name: ClassVar[str]
    direction: ClassVar[Direction] = "max"
    scale: ClassVar[Literal["linear", "log", "rank"]] = "linear"
    domain: ClassVar[str] = "any network"
    needs: ClassVar[frozenset[Need]] = frozenset()
    passes: ClassVar[frozenset[Pass]]
    is_cost: ClassVar[bool] = False

    @abstractmethod
    def score(self, run: Passes) -> float:
        """Return the value.

        Raises:
            NotApplicableError: it has no meaning for such networks.
            UndefinedError: it has no value for this one.
        """

    @property
    def worst(self) -> float:
        """What a network gets for which the formula has no value."""
        return -WORST if self.direction == "max" else WORST

    @property
    def identity(self) -> str:
        """Name and settings, which decide the value together with the protocol."""
        settings = ", ".join(f"{name}={value}" for name, value in sorted(vars(self).items()))
        return f"{self.name}({settings})" if settings else self.name


class PopulationProxy(Proxy):
    """A proxy that compares networks: its value depends on the others that are scored with it.

    Attributes:
        parts: names of the proxies that it combines.
    """

    parts: ClassVar[tuple[str, ...]]
    passes: ClassVar[frozenset[Pass]] = frozenset()

    @abstractmethod
    def combine(self, columns: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
        """Values of a population from those of its parts, ``(n,)`` each, turned so that more is better."""

    def score(self, run: Passes) -> float:
        """Refuse: one network has no rank."""
        raise NotApplicableError(
            f"it ranks networks within a population; score a population, or its parts: {', '.join(self.parts)}"
        )


PROXIES: Registry[type[Proxy]] = Registry("proxy", "gennas.proxies")
