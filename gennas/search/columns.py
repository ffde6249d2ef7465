"""Columns of numbers that help a surrogate to predict and need no label: proxies, complexity, tables, embeddings."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from gennas.errors import EvaluationError
from gennas.graph import Architecture, Population

__all__ = ["CheapFeatures", "Columns", "CountedColumns", "KnownColumns", "MeasuredColumns", "scores_among"]

FloatArray = NDArray[np.float64]

PER_PROPOSAL = 50


def scores_among(values: FloatArray, reference: FloatArray) -> FloatArray:
    r"""Normal scores of ``values (b, f)`` among those of ``reference (r, f)``, and what is missing, ``(b, 2 f)``.

    A value stands at :math:`\Phi^{-1}((r - 1/2) / m)` of its mean rank ``r`` among the ``m`` finite ones of its column;
    one beyond all of them as the outermost. What is not finite takes the column's median, 0, and the last ``f``
    columns say so with a 1.

    Example:
        >>> scores_among(np.array([[1e30], [np.nan], [2.0]]), np.array([[1e30], [2.0], [3.0]])).round(2).tolist()
        [[0.97, 0.0], [0.0, 1.0], [-0.97, 0.0]]
    """
    missing = ~np.isfinite(values)
    scores = np.zeros_like(values)
    for j in range(values.shape[1]):
        known = np.sort(reference[np.isfinite(reference[:, j]), j])
        here = ~missing[:, j]
        if len(known) and here.any():
            wanted = values[here, j]
            middle = (np.searchsorted(known, wanted, "left") + np.searchsorted(known, wanted, "right")) / 2
            scores[here, j] = ndtri(np.clip(middle, 0.5, len(known) - 0.5) / len(known))
    return np.concatenate([scores, missing.astype(np.float64)], axis=1)


class Columns(ABC):
    """A group of columns, which becomes one kernel of a Gaussian process.

    Attributes:
        name: for records and messages.
        scale: as of :class:`gennas.models.surrogate.Group`.
        weight: the same.
    """

    name: str
    scale: Literal["column", "common"] = "column"
    weight: float = 1.0

    @abstractmethod
    def __call__(self, archs: Population) -> FloatArray:
        """The columns of a population, ``(b, f)``."""

    def state_dict(self) -> dict[str, Any]:
        """What cannot be made again at once, plain values and arrays; by default nothing."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027  # most remember nothing
        """Restore what :meth:`state_dict` returned."""


class KnownColumns(Columns):
    """Columns that somebody has computed for many architectures, found by key; others count as missing.

    Args:
        name: for records and messages.
        keys: of the rows.
        values: ``(rows, f)``, NaN where there is none.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> archs = NASBench201().sample(3, np.random.default_rng(0))
        >>> columns = KnownColumns("mine", archs.keys[:2], np.array([[1.0], [2.0]]))
        >>> columns(archs).round(2).tolist()
        [[-0.67, 0.0], [0.67, 0.0], [0.0, 1.0]]
    """

    def __init__(self, name: str, keys: Sequence[str], values: FloatArray) -> None:
        self.name = name
        self._rows = {key: row for row, key in enumerate(keys)}
        self._scored = scores_among(values, values)
        self._nothing = scores_among(np.full((1, values.shape[1]), np.nan), values)[0]

    def __call__(self, archs: Population) -> FloatArray:
        """Normal scores among all rows, and what is missing, ``(b, 2 f)``."""
        rows = [self._rows.get(key, -1) for key in archs.keys]
        found: FloatArray = np.stack([self._nothing if row < 0 else self._scored[row] for row in rows])
        return found


class CountedColumns(Columns):
    """A column that a whole population is counted by at once, such as parameters; its logarithm, ``log(1 + count)``.

    Args:
        name: for records and messages.
        count: of each architecture, ``(b,)``, not negative.
    """

    def __init__(self, name: str, count: Callable[[Population], NDArray[Any]]) -> None:
        self.name, self._count = name, count

    def __call__(self, archs: Population) -> FloatArray:
        """The logarithms, ``(b, 1)``."""
        found: FloatArray = np.log1p(self._count(archs).astype(np.float64))[:, None]
        return found


