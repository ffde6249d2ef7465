"""The vocabulary of the autoregressive generator: one symbol per decision, nothing shorter."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gennas.graph import GraphSchema

__all__ = ["DecisionVocabulary"]


@dataclass(frozen=True)
class DecisionVocabulary:
    """Token numbers of an architecture's decisions and of the conditions before them.

    A sentence is ``c`` condition tokens, ``BOS`` and ``d`` decision tokens. Every pair of a decision
    and one of its labels is a token of its own, so that a token says where in the graph it stands; or, ``shared``,
    every label of a node and of an edge is one, wherever it stands, so that few architectures tell which are good.
    Every condition has a token "any" and one for each of ``num_bins + 1`` evenly spaced values in
    [0, 1]; a value between two of these is read as their mixture.

    Token numbers: 0 is ``BOS``, then the conditions, then the decisions.

    Args:
        schema: the schema of the architectures.
        num_conditions: ``c``.
        num_bins: intervals between the values that have a token.
        shared: whether decisions share the tokens of their labels.

    Example:
        >>> edges = np.zeros((2, 2, 2), dtype=bool)
        >>> edges[..., 0] = edges[0, 1, 1] = True
        >>> schema = GraphSchema("two", ("a", "b"), ("none", "e"), np.ones((2, 2), dtype=bool), edges)
        >>> vocabulary = DecisionVocabulary(schema, num_conditions=1, num_bins=2)
        >>> len(vocabulary)  # BOS; any, 0, 0.5, 1; a, b; a, b; none, e
        11
        >>> vocabulary.encode(np.array([[0, 1, 1]])).tolist()
        [[5, 8, 10]]
        >>> DecisionVocabulary(schema, 1, 2, shared=True).encode(np.array([[0, 1, 1]])).tolist()
        [[5, 6, 8]]
    """

    schema: GraphSchema
    num_conditions: int = 0
    num_bins: int = 10
    shared: bool = False

    def __len__(self) -> int:
        return self._first + int(self._places.max(initial=-1)) + 1

    @property
    def _first(self) -> int:
        """Number of the first token of a decision."""
        return 1 + self.num_conditions * (self.num_bins + 2)

    @cached_property
    def _places(self) -> NDArray[np.int64]:
        """Place of each label of each decision among the tokens of decisions, ``(d, L)``; -1 where there is none."""
        mask = self.schema.decision_mask
        kinds = np.array([slot.is_node for slot in self.schema.slots], dtype=bool).reshape(-1, 1)
        if not self.shared:
            return np.where(mask, np.cumsum(mask).reshape(mask.shape) - 1, -1)
        used = np.stack([(mask & (kinds == kind)).any(0) for kind in (True, False)])  # (2, L)
        number = np.cumsum(used).reshape(used.shape) - 1
        return np.where(mask, np.where(kinds, number[0], number[1]), -1)

    @property
    def length(self) -> int:
        """Tokens of a sentence, ``c + 1 + d``."""
        return self.num_conditions + 1 + self.schema.num_decisions

    @cached_property
    def tokens(self) -> NDArray[np.int64]:
        """Token of each label of each decision, ``(d, L)``; ``BOS`` where the schema allows no such label."""
        tokens = np.where(self._places < 0, 0, self._first + self._places)
        tokens.setflags(write=False)
        return tokens

    def encode(self, D: NDArray[np.integer]) -> NDArray[np.int64]:
        """Tokens of decisions ``(b, d)``, ``(b, d)``."""
        tokens: NDArray[np.int64] = self.tokens[np.arange(self.schema.num_decisions), D]
        return tokens

    def encode_conditions(self, conditions: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Two tokens of each condition and the weight of the second, ``(b, c, 2)`` and ``(b, c)``.

        Values outside [0, 1] are read as the nearest bound, NaN as "any".
        """
        known = ~np.isnan(conditions)
        place = np.clip(np.where(known, conditions, 0.0), 0.0, 1.0) * self.num_bins
        low = np.minimum(place.astype(np.int64), self.num_bins - 1)
        first = 1 + np.arange(self.num_conditions) * (self.num_bins + 2)  # "any" of each condition
        pair = np.stack([low + 1, low + 2], -1) * known[..., None] + first[:, None]
        return pair, np.where(known, place - low, 0.0)
