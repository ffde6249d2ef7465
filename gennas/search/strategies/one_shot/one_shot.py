"""One-shot search: a supernet is trained once, and what it likes best is proposed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gennas.errors import ConfigError
from gennas.search.objectives import Objectives
from gennas.search.strategies.one_shot.ranking import (
    InheritedRanker,
    StrengthRanker,
    TrainedSupernet,
    Training,
    check_method,
)
from gennas.search.strategy import STRATEGIES, Context, Strategy
from gennas.search.trial import Origin, Proposal, Trial
from gennas.spaces.base import Space

if TYPE_CHECKING:
    from gennas.training.supernet.norms import BatchNormMode

__all__ = ["OneShot"]


@STRATEGIES.register("one-shot")
class OneShot(Strategy):
    """Trains a supernet with any of its methods, then proposes architectures, best first.

    At the first ask the supernet is trained, in ``one_shot/`` of the run's directory; one whose training was
    interrupted goes on. Methods that sample paths are followed by a search on inherited scores, which are no labels:
    regularised evolution (random search after ``rsws``, samples of its controller after ``enas``). Methods that relax
    the decisions give their discretised architecture, then the next best ones. What is told changes neither: outcomes
    are labels of what was proposed.

    The seconds of the training and of the inherited evaluations are charged with the first proposal, as ``seconds`` and
    ``supernet_seconds``.

    Args:
        space: where to search; it has a supernet.
        objectives: what is better.
        seed: seed of weights, paths and the search on inherited scores.
        method: a name of :data:`gennas.training.supernet.methods.METHODS`.
        task: what the supernet is trained for; by default what the run's evaluator trains for or, with proxies or an
            evaluator of your own, is given.
        task_options: of that task, such as ``{path: mine.npz}``.
        recipe: settings of the supernet's training in place of the task's own, such as ``{lr: 0.003}``.
        epochs: of the supernet; by default those of the task's recipe.
        data_fraction: share of the training part.
        resolution: scale of images.
        inherited_evaluations: scores of the search on inherited weights.
        batch_norm: statistics that batch norms use in it: ``track``, ``batch`` or ``recalibrate``.
        method_options: of the method and of its step, such as ``{tau_end: 0.2}``.

    Raises:
        ConfigError: a number is out of range, or (at the first ask) there is no task or no supernet.
        UnknownNameError: no such method or task.
    """

    def __init__(
        self,
        space: Space,
        objectives: Objectives,
        seed: int = 0,
        *,
        method: str = "spos",
        task: str | None = None,
        task_options: Mapping[str, Any] | None = None,
        recipe: Mapping[str, Any] | None = None,
        epochs: int | None = None,
        data_fraction: float = 1.0,
        resolution: float = 1.0,
        inherited_evaluations: int = 500,
        batch_norm: BatchNormMode = "recalibrate",
        method_options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(space, objectives, seed)
        if inherited_evaluations < 1:
            raise ConfigError(f"one-shot: expected inherited_evaluations >= 1, got {inherited_evaluations}.")
        self.method, self.method_options = method, dict(method_options or {})
        self.training = Training(task, dict(task_options or {}), dict(recipe or {}))
        self.inherited_evaluations, self.batch_norm = inherited_evaluations, batch_norm
        self.fidelity = {"epochs": epochs, "data_fraction": data_fraction, "resolution": resolution}
        self._ranker: StrengthRanker | InheritedRanker | None = None
        self._found: dict[str, tuple[list[int], float]] = {}  # by key, best first: decisions and value
        self._spent: dict[str, float] = {}

    @property
    def batch_size(self) -> int:
        """Outcomes never matter."""
        return 8

    @property
    def initial_evaluations(self) -> int:
        """None: it never learns from labels."""
        return 0

    def prepare(self, context: Context) -> None:
        """Take the directory and the task; what cannot work is said before anything is written.

        Raises:
            ConfigError: there is no task, the space has no supernet, or an option is unknown or out of range.
            UnknownNameError: no such method or task.
        """
        super().prepare(context)
        check_method(self.space, context, self.method, self.training, self.method_options)

    def ask(self, n: int) -> list[Proposal]:
        """The ``n`` best that were not proposed or told yet; fewer, or none, where no more were found."""
        ranker = self._trained()
        size = self.space.size
        while True:
            fresh = [(key, row, value) for key, (row, value) in self._found.items() if key not in self.seen]
            if len(fresh) >= n or not ranker.more or (size is not None and len(self._found) >= size):
                break
            self._extend(ranker)
        places = {key: place for place, key in enumerate(self._found)}
        return [
            self._propose(
                self.space.architecture(row), Origin(self.method, details={ranker.value: value, "rank": places[key]})
            )
            for key, row, value in fresh[:n]
        ]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Remember foreign architectures, so that they are not bought again."""
        self.seen.update(t.arch.key for t in trials)

    def records(self) -> dict[str, float]:
        """Figures of the trained supernet: entropy and skips of relaxed decisions, or fairness of paths."""
        return {} if self._ranker is None else dict(self._ranker.supernet.records)

    def spent(self) -> dict[str, float]:
        """Seconds of training and inherited scores since this was asked last."""
        found, mine, self._spent = super().spent(), self._spent, {}
        return {name: found.get(name, 0.0) + mine.get(name, 0.0) for name in {**found, **mine}}

    def _trained(self) -> StrengthRanker | InheritedRanker:
        """Train the supernet, or go on with its training, or read it."""
        if self._ranker is not None:
            return self._ranker
        if self.context is None:
            raise ConfigError("one-shot was not told where to train: call prepare(Context(directory, task)) first.")
        supernet = TrainedSupernet.make(
            self.space, self.context, self.method, self.training, self.fidelity, self.seed, self.method_options
        )
        if not self._found:  # else it was charged before the state that this one goes on from
            self._spent = {"seconds": supernet.seconds, "supernet_seconds": supernet.seconds}
        if supernet.step_is_relaxed:
            self._ranker = StrengthRanker(supernet)
        else:
            self._ranker = InheritedRanker(
                supernet, self.inherited_evaluations, self.batch_norm, self.seed, self.screen, self.objectives
            )
        return self._ranker

    def _extend(self, ranker: StrengthRanker | InheritedRanker) -> None:
        """Let the ranker find more, and note what keeps the cheap constraints."""
        archs, values, seconds = ranker.find()
        if seconds:
            for name in ("seconds", "supernet_seconds"):
                self._spent[name] = self._spent.get(name, 0.0) + seconds
        kept = self._keeps_cheap(archs)
        for i in np.flatnonzero(kept):
            arch = archs[int(i)]
            self._found.setdefault(arch.key, (arch.decisions.tolist(), float(values[i])))

    def state_dict(self) -> dict[str, Any]:
        """What was found and proposed; the weights are files."""
        found = [{"key": key, "arch": row, "value": value} for key, (row, value) in self._found.items()]
        return {**super().state_dict(), "found": found, "spent": dict(self._spent)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what was found and proposed."""
        super().load_state_dict(state)
        self._found = {entry["key"]: ([int(s) for s in entry["arch"]], entry["value"]) for entry in state["found"]}
        self._spent = dict(state["spent"])
