"""What scores architectures: tables, training, proxies, and the user's own."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from gennas.errors import CheckpointError, ConfigError, EvaluationError, shown
from gennas.eval.base import FULL_FIDELITY, Evaluator, Fidelity, Metric
from gennas.eval.derived import read_goal
from gennas.eval.naming import split_last, unquoted
from gennas.eval.own import own_evaluator
from gennas.graph import Architecture
from gennas.registry import Registry, configured, reconfigured
from gennas.search import Constraint
from gennas.search.trial import COSTS
from gennas.spaces import Space
from gennas.workbench.config import ProblemConfig
from gennas.workbench.settings import Options, reference

if TYPE_CHECKING:
    from gennas.eval.proxies import Protocol, ProxyBatch, ProxyEvaluator
    from gennas.eval.tables import Table
    from gennas.training import MeasureConfig, Task, TrainConfig

__all__ = [
    "EVALUATORS",
    "RecordedEvaluator",
    "Scored",
    "make_measures",
    "make_proxy_evaluator",
    "make_recipe",
    "score_with",
    "task_batch",
    "task_from",
]

EVALUATORS: Registry[Any] = Registry("evaluator", "gennas.evaluators")
"""Evaluators of installed packages; gennas' own: ``auto``, ``table``, ``train``, ``supernet``, ``--proxy``."""

_BUILT_IN = ("auto", "table", "train", "supernet")


@dataclasses.dataclass(frozen=True)
class Scored:
    """An evaluator, the table or task behind it, where there is one, and where scores come from, for a person."""

    evaluator: Evaluator
    source: str
    table: Table | None = None
    task: Task | None = None


def score_with(config: ProblemConfig, space: Space, recorded: Mapping[str, Metric] | None = None) -> Scored:
    """The evaluator that settings describe.

    Args:
        config: the settings.
        space: of the architectures.
        recorded: metrics of a run that is only read: they stand in for a part that was given as an object.

    Raises:
        ConfigError: settings that contradict each other, or parts that are not there.
    """
    lost = [name for name in ("task", "evaluator") if str(getattr(config, name)).startswith("object:")]
    if lost:
        text = getattr(config, lost[0])
        if recorded is None:
            raise ConfigError(
                f"The {lost[0]} of this run was given as an object ({text.removeprefix('object:')}) and cannot be made "
                f"again from its name: give it, as {lost[0]}=… in Python."
            )
        return Scored(RecordedEvaluator(recorded, text), text.removeprefix("object:"))
    if config.proxy is not None:
        return _by_proxies(config, space)
    if not (isinstance(config.evaluator, str) and config.evaluator in _BUILT_IN):
        return _by_own(config, space)
    if config.evaluator == "supernet":
        return _by_supernet(config, space, recorded)
    if config.evaluator_option:
        raise ConfigError("--evaluator-option is for an evaluator of your own: give --evaluator file.py:Name too.")
    return _by_table(config, space) or _by_training(config, space)


def _by_table(config: ProblemConfig, space: Space) -> Scored | None:
    from gennas.eval.tables import TABLES, TableEvaluator, open_table

    if config.table is not None and config.task is not None:
        raise ConfigError("Expected either --task or --table, got both; drop one.")
    named = f"{space.name}/{config.task}"
    if config.table is None and (config.evaluator == "train" or named not in TABLES):
        if config.evaluator == "table":
            known = [name for name in TABLES if name.startswith(f"{space.name}/")]
            raise ConfigError(
                f"No table {shown(named)}; give --table FILE. Tables of this space: {', '.join(known) or 'none'}."
            )
        return None
    if config.fidelity != FULL_FIDELITY:
        raise ConfigError("A table has full evaluations only: drop --epochs and the other fidelity settings.")
    _refuse_measures(config)
    wanted = partial(_wanted, config) if config.objective else None
    table = open_table(config.table or named, space, wanted, config.table_duplicates, config.arch_format, config.max_gb)
    return Scored(TableEvaluator(table), table.name, table)


def _by_training(config: ProblemConfig, space: Space) -> Scored:
    from gennas.training import TrainEvaluator

    task = task_from(config.task or "digits", config.task_option, config.download)
    names, conditions = make_measures(config.measure, config.measure_option)
    evaluator = TrainEvaluator(
        space,
        task,
        make_recipe(task.config, config.train_option),
        measure_energy=config.energy,
        measure=names,
        measure_config=conditions,
    )
    return Scored(evaluator, f"training on {task.name}", task=task)


