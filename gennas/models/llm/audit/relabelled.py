"""Decisions whose symbols were shuffled and whose names were taken away or replaced by what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gennas.errors import InvalidArchitectureError, shown
from gennas.graph import IntArray
from gennas.models.llm.alphabet import SYMBOLS, plain
from gennas.models.llm.decisions import Decisions

__all__ = ["Relabelled"]


class Relabelled(Decisions):
    """The same decisions under other symbols and names.

    Decisions with the same labels share one random order of symbols, so that what holds at one of them can be
    recognised at another. Decisions are called by their number.

    Args:
        decisions: the decisions.
        meanings: what a label is called, by its own name; None: by its symbol, which says nothing.
        seed: of the order of the symbols.

    Raises:
        ConfigError: see :class:`Decisions`.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> space = NASBench201()
        >>> hidden = Relabelled(Decisions(space.schema, space.legal, space.completions), seed=2)
        >>> D = np.array([[3, 1, 3, 3, 2, 3]])
        >>> hidden.write(D), hidden.read(hidden.write(D)[0]).tolist() == D.tolist(), hidden.name(1)
        (['131141'], True, 'decision 2')
        >>> hidden.option_names(D[:, :1], 1)
        ('2', '3', '4', '1', '0')
    """

    def __init__(self, decisions: Decisions, meanings: Mapping[str, str] | None = None, seed: int = 0) -> None:
        super().__init__(decisions.schema, decisions.legal, decisions.completions, decisions.constraint)
        self.meanings, self.seed = meanings, seed

    @cached_property
    def symbols(self) -> NDArray[np.str_]:
        """Symbol of each label, ``(d, L)``."""
        found = super().symbols.copy()
        for (_, labels), rows in self._groups.items():
            order = np.random.default_rng([self.seed, *labels]).permutation(len(labels))
            found[np.ix_(rows, labels)] = np.array(list(SYMBOLS))[order]
        return found

    @cached_property
    def _groups(self) -> dict[tuple[bool, tuple[int, ...]], list[int]]:
        """Decisions by their labels."""
        found: dict[tuple[bool, tuple[int, ...]], list[int]] = {}
        for t, row in enumerate(self.labels):
            found.setdefault((self.schema.slots[t].is_node, tuple(row.tolist())), []).append(t)
        return found

    def read(self, text: str) -> IntArray:
        """The decisions ``(1, t)`` of a text.

        Raises:
            InvalidArchitectureError: too long, or a symbol that its decision does not have.
        """
        found = []
        for t, symbol in enumerate(text[: len(self)]):
            found.append([s for s in self.labels[t].tolist() if self.symbols[t, s] == symbol])
        if len(text) > len(self) or not all(found):
            raise InvalidArchitectureError(f"Expected symbols of {len(self)} decisions, got {shown(text)}.")
        return np.array([labels[0] for labels in found], dtype=np.int16).reshape(1, -1)

    def name(self, t: int) -> str:
        """Its number, from 1."""
        return f"decision {t + 1}"

    @cached_property
    def _shown(self) -> list[dict[int, str]]:
        names = super()._shown
        if self.meanings is None:
            return [{s: str(self.symbols[t, s]) for s in row} for t, row in enumerate(names)]
        return [
            {s: plain(self.meanings[self.schema.label(t, s)].replace(";", ","), 200) for s in row}
            for t, row in enumerate(names)
        ]
