"""What runs proposals: the search's side of the contract with :mod:`gennas.execution`."""

from __future__ import annotations

from typing import Protocol

from gennas.search.trial import Proposal, Trial

__all__ = ["Executor"]


class Executor(Protocol):
    """Runs proposals, one or several at a time.

    Attributes:
        capacity: how many proposals run at once.
    """

    capacity: int

    def submit(self, proposal: Proposal) -> None:
        """Queue a proposal; never blocks on its evaluation."""
        ...

    def wait_any(self) -> Trial:
        """Return the next trial that finishes; every submitted proposal comes back exactly once."""
        ...

    def close(self) -> None:
        """Stop the workers; unfinished proposals are forgotten."""
        ...
