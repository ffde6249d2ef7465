"""Architectures as typed decisions: which options are legal next, and one symbol for each choice."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, InvalidArchitectureError, shown
from gennas.graph import GraphSchema, IntArray
from gennas.models.base import FloatArray, Legality
from gennas.models.llm.alphabet import SYMBOLS, plain

__all__ = ["Completions", "Decisions"]

BoolArray = NDArray[np.bool_]

Completions = Callable[[NDArray[np.integer], int], "FloatArray | None"]
"""``completions(D (b, d), t) -> (b, L)``: how many architectures go on with each label, or None if not counted."""


class Decisions:
    """The one grammar from which every text form of an architecture is made.

    An architecture is ``d`` decisions in the order of ``schema.slots``. A *state* is the first ``t`` of them; the
    options of decision ``t`` are the labels that :data:`legal` leaves there. As a text, every decision is one symbol:
    the place of its label among those that the schema ever allows there, in :data:`SYMBOLS`. ``"313323"`` so is a cell
    of six decisions, and its first three letters are the state after three.

    Args:
        schema: the schema of the architectures.
        legal: legality of the space; None: the schema's masks say everything.
        completions: how many architectures follow; None or a None from it: not counted.
        constraint: labels that a hard constraint leaves, by the same rule as ``legal``: a label is allowed if at least
            one architecture that is legal *and* inside the constraint starts so (:func:`within_bound` makes one). With
            it, nothing is counted.

    Raises:
        ConfigError: a decision has more options than there are symbols.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> space = NASBench201()
        >>> decisions = Decisions(space.schema, space.legal, space.completions)
        >>> decisions.write(decisions.unrank([0, 15624])), decisions.count()
        (['000000', '444444'], 15625)
        >>> decisions.option_names(decisions.read("31"), 2)
        ('none', 'skip_connect', 'nor_conv_1x1', 'nor_conv_3x3', 'avg_pool_3x3')
    """

    def __init__(
        self,
        schema: GraphSchema,
        legal: Legality | None = None,
        completions: Completions | None = None,
        constraint: Legality | None = None,
    ) -> None:
        self.schema, self.legal, self.completions, self.constraint = schema, legal, completions, constraint
        most = int(schema.decision_mask.sum(1).max(initial=0))
        if most > len(SYMBOLS):
            raise ConfigError(f"{schema.name}: expected at most {len(SYMBOLS)} options of a decision, got {most}.")

    def __len__(self) -> int:
        """Number ``d`` of decisions."""
        return self.schema.num_decisions

    # ------------------------------------------------------------------ what may follow

    def options(self, D: NDArray[np.integer], t: int) -> BoolArray:
        """Labels that decision ``t`` may take after the first ``t`` columns of ``D (b, ≥t)``, ``(b, L)``.

        Raises:
            InvalidArchitectureError: nothing may follow a row; its beginning is not legal.
        """
        D = self._wide(D)
        mask = self.schema.decision_mask[t] if self.legal is None else self.legal(D, t)
        mask = np.broadcast_to(np.asarray(mask, dtype=bool), (len(D), self.schema.num_symbols))
        if self.constraint is not None:
            mask = mask & self.constraint(D, t)
        self._require_some(mask, D, t)
        return mask

    def _require_some(self, mask: BoolArray, D: NDArray[np.integer], t: int) -> None:
        some = mask.any(1)
        if not bool(some.all()):
            beginning = D[int(np.flatnonzero(~some)[0]), :t].tolist()
            raise InvalidArchitectureError(f"{self.schema.name}: no label may follow the {t} decisions {beginning}.")

    def log_counts(self, D: NDArray[np.integer], t: int) -> FloatArray:
        """Logarithm of the number of architectures that go on with each label, ``(b, L)``; -inf where none is legal.

        Where they are not counted every legal label has 0, so that a flat model draws uniformly among *labels*.
        Under a constraint the counts are those without it.
        """
        counts = None if self.completions is None else self.completions(self._wide(D), t)
        if counts is None:
            return np.where(self.options(D, t), 0.0, -np.inf)
        # What is counted is legal: only a constraint leaves less.
        legal = np.asarray(counts > 0, dtype=bool) if self.constraint is None else self.options(D, t)
        self._require_some(legal, D, t)
        if counts.dtype == object:  # integers beyond float64
            flat = [math.log(c) if c > 0 else -math.inf for c in counts.ravel().tolist()]
            logs = np.array(flat, dtype=np.float64).reshape(counts.shape)
        else:
            with np.errstate(divide="ignore"):
                logs = np.log(counts.astype(np.float64))
        return np.where(legal, logs, -np.inf)

    def is_legal(self, D: NDArray[np.integer]) -> BoolArray:
        """Whether each row ``(b, d)`` is legal from first to last and inside the constraint, ``(b,)``."""
        ok = np.ones(len(D), dtype=bool)
        for t in range(len(self)):
            label = np.asarray(D[:, t], dtype=np.intp)
            inside = (label >= 0) & (label < self.schema.num_symbols)
            ok &= inside
            rows = np.flatnonzero(ok)
            if not len(rows):
                break
            ok[rows] = self.options(D[rows], t)[np.arange(len(rows)), label[rows]]
        return ok

    def nearest(self, t: int, wish: int, legal: BoolArray) -> int:
        """The legal label ``(L,)`` whose place is nearest to the label ``wish`` of decision ``t``; the lower of two."""
        labels = np.flatnonzero(legal)
        return int(labels[np.abs(self._place[t, labels] - self._place[t, wish]).argmin()])

    def _wide(self, D: NDArray[np.integer]) -> IntArray:
        """Rows with all ``d`` columns, which legality functions may expect."""
        if D.shape[1] >= len(self):
            return np.asarray(D, dtype=np.int16)
        wide = np.zeros((len(D), len(self)), dtype=np.int16)
        wide[:, : D.shape[1]] = D
        return wide

    # ------------------------------------------------------------------ text

    @cached_property
    def labels(self) -> tuple[NDArray[np.intp], ...]:
        """Labels that the schema ever allows at each decision, in the order of their symbols."""
        return tuple(np.flatnonzero(row) for row in self.schema.decision_mask)

    @cached_property
    def _place(self) -> NDArray[np.intp]:
        """Place of each label among those of its decision, ``(d, L)``."""
        return np.cumsum(self.schema.decision_mask, axis=1) - 1

    @cached_property
    def symbols(self) -> NDArray[np.str_]:
        """Symbol of each label, ``(d, L)``."""
        found: NDArray[np.str_] = np.array(list(SYMBOLS))[np.maximum(self._place, 0)]
        return found

    def write(self, D: NDArray[np.integer]) -> list[str]:
        """Texts of rows of ``t`` decisions each, one symbol per decision."""
        rows = self.symbols[np.arange(D.shape[1]), np.asarray(D, dtype=np.intp)]
        return ["".join(row) for row in rows.tolist()]

    def read(self, text: str) -> IntArray:
        """The decisions ``(1, t)`` of a text; whether they are legal :meth:`is_legal` and :meth:`options` say.

        Raises:
            InvalidArchitectureError: too long, or a symbol that its decision does not have.
        """
        if len(text) > len(self):
            raise InvalidArchitectureError(
                f"{self.schema.name}: expected at most {len(self)} symbols, got {len(text)} in {shown(text)}."
            )
        for t, symbol in enumerate(text):
            if not 0 <= SYMBOLS.find(symbol) < len(self.labels[t]):
                raise InvalidArchitectureError(
                    f"{self.schema.name}: expected one of {SYMBOLS[: len(self.labels[t])]} at place {t + 1}, "
                    f"got {symbol!r} in {shown(text)}."
                )
        labels = [int(self.labels[t][SYMBOLS.find(symbol)]) for t, symbol in enumerate(text)]
        return np.array(labels, dtype=np.int16).reshape(1, -1)

    def name(self, t: int) -> str:
        """Name of decision ``t`` as prompts show it: its node's name, ``node 3`` or ``edge 0 to 2``."""
        slot = self.schema.slots[t]
        if slot.source is not None:
            return f"edge {slot.source} to {slot.target}"
        return plain(self.schema.node_names[slot.target]) if self.schema.node_names else f"node {slot.target}"

    def option_names(self, D: NDArray[np.integer], t: int) -> tuple[str, ...]:
        """Names of the options of decision ``t`` after the one row ``D (1, ≥t)``."""
        return tuple(self.shown(t)[int(s)] for s in np.flatnonzero(self.options(D, t)[0]))

    def shown(self, t: int) -> dict[int, str]:
        """Names of the labels that the schema ever allows at decision ``t``, as prompts show them."""
        return self._shown[t]

    @cached_property
    def _shown(self) -> list[dict[int, str]]:
        return [{int(s): plain(self.schema.label(t, int(s))) for s in row} for t, row in enumerate(self.labels)]

    # ------------------------------------------------------------------ numbers

    @cached_property
    def counted(self) -> bool:
        """Whether the number of architectures is known."""
        if self.completions is None or self.constraint is not None or not len(self):
            return False
        return self.completions(self._wide(np.zeros((1, 0), dtype=np.int16)), 0) is not None

    def _counts(self, D: NDArray[np.integer], t: int) -> list[list[int]]:
        counts = self.completions(self._wide(D), t) if self.completions is not None and self.counted else None
        if counts is None:
            why = "under a constraint" if self.constraint is not None else "of this space"
            raise ConfigError(f"{self.schema.name}: the architectures {why} are not counted, so none has a number.")
        return [[round(c) for c in row] for row in counts.tolist()]

    def count(self, prefix: NDArray[np.integer] | None = None) -> int:
        """Number of architectures that start with ``prefix (1, t)``; of all, without it.

        Raises:
            ConfigError: they are not counted.
        """
        D = np.zeros((1, 0), dtype=np.int16) if prefix is None else prefix
        return 1 if D.shape[1] == len(self) else sum(self._counts(D, D.shape[1])[0])

    def rank(self, D: NDArray[np.integer]) -> list[int]:
        """Number of each row ``(b, d)`` in the order of their texts' labels, from 0.

        Raises:
            ConfigError: the architectures are not counted exactly.
        """
        ranks, left = [0] * len(D), [self.count()] * len(D)
        for t in range(len(self)):
            for i, counts in enumerate(self._exact(D, t, left)):
                ranks[i] += sum(counts[: D[i, t]])
                left[i] = counts[D[i, t]]
        return ranks

    def unrank(self, ranks: Sequence[int]) -> IntArray:
        """The rows ``(b, d)`` with these numbers.

        Raises:
            ConfigError: the architectures are not counted exactly, or there is no such number.
        """
        left, total = list(ranks), self.count()
        if any(not 0 <= r < total for r in left):
            raise ConfigError(f"{self.schema.name}: expected numbers from 0 to {total - 1:,}, got {shown(ranks)}.")
        D = np.zeros((len(left), len(self)), dtype=np.int16)
        inside = [total] * len(left)
        for t in range(len(self)):
            for i, counts in enumerate(self._exact(D, t, inside)):
                label = 0
                while left[i] >= counts[label]:
                    left[i] -= counts[label]
                    label += 1
                D[i, t], inside[i] = label, counts[label]
        return D

    def _exact(self, D: NDArray[np.integer], t: int, expected: list[int]) -> list[list[int]]:
        """Counts of each row, which must add up to what the decision before said."""
        found = self._counts(D, t)
        if any(sum(counts) != n for counts, n in zip(found, expected, strict=True)):
            raise ConfigError(
                f"{self.schema.name}: its counts are only proportional to the numbers of architectures (decision {t}), "
                "so none has a number."
            )
        return found
