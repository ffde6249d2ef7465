"""What a trained supernet likes best: by strengths of relaxed decisions, or by inherited scores."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.eval.base import FULL_FIDELITY, Fidelity
from gennas.graph import Population
from gennas.registry import reconfigured
from gennas.runtime.seeds import draw_seed, seeded
from gennas.search.objectives import Objective, Objectives
from gennas.search.screen import Screen
from gennas.search.strategies.evolution.regularized_evolution import RegularizedEvolution
from gennas.search.strategies.local.random import RandomSearch
from gennas.search.strategy import Context, Strategy
from gennas.search.trial import Origin, Proposal, Trial
from gennas.spaces.base import Space

if TYPE_CHECKING:
    from gennas.training.recipe import TrainConfig
    from gennas.training.supernet.methods import ENAS, AlternatingStep, SampledStep
    from gennas.training.supernet.norms import BatchNormMode
    from gennas.training.task import Task

__all__ = ["InheritedRanker", "StrengthRanker", "TrainedSupernet", "Training", "check_method"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Training:
    """What a supernet is trained for, and how.

    Args:
        task: a name, or the task that the context has where it is None.
        task_options: of the named task.
        recipe: settings in place of the task's own.
    """

    task: str | None = None
    task_options: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)

    def made(self, context: Context) -> tuple[Task, TrainConfig]:
        """The task and the recipe.

        Raises:
            ConfigError: there is no task, or an option is unknown or out of range.
            UnknownNameError: no such task.
        """
        from gennas.training import make_task

        if self.task is None and self.task_options:
            raise ConfigError(
                f"one-shot: got task_options ({', '.join(self.task_options)}) without a task: give "
                "--strategy-option task=NAME."
            )
        task = context.task if self.task is None else make_task(self.task, **self.task_options)
        if task is None:
            raise ConfigError(
                "one-shot needs a task to train its supernet for, and the run's evaluator trains for none: give "
                "--strategy-option task=NAME."
            )
        return task, reconfigured("the recipe of one-shot's supernet", task.config, self.recipe)


@dataclass(frozen=True, eq=False)
class TrainedSupernet:
    """A supernet in a directory, with the step that trained it.

    Args:
        space: that it is of.
        task: that it was trained for.
        directory: where it lies.
        method: name of the method.
        step: in the state in which the training ended.
        seconds: that the training took, in all its parts.
    """

    space: Space
    task: Task
    directory: Any
    method: str
    step: AlternatingStep | SampledStep
    seconds: float

    @classmethod
    def make(
        cls,
        space: Space,
        context: Context,
        method: str,
        training: Training,
        fidelity: Mapping[str, Any],
        seed: int,
        options: Mapping[str, Any],
    ) -> TrainedSupernet:
        """Train it in ``one_shot/`` of the context's directory, or go on there, or read it.

        Raises:
            ConfigError: there is no task, or the space has no supernet.
            CheckpointError: the directory holds another one.
        """
        from gennas.training import load_state, scale_space, scale_spec
        from gennas.training.supernet import train_supernet
        from gennas.training.supernet.methods import make_step

        found, config = training.made(context)
        directory, spent = context.directory / "one_shot", Fidelity(**fidelity)
        _, record = train_supernet(
            space, found, directory, method, options, config, spent, seed, on_epoch=context.on_progress
        )
        scaled = scale_space(space, spent.width, spent.depth)
        step = make_step(method, scaled, scale_spec(found.spec, spent), seed, **options)
        step.load_state_dict(load_state(directory).part("step"))
        return cls(space, found, directory, method, step, record.seconds)

    @property
    def step_is_relaxed(self) -> bool:
        """Whether decisions were relaxed one by one, so that they have strengths."""
        from gennas.training.supernet.methods import ENAS, AlternatingStep

        return isinstance(self.step, AlternatingStep) and not isinstance(self.step.relaxation, ENAS)

    @property
    def records(self) -> Mapping[str, float]:
        """The step's figures, without those of single decisions, which no round changes."""
        from gennas.training.supernet.records import headline

        return headline(self.step.records())


class StrengthRanker:
    """The legal architectures with the largest product of strengths, ever more of them.

    Args:
        supernet: whose step has strengths.
        first: how many are found at first; then twice as many, and so on.
    """

    value = "log_strength"

    def __init__(self, supernet: TrainedSupernet, first: int = 16) -> None:
        self.supernet, self._next, self.more = supernet, first, True

    def find(self) -> tuple[Population, FloatArray, float]:
        """The best so many, their values, and the seconds that they cost: none to speak of."""
        from gennas.training.supernet.methods import AlternatingStep, discretise

        step = self.supernet.step
        assert isinstance(step, AlternatingStep)
        archs, values = discretise(step.relaxation.strengths(), self.supernet.space, self._next)
        self.more = len(archs) >= self._next
        self._next *= 2
        return archs, values, 0.0