def _by_supernet(config: ProblemConfig, space: Space, recorded: Mapping[str, Metric] | None) -> Scored:
    from gennas.training.supernet import SupernetEvaluator

    assert config.supernet is not None  # checked with the settings
    if config.table is not None or config.train_option:
        raise ConfigError("A supernet is trained already: drop --table and --train-option.")
    _refuse_measures(config)
    if config.fidelity != FULL_FIDELITY:
        raise ConfigError(
            "A supernet is evaluated at the fidelity that it was trained at: drop --epochs and the other fidelity "
            "settings, or give them to `gennas train-supernet`."
        )
    task = task_from(config.task or "digits", config.task_option, config.download)
    given = {"directory": config.supernet, "space": space, "task": task}
    options = {name: value for name, value in config.evaluator_option.items()}
    try:
        evaluator = configured("the supernet evaluator", SupernetEvaluator, options, **given)
    except (CheckpointError, ConfigError):  # it has moved, is damaged, or another one lies there: records are read
        if recorded is None:
            raise
        primary = next((name for name in recorded if name.startswith("inherited_")), "")
        evaluator = RecordedEvaluator(recorded, f"the supernet {config.supernet}", primary)
    return Scored(evaluator, f"a supernet on {task.name}", task=task)


def _by_proxies(config: ProblemConfig, space: Space) -> Scored:
    _refuse_measures(config)
    if config.table is not None or config.evaluator != "auto":
        raise ConfigError("Expected --proxy alone, got --table or --evaluator with it; drop one.")
    task = None if config.task is None else task_from(config.task, config.task_option, config.download)
    names = [name for name in (config.proxy or "").split(",") if name.strip()]
    where = "noise" if task is None else task.name
    used = {*_wanted(config), *config.cheap} if config.objective else None
    evaluator = make_proxy_evaluator(space, names, task, used, **config.proxy_option)
    return Scored(evaluator, f"proxies on {where}", task=task)


def _by_own(config: ProblemConfig, space: Space) -> Scored:
    if config.table is not None:
        raise ConfigError("Expected --table or an evaluator of your own, got both; drop one.")
    _refuse_measures(config)
    part = config.evaluator
    name = part if isinstance(part, str) else reference(part)
    known = EVALUATORS.get(part) if isinstance(part, str) else part
    wanted = _wanted(config)
    task = None if config.task is None else task_from(config.task, config.task_option, config.download)
    evaluator = own_evaluator(known, config.evaluator_option, space, wanted, name, task=task)
    return Scored(evaluator, name.removeprefix("object:"), task=_task_of(evaluator) or task)


def _task_of(evaluator: Evaluator) -> Task | None:
    """The task that an evaluator which is there already trains for; None where it says nothing of the kind."""
    from gennas.training import Task

    found = getattr(evaluator, "task", None)
    return found if isinstance(found, Task) else None


def _wanted(config: ProblemConfig, known: Collection[str] = ()) -> dict[str, Metric]:
    """Every metric that the settings name, turned as they say; ``known`` names are taken as they are."""
    found: dict[str, Metric] = {}
    for text in (*config.limit, *([config.report] if config.report else [])):
        if text not in COSTS:
            name = unquoted(text, known)
            found[name] = Metric(name, "max" if text == config.report else "min")
    for constraint in map(Constraint.parse, config.constraint):
        found[constraint.metric] = Metric(constraint.metric, "max" if constraint.sense == ">=" else "min")
    for text, weighted in [read_goal(text, known) for text in config.objective]:
        if weighted is None:
            name, _, direction = split_last(text, ":", known)
            found[name] = Metric(name, "min" if direction == "min" else "max")
        else:
            found |= {metric: Metric(metric, "max" if weight > 0 else "min") for weight, metric in weighted.terms}
    return found


class RecordedEvaluator:
    """Stands in for an evaluator that is not at hand: it knows the metrics, and cannot score.

    Args:
        metrics: as the run noted them.
        name: of what is missing.
        primary: the metric that a search was for unless it said otherwise.
    """

    cost_class: Literal["cheap", "expensive"] = "expensive"

    def __init__(self, metrics: Mapping[str, Metric], name: str, primary: str = "val_accuracy") -> None:
        self.metrics, self.name, self.primary = metrics, name, primary
        self.protocol = f"recorded({name})"

    def evaluate(self, arch: Architecture, fidelity: Fidelity, seed: int) -> Mapping[str, float]:
        """Refuse.

        Raises:
            EvaluationError: always.
        """
        raise EvaluationError(f"The run was scored by {self.name}, which is not at hand: only its records can be read.")


