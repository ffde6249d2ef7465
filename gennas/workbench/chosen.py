"""Which architecture, space and task a verb is about: named one by one, or those of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gennas.errors import ConfigError, UnknownNameError, reason_of
from gennas.eval.base import FULL_FIDELITY, Fidelity
from gennas.graph import Architecture
from gennas.spaces import Space
from gennas.workbench.directory import kept_settings, read_config
from gennas.workbench.evaluators import task_from
from gennas.workbench.problem import load_architecture, space_from, task_name
from gennas.workbench.settings import NO_OPTIONS, SizeSettings, SpaceSettings, TrustSettings

if TYPE_CHECKING:
    from gennas.training import Task
    from gennas.workbench.config import SearchConfig

__all__ = ["ArchitectureSettings", "Chosen", "best_text", "choose", "describe_effort", "own_task", "spent_by"]


@dataclass(frozen=True)
class ArchitectureSettings(TrustSettings):
    """Which architecture."""

    arch: str = ""
    """The architecture's text, or a summary.json, whose best architecture is taken."""
    source: Path | None = field(default=None, metadata={"flag": "from"})
    """Run directory: its space, its task, their options, its fidelity and, unless one is given, its best network."""
    another_task: bool = False
    """With --from: take the --task that is given although the run was on another one, fully and by its own recipe."""


@dataclass(frozen=True)
class Chosen:
    """An architecture with its space and the task that it is for."""

    space: Space
    arch: Architecture
    task: Task
    described: str
    """The three in one line, for a person, and at which fidelity."""
    effort: Mapping[str, Any] = field(default_factory=dict)
    """Epochs, data fraction, resolution, width and depth, as far as the verb has them."""
    train_option: Mapping[str, Any] = field(default_factory=dict)
    """What the run changed in the task's recipe."""

    @property
    def fidelity(self) -> Fidelity:
        """Epochs, data and resolution; the networks themselves are of another size."""
        names = ("epochs", "data_fraction", "resolution", "context")
        return Fidelity(**{name: self.effort[name] for name in names if name in self.effort})


def choose(settings: Any) -> Chosen:
    """What settings of a space, a task and an architecture mean.

    With ``--from RUN`` the space is the run's. So is the task; a ``--task`` that is another one is refused without
    ``--another-task``. A run that was scored without a task (by a table or an evaluator of the user's own) takes
    any, by default digits. With the run's task come
    its options, what it changed in the recipe, and its fidelity, where the settings do not say otherwise.

    Args:
        settings: :class:`SpaceSettings`, :class:`TaskSettings` and :class:`ArchitectureSettings` in one, and
            :class:`SizeSettings` where networks have a size.

    Raises:
        ConfigError: flags that contradict the run, or a run that cannot be read.
        InvalidArchitectureError: the text is no architecture of the space.
    """
    from gennas.training import scale_space

    best, part, options = "", settings.task, settings.task_option
    spent: Fidelity | None = None
    recipe: Mapping[str, Any] = NO_OPTIONS
    if settings.source is None:
        space = space_from(settings)
    else:
        run = read_config(settings.source, settings.trust, task=settings.task, **_own_space(settings))
        part, options = _task_of(run, settings)
        space, best = space_from(run, task_name(part or "digits")), "" if settings.arch else best_text(settings.source)
        own = (kept_settings(settings.source) or ({},))[0].get("task")  # the run's, whatever the flags say
        spent, recipe = spent_by(run, own, part)
    task = task_from("digits" if part is None else part, options, settings.download)
    effort = settings.effort(spent) if isinstance(settings, SizeSettings) else {}
    space = scale_space(space, effort.get("width", 1.0), effort.get("depth", 1.0))
    arch = load_architecture(settings.arch or best, space)
    where = "" if settings.source is None else f" (from {settings.source})"
    named = f"{space.to_text(arch)} · {space.name} · task {task.name}{describe_effort(effort, recipe)}{where}"
    return Chosen(space, arch, task, named, effort, recipe)


def spent_by(run: SearchConfig, own: Any, task: Any) -> tuple[Fidelity | None, Mapping[str, Any]]:
    """Fidelity and changes of the recipe of a run's trainings, if its ``own`` task is this one; else none.

    Both are about one task: three epochs of digits say nothing of CIFAR-10.
    """
    same = task is not None and task_name(task) == task_name(own)
    return (run.fidelity, run.train_option) if same else (None, NO_OPTIONS)


def own_task(run: SearchConfig) -> Any:
    """The run's task, where it is one to train on; None otherwise."""
    return run.task if run.task is not None and _is_task(run.task) else None


def describe_effort(effort: Mapping[str, Any], recipe: Mapping[str, Any]) -> str:
    """What differs from a full training by the task's recipe, for a person; nothing if nothing does."""
    default = asdict(FULL_FIDELITY)
    changed = {name: value for name, value in effort.items() if value != default[name]}
    texts = [f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in changed.items()]
    texts += [f"{name}={value}" for name, value in recipe.items()]
    return f" · {', '.join(texts)}" if texts else ""


def _own_space(settings: Any) -> dict[str, Any]:
    """The user's own space, which may stand for one that the run names as code or was given as an object."""
    default = {f.name: f.default for f in fields(SpaceSettings)}
    if all(getattr(settings, name) == value for name, value in default.items()):
        return {}
    found = kept_settings(settings.source)
    if found is not None and ":" not in str(found[0].get("space")):
        raise ConfigError("Expected --from alone, which brings the run's space, got --space or --space-option with it.")
    return {"space": settings.space, "space_option": settings.space_option}


def _task_of(run: SearchConfig, settings: Any) -> tuple[Any, Mapping[str, Any]]:
    """The run's task, where it is one to train on, else the one that the flags name.

    Raises:
        ConfigError: the flags name another task than the run's without saying that they mean it.
    """
    _refuse_another_task(settings)
    if settings.task is not None or own_task(run) is None:
        return settings.task, settings.task_option
    return run.task, {**run.task_option, **settings.task_option}


def _refuse_another_task(settings: Any) -> None:
    """A task in place of one that the run names must be meant; in place of code it is the user's own."""
    if settings.task is None or settings.another_task:
        return
    found = kept_settings(settings.source)
    kept, asked = task_name((found or ({},))[0].get("task")), task_name(settings.task)
    is_named = isinstance(settings.task, str) and ":" not in asked
    if kept.startswith("object:"):  # it lived in the process that searched: any may stand for it
        return
    if kept != asked and (is_named if ":" in kept else _is_task(kept)):
        raise ConfigError(
            f"{settings.source} is a run on the task {kept}, got --task {asked}: leave --task out, or add "
            "--another-task to train on that one instead."
        )


def _is_task(name: Any) -> bool:
    """Whether a name means something to train on, not a table only."""
    from gennas.training import TASKS

    try:
        return not str(name).startswith("object:") and TASKS.get(str(name)) is not None
    except UnknownNameError:
        return False


def best_text(run: Path) -> str:
    """The text of a run's best architecture; neither its data nor its table have to be there.

    Raises:
        ConfigError: the folder holds no finished run, or nothing feasible was found.
    """
    try:
        best = json.loads((run / "summary.json").read_text())["best"]
        text = None if best is None else str(best["text"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(
            f"{run}: expected the --out of a finished search, with a summary.json ({reason_of(error)})."
        ) from error
    if text is None:
        raise ConfigError(f"{run}: no trial was feasible, so there is no best architecture; give one as ARCH.")
    return text
