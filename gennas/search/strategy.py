"""The base class of search strategies: ask, tell, save, load."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gennas.graph import Architecture, Population
from gennas.registry import Registry
from gennas.search.columns import CheapFeatures
from gennas.search.objectives import Objectives
from gennas.search.screen import Screen
from gennas.search.trial import Origin, Proposal, Trial
from gennas.spaces.base import Space

if TYPE_CHECKING:
    from gennas.search.kept_records import KeptRecords
    from gennas.training.task import Task

__all__ = ["STRATEGIES", "Context", "Strategy"]

_PATIENCE = 200  # draws of what is missing that bring nothing, one after the other, before many are drawn at once
_BULK = 4096  # so many
_DRAWS = 10_000  # for each architecture that is wanted
_DECISIONS = 20_000_000  # drawn at most, in large spaces


@dataclass(frozen=True)
class Context:
    """What a strategy that trains is given by whoever runs it.

    Args:
        directory: of the run; a strategy keeps its files in a folder of its own there.
        task: what the run's evaluator trains for, or what proxies and an evaluator of the user's are given; None where
            there is none.
        on_progress: told how far a training has come: its epoch, and figures by name.
    """

    directory: Path
    task: Task | None = None
    on_progress: Callable[[int, Mapping[str, float]], None] | None = None


class Strategy(ABC):
    """Proposes architectures and learns from trials.

    Life cycle: the loop calls :meth:`ask` for up to :attr:`batch_size` proposals, has them
    evaluated, and calls :meth:`tell` once with all of these trials in the order of the proposals.
    With an asynchronous executor tells may come in any order and while others are pending. ``tell``
    may bring trials that this strategy never proposed (a warm start, another strategy's) and
    trials that failed; both must be accepted and learned from. Trials hold the metrics of the
    objectives and constraints only: a strategy never sees what is merely reported.

    The outcome depends on ``seed`` and on the order of tells, never on time or the number of
    workers. :meth:`state_dict` holds plain values and numpy arrays, nothing pickled.

    Args:
        space: where to search.
        objectives: what is better.
        seed: seed of every random decision.
    """

    takes_features: ClassVar[bool] = False
    """Whether :attr:`features` have a use: whether there is a surrogate that reads them."""

    def __init__(self, space: Space, objectives: Objectives, seed: int = 0) -> None:
        self.space, self.objectives, self.seed = space, objectives, seed
        self.rng = np.random.default_rng(seed)
        self.seen: set[str] = set()  # keys proposed or told: no label is bought twice
        self.screen: Screen | None = None  # cheap metrics of any candidate, set where the problem has some
        self.context: Context | None = None  # where and for what a strategy that trains does so
        self.features: CheapFeatures | None = None  # what a surrogate is told beside the decisions

    @property
    def batch_size(self) -> int:
        """How many proposals this strategy wants evaluated before the next tell."""
        return 1

    @property
    def initial_evaluations(self) -> int:
        """How many of the first proposals are made before any outcome can matter.

        A search whose budget is no larger cannot differ from random search. 0 where outcomes never matter.
        """
        return 1

    @classmethod
    def for_budget(cls, budget: int) -> dict[str, Any]:
        """Options that suit a budget better than the defaults do; none for most strategies.

        A comparison takes them for what the user left open, and keeps them in its runs' settings. Nothing else
        asks: the defaults themselves never depend on the budget, so that a search can be extended.
        """
        return {}

    def keep_in(self, archive: KeptRecords) -> None:  # noqa: B027  # most keep nothing
        """Keep records in the archive's file, such as what was paid for; called before anything is asked.

        Raises:
            ArchiveError: those that it holds are of another search.
        """

    def check(self) -> None:  # noqa: B027  # most depend on nothing
        """Try what proposals depend on, such as a server, before anything of a new search is written.

        Raises:
            GennasError: it does not work.
        """

    def prepare(self, context: Context) -> None:
        """Take what is needed to train; called before the first ask. Most strategies have no use for it."""
        self.context = context

    @abstractmethod
    def ask(self, n: int) -> list[Proposal]:
        """Return between 1 and ``n`` new proposals, or none if the space is exhausted."""

    @abstractmethod
    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn from finished trials."""

    def state_dict(self) -> dict[str, Any]:
        """State from which :meth:`load_state_dict` continues exactly."""
        state: dict[str, Any] = {"rng": self.rng.bit_generator.state, "seen": sorted(self.seen)}
        if self.screen is not None:
            state["screen"] = self.screen.state_dict()
        if self.features is not None:
            state["features"] = self.features.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.rng.bit_generator.state = state["rng"]
        self.seen = set(state["seen"])
        if self.screen is not None:
            self.screen.load_state_dict(state["screen"])
        if self.features is not None:
            self.features.load_state_dict(state["features"])

    def records(self) -> dict[str, float]:
        """Figures about the last round (validity, novelty, …), for trackers and the report."""
        return {}

    def spent(self) -> dict[str, float]:
        """What proposals cost to make since this was asked last, such as ``seconds``; added to the next trial's cost.

        Only what a person would not count among a strategy's own computations, such as zero-cost proxies.
        """
        return {} if self.features is None else self.features.spent()

    def _propose(self, arch: Architecture, origin: Origin) -> Proposal:
        self.seen.add(arch.key)
        return Proposal(arch, origin)

    def _random_unseen(self, n: int) -> list[Architecture]:
        """Up to ``n`` architectures of the space that were never proposed nor told; marks them seen.

        With a screen they keep the cheap constraints, unless none of a thousand does. Fewer come back
        only when the space, or what a prior makes likely in it, is (nearly) exhausted: where many draws
        in a row bring nothing new, thousands are drawn at a time, and a hundred thousand or more in all.
        """
        size, found, vain = self.space.size, list[Architecture](), 0
        left = max(_DRAWS, min(max(10, n) * _DRAWS, _DECISIONS // max(1, self.space.schema.num_decisions)))
        while len(found) < n and left > 0 and (size is None or len(self.seen) < size):
            in_bulk, before = vain >= _PATIENCE, len(found)
            rows = _BULK if in_bulk else n - before
            drawn, left = self._screened(rows), left - rows
            for i, key in enumerate(drawn.keys):
                if key not in self.seen and len(found) < n:
                    self.seen.add(key)
                    found.append(drawn[i])
            vain = 0 if len(found) > before and not in_bulk else vain + 1
        return found

    def _keeps_cheap(self, archs: Population) -> NDArray[np.bool_]:
        """Whether each keeps the constraints on cheap metrics, ``(b,)``; all do where there is no screen."""
        if self.screen is None:
            return np.ones(len(archs), dtype=bool)
        return np.equal(self.screen.violation(archs, self.objectives), 0)

    def _screened(self, n: int) -> Population:
        """``n`` or fewer random architectures that keep the cheap constraints."""
        if self.screen is None:
            return self.space.sample(n, self.rng)
        for _ in range(10):
            drawn = self.space.sample(max(100, n), self.rng)
            kept = self.screen.keep(drawn, self.objectives)
            if not self.screen.violation(drawn[kept], self.objectives).any():
                break
        return drawn[kept[:n]]


STRATEGIES: Registry[type[Strategy]] = Registry("strategy", "gennas.strategies")