class _ControllerSearch(RandomSearch):
    """Samples of ENAS's controller, each once; nothing once it repeats itself."""

    def __init__(self, space: Space, objectives: Objectives, seed: int, controller: ENAS) -> None:
        super().__init__(space, objectives, seed)
        self.controller = controller

    def ask(self, n: int) -> list[Proposal]:
        """Up to ``n`` architectures that it samples and did not before."""
        found: list[Proposal] = []
        for _ in range(20):
            with seeded(draw_seed(self.rng)):
                D = self.controller.run(rows=2 * n)[0].numpy().astype(np.int16)  # decisions carry no gradient
            archs = self.space.canonical(Population.from_decisions(self.space.schema, D)).unique()
            fresh = archs[np.flatnonzero(self._keeps_cheap(archs))]
            new = [arch for arch in fresh if arch.key not in self.seen]
            found += [self._propose(arch, Origin("controller")) for arch in new[: n - len(found)]]
            if len(found) == n:
                break
        return found


class InheritedRanker:
    """The architectures with the best inherited scores that a search finds, once.

    Args:
        supernet: whose weights are inherited.
        evaluations: of the search.
        batch_norm: statistics of batch norms.
        seed: of the search.
        screen: of cheap constraints, which the search keeps.
        constraints: objectives with these constraints.
    """

    def __init__(
        self,
        supernet: TrainedSupernet,
        evaluations: int,
        batch_norm: BatchNormMode,
        seed: int,
        screen: Screen | None,
        constraints: Objectives,
    ) -> None:
        from gennas.training.supernet import SupernetEvaluator

        self.supernet, self.evaluations, self.more = supernet, evaluations, True
        self.evaluator = SupernetEvaluator(supernet.directory, supernet.space, supernet.task, batch_norm=batch_norm)
        self.value = self.evaluator.primary
        goal = Objective(self.value, self.evaluator.metrics[self.value].direction)
        cheap = () if screen is None else screen.metrics
        objectives = Objectives((goal,), tuple(c for c in constraints.constraints if c.metric in cheap))
        self.search = self._search(objectives, seed)
        self.search.screen = screen
        self.sign = 1.0 if goal.direction == "max" else -1.0

    def _search(self, objectives: Objectives, seed: int) -> Strategy:
        controller = getattr(self.supernet.step, "relaxation", None)
        if controller is not None:
            return _ControllerSearch(self.supernet.space, objectives, seed, controller)
        if self.supernet.method == "rsws":
            return RandomSearch(self.supernet.space, objectives, seed)
        options = RegularizedEvolution.for_budget(self.evaluations)
        return RegularizedEvolution(self.supernet.space, objectives, seed, **options)

    def find(self) -> tuple[Population, FloatArray, float]:
        """All that were scored, best first, their scores, and the seconds that scoring took."""
        start, trials = time.perf_counter(), list[Trial]()
        while len(trials) < self.evaluations:
            asked = self.search.ask(min(self.search.batch_size, self.evaluations - len(trials)))
            if not asked:
                break
            scores = [self.evaluator.evaluate(p.arch, FULL_FIDELITY, 0)[self.value] for p in asked]
            cheap = self._cheap(Population.of(self.supernet.space.schema, [p.arch for p in asked]))
            told = [Trial(p, "ok", {self.value: s, **c}) for p, s, c in zip(asked, scores, cheap, strict=True)]
            self.search.tell(told)
            trials += told
        self.more = False
        values = np.array([t.metrics[self.value] for t in trials])
        order = np.argsort(-self.sign * values, kind="stable")
        archs = Population.of(self.supernet.space.schema, [trials[int(i)].arch for i in order])
        return archs, values[order], time.perf_counter() - start

    def _cheap(self, archs: Population) -> list[dict[str, float]]:
        """The cheap metrics of each, by which the search keeps constraints."""
        if self.search.screen is None:
            return [{} for _ in range(len(archs))]
        columns = self.search.screen.columns(archs)
        return [{name: float(column[i]) for name, column in columns.items()} for i in range(len(archs))]


def check_method(space: Space, context: Context, method: str, training: Training, options: Mapping[str, Any]) -> None:
    """Make a method's step to see whether its options are right, and refuse spaces without a supernet.

    Raises:
        ConfigError: there is no task, the space has no supernet, or an option is unknown or out of range.
        UnknownNameError: no such method or task.
    """
    from gennas.spaces.parts import Shared
    from gennas.training.supernet.methods import make_step

    spec = training.made(context)[0].spec
    if type(space).network is Space.network:
        space.network(Shared(space.schema), spec)  # says that there is none
    make_step(method, space, spec, **options)