class MeasuredColumns(Columns):
    """Columns that cost something: computed architecture by architecture, each once, and only when asked to.

    Args:
        names: of the columns.
        measure: the values of an architecture by name. One that is not there or not finite counts as missing; all do
            where it raises EvaluationError.
        clock: seconds.

    Attributes:
        seconds: spent on all of them.
        failed: values that there are none of.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> archs = NASBench201().sample(3, np.random.default_rng(0))
        >>> columns = MeasuredColumns(("ones",), lambda arch: {"ones": float((arch.decisions == 1).sum())})
        >>> columns.compute(archs)
        >>> columns(archs).shape, len(columns)
        ((3, 2), 3)
    """

    name = "features"

    def __init__(
        self,
        names: Sequence[str],
        measure: Callable[[Architecture], Mapping[str, float]],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.names, self._measure, self._clock = tuple(names), measure, clock
        self._known: dict[str, list[float]] = {}
        self._order: tuple[int, FloatArray] = (0, np.zeros((0, len(self.names))))
        self.seconds, self._reported = 0.0, 0.0

    def __len__(self) -> int:
        return len(self._known)

    @property
    def failed(self) -> int:
        """Values that there are none of."""
        return int((~np.isfinite(self.values)).sum())

    @property
    def values(self) -> FloatArray:
        """Everything that was computed, ``(n, f)``, in the order in which it was."""
        if self._order[0] != len(self._known):
            self._order = len(self._known), np.array(list(self._known.values()), dtype=np.float64)
        return self._order[1]

    def compute(self, archs: Population) -> None:
        """Compute what is not known yet."""
        for arch, key in zip(archs, archs.keys, strict=True):
            if key not in self._known:
                start = self._clock()
                found = self._found(arch)
                self._known[key] = [float(found.get(name, np.nan)) for name in self.names]
                self.seconds += self._clock() - start

    def _found(self, arch: Architecture) -> Mapping[str, float]:
        try:
            return self._measure(arch)
        except EvaluationError:
            return {}

    def raw(self, archs: Population) -> FloatArray:
        """The values as they are, ``(b, f)``, NaN where there is none or none was computed."""
        nothing = [np.nan] * len(self.names)
        rows = [self._known.get(key, nothing) for key in archs.keys]
        return np.array(rows, dtype=np.float64).reshape(len(archs), len(self.names))

    def __call__(self, archs: Population) -> FloatArray:
        """Normal scores among all that were computed, and what is missing, ``(b, 2 f)``."""
        return scores_among(self.raw(archs), self.values)

    def take_seconds(self) -> float:
        """Seconds since this was asked last."""
        taken, self._reported = self.seconds - self._reported, self.seconds
        return taken

    def state_dict(self) -> dict[str, Any]:
        """Every value, by key, and the seconds."""
        return {"keys": list(self._known), "values": self.values.copy(), "seconds": self.seconds}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore them; the seconds were told before."""
        values = np.asarray(state["values"], dtype=np.float64).reshape(len(state["keys"]), len(self.names))
        self._known = dict(zip(state["keys"], values.tolist(), strict=True))
        self._order = (-1, values)
        self.seconds = self._reported = float(state["seconds"])


@dataclass
class CheapFeatures:
    """What a strategy's surrogate is told of architectures beside their decisions.

    Free columns are known for every candidate. Paid ones are computed for what survives a first ranking without them,
    :attr:`per_proposal` candidates for each proposal, and for what was evaluated; the candidates are then ranked anew.
    Nothing of it is a label.

    Args:
        free: groups of columns that cost nothing.
        paid: columns that do.
        per_proposal: candidates that paid columns are computed for, for each proposal of a round.
    """

    free: tuple[Columns, ...] = ()
    paid: MeasuredColumns | None = None
    per_proposal: int = PER_PROPOSAL

    def spent(self) -> dict[str, float]:
        """Costs since this was asked last, by name; nothing where there are none."""
        seconds = 0.0 if self.paid is None else self.paid.take_seconds()
        return {"seconds": seconds, "feature_seconds": seconds} if seconds > 0 else {}

    def records(self) -> dict[str, float]:
        """How many architectures paid columns were computed for, values that could not be, and seconds; all in all."""
        if self.paid is None:
            return {}
        return {"features": len(self.paid), "features_missing": self.paid.failed, "feature_s": self.paid.seconds}

    def state_dict(self) -> dict[str, Any]:
        """What was computed and learned."""
        paid = {} if self.paid is None else self.paid.state_dict()
        return {"free": {columns.name: columns.state_dict() for columns in self.free}, "paid": paid}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore it."""
        for columns in self.free:
            columns.load_state_dict(state["free"][columns.name])
        if self.paid is not None:
            self.paid.load_state_dict(state["paid"])
