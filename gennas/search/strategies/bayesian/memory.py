"""What surrogates learned in the rounds before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gennas.graph import GraphSchema

if TYPE_CHECKING:
    from gennas.models.surrogate import GPSurrogate, Group, Surrogate

__all__ = ["SurrogateMemory"]


class SurrogateMemory:
    """Hands what the surrogates of a round learned to those of the next, in the order in which they are made.

    Hyper-parameters are thus fitted now and then instead of in each round, see
    :class:`gennas.models.surrogate.GPSurrogate`, and a search that is continued has them, too.

    Attributes:
        former: the search was begun by version 0.1, whose Gaussian processes had no cap and looked at
            neighbourhoods in every space; it goes on with such.
    """

    def __init__(self) -> None:
        self.former = False
        self._last: dict[str, list[Surrogate]] = {}
        self._stored: dict[str, list[Mapping[str, Any]]] = {}

    def recalling(self, make: Callable[[], Surrogate], name: str = "") -> Callable[[], Surrogate]:
        """``make``, such that the ``i``-th surrogate of this round recalls what the ``i``-th of the last one learned.

        Args:
            make: a new surrogate.
            name: of a kind of surrogates, where a round has several.
        """
        before = self._learned(name)
        made: list[Surrogate] = []
        self._last[name] = made

        def remember() -> Surrogate:
            from gennas.models.surrogate import RecallingSurrogate

            surrogate = make()
            if isinstance(surrogate, RecallingSurrogate) and len(made) < len(before):
                surrogate.recall(before[len(made)])
            made.append(surrogate)
            return surrogate

        return remember

    def gps(self, schema: GraphSchema, extra: Sequence[Group] = ()) -> list[GPSurrogate]:
        """The Gaussian processes that suit a schema, with ``extra`` groups in each; without a cap as formerly."""
        from gennas.models.surrogate import DEFAULT_GROUPS, SUBTREE_GROUPS, GPSurrogate, kernel_groups

        if self.former:
            return [GPSurrogate((*groups, *extra), cap=None) for groups in (DEFAULT_GROUPS, SUBTREE_GROUPS)]
        return [GPSurrogate((*groups, *extra)) for groups in kernel_groups(schema)]

    def _learned(self, name: str) -> list[Mapping[str, Any]]:
        from gennas.models.surrogate import RecallingSurrogate

        if name not in self._last:
            return self._stored.get(name, [])
        return [s.learned if isinstance(s, RecallingSurrogate) else {} for s in self._last[name]]

    def state_dict(self) -> dict[str, Any]:
        """What was learned last, plain values and arrays."""
        return {"former": self.former, "learned": {n: self._learned(n) for n in {**self._stored, **self._last}}}

    def load_state_dict(self, state: Mapping[str, Any] | None) -> None:
        """Restore it; without a state the search is one of version 0.1."""
        self.former, self._last = state is None or bool(state["former"]), {}
        self._stored = {} if state is None else dict(state["learned"])
