"""The least automaton of the ways to go on from a state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.graph import IntArray
from gennas.models.llm.decisions import Decisions

__all__ = ["Automaton", "GrammarTooLargeError", "automaton"]


class GrammarTooLargeError(ConfigError):
    """A text form of all that is legal would be too large; ask decision by decision, or some decisions at a time."""


@dataclass(frozen=True, eq=False)
class Automaton:
    """Layers of states, one for each decision; two beginnings share a state if the same may follow them.

    Args:
        first: the decision at which it starts.
        layers: ``next[state, label]``, the state of the next layer, or -1 where the label is not legal. The first layer
            has one state; behind the last one is one state, the end.
    """

    first: int
    layers: tuple[NDArray[np.intp], ...]

    @property
    def is_product(self) -> bool:
        """Whether what is legal never depends on what was chosen before."""
        return all(len(layer) == 1 for layer in self.layers)

    @property
    def num_states(self) -> int:
        """States in all."""
        return sum(len(layer) for layer in self.layers)

    def count(self) -> int:
        """Number of ways through it."""
        ways = [1]
        for layer in reversed(self.layers):
            ways = [sum(ways[state] for state in row if state >= 0) for row in layer.tolist()]
        return ways[0]


def automaton(
    decisions: Decisions, prefix: NDArray[np.integer] | None = None, most: int = 2**18, whole: bool = True
) -> Automaton:
    """The least automaton of what may follow ``prefix (1, t)``, found by trying every beginning.

    Args:
        decisions: what is legal.
        prefix: the decisions that are made; None: none.
        most: largest number of beginnings that are looked at after any decision.
        whole: up to the last decision; else as far as ``most`` allows, at least one decision.

    Raises:
        GrammarTooLargeError: ``whole`` and there are more beginnings.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> found = automaton(Decisions(NASBench201().schema, NASBench201().legal))
        >>> found.num_states, found.is_product, found.count()
        (6, True, 15625)
    """
    made = np.zeros((1, 0), dtype=np.int16) if prefix is None else np.asarray(prefix, dtype=np.int16)
    first, d = made.shape[1], len(decisions)
    if decisions.legal is None and decisions.constraint is None:
        return Automaton(first, tuple(_one_state(row) for row in decisions.schema.decision_mask[first:]))
    beginnings: IntArray = np.zeros((1, d), dtype=np.int16)
    beginnings[:, :first] = made
    masks: list[NDArray[np.bool_]] = []
    for t in range(first, d):
        mask = decisions.options(beginnings, t)
        if int(mask.sum()) > most and (whole or masks):
            if whole:
                raise _too_large(decisions, t, int(mask.sum()), most)
            break
        masks.append(mask)
        row, label = np.nonzero(mask)
        beginnings = beginnings[row]
        beginnings[:, t] = label
    return Automaton(first, _merged(masks))


def _too_large(decisions: Decisions, t: int, found: int, most: int) -> GrammarTooLargeError:
    return GrammarTooLargeError(
        f"{decisions.schema.name}: a grammar of all that is legal would be too large: what may follow depends on the "
        f"history, and there are {found:,} beginnings of {t + 1} of {len(decisions)} decisions (at most {most:,}). Ask "
        "decision by decision, or with a grammar of the next decisions (whole=False)."
    )


def _one_state(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    return np.where(mask, 0, -1)[None]


def _merged(masks: list[NDArray[np.bool_]]) -> tuple[NDArray[np.intp], ...]:
    """Merge beginnings with the same continuations, from the last decision to the first."""
    layers: list[NDArray[np.intp]] = []
    state = np.zeros(int(masks[-1].sum()) if masks else 1, dtype=np.intp)
    for mask in reversed(masks):
        follow = np.full(mask.shape, -1, dtype=np.intp)
        follow[mask] = state  # both in the order of rows, then labels
        layer, state = np.unique(follow, axis=0, return_inverse=True)
        layers.append(layer)
    return tuple(reversed(layers))