# ---------------------------------------------------------------------- parts of evaluators


def task_from(part: Any, options: Mapping[str, Any], download: bool = False) -> Task:
    """A task by its name or import path; a task that is there already as it is.

    Raises:
        ConfigError: options for a task that is made already, ones that do not exist, or no task.
        UnknownNameError: no task has that name.
    """
    from gennas.training import Task, make_task

    if isinstance(part, str):
        return make_task(part, **{**({"download": True} if download else {}), **options})
    if isinstance(part, Task) and not options:
        return part
    if isinstance(part, Task):
        raise ConfigError(
            f"The task {shown(part.name)} is made already: expected no options, got {', '.join(options)}."
        )
    made = configured("the task", part, options) if callable(part) else part
    if not isinstance(made, Task):
        raise ConfigError(f"Expected a name, a Task or a function that returns one as task, got {shown(part)}.")
    return made


def make_recipe(default: TrainConfig, options: Mapping[str, Any] | Sequence[str]) -> TrainConfig:
    """The training recipe with some settings replaced.

    Raises:
        ConfigError: no such setting, or a value out of range.
    """
    made: TrainConfig = reconfigured("the training recipe", default, Options.of(options))
    return made


def make_measures(
    names: str | None, options: Mapping[str, Any] | Sequence[str]
) -> tuple[tuple[str, ...], MeasureConfig]:
    """Names of measures and their conditions, from ``--measure`` and ``--measure-option``.

    Raises:
        ConfigError: conditions without a measure, or ones that do not exist or fit.
    """
    from gennas.training import MeasureConfig

    chosen = tuple(name.strip() for name in (names or "").split(",") if name.strip())
    if options and not chosen:
        raise ConfigError("--measure-option needs --measure NAMES.")
    return chosen, MeasureConfig.of(Options.of(options))


def _refuse_measures(config: ProblemConfig) -> None:
    if config.measure is not None or config.measure_option:
        raise ConfigError("Only networks that are trained can be measured: drop --measure, or use --evaluator train.")


def task_batch(task: Task, protocol: Protocol) -> ProxyBatch:
    """A batch of the task's training part, shuffled by the protocol's seed, and the one after it."""
    import torch

    from gennas.eval.proxies import ProxyBatch

    generator = torch.Generator().manual_seed(protocol.seed)
    batches = task.data.batches("train", protocol.batch_size, generator)
    first, second = next(batches), next(batches, None)
    following = None if second is None else ProxyBatch(second.inputs, second.y, second.rows)
    return ProxyBatch(first.inputs, first.y, first.rows, following)


def make_proxy_evaluator(
    space: Space,
    proxies: Sequence[str],
    task: Task | None = None,
    required: Iterable[str] | None = None,
    **options: object,
) -> ProxyEvaluator:
    """An evaluator of proxies on a task's examples, or on noise.

    Args:
        space: builds the networks.
        proxies: names of proxies.
        task: gives input shape, number of classes and, unless ``batch="noise"``, the batch.
        required: proxies whose failure fails an evaluation; None: all.
        **options: settings of :class:`Protocol`.

    Raises:
        ConfigError: a setting does not exist or does not fit.
        UnknownNameError: a proxy is not registered.
    """
    from gennas.eval.proxies import Protocol, ProxyEvaluator

    if task is not None:
        spec = task.spec
        given = {"input_shape": spec.input_shape, "num_classes": spec.num_outputs, "batch": task.name}
        if spec.kind not in ("image", "node"):
            given |= {"kind": spec.kind, "vocabulary": spec.vocabulary, "second_shape": spec.second_shape}
        options = {**given, **options}
    protocol: Protocol = configured("the proxies' protocol", Protocol, options)
    if protocol.batch != "noise" and (task is None or protocol.batch != task.name):
        raise ConfigError(
            f"Expected batch=noise or the name of the task, got {shown(protocol.batch)}; give it as --task."
        )
    batch = partial(task_batch, task, protocol) if task is not None and protocol.batch != "noise" else None
    return ProxyEvaluator(space, proxies, protocol, batch, required)
