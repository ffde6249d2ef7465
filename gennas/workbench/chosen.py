"""Which architecture, space and task a verb is about: named one by one, or those of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gennas.errors import ConfigError, UnknownNameError, reason_of
from gennas.graph import Architecture
from gennas.spaces import Space
from gennas.workbench.directory import kept_settings, read_config
from gennas.workbench.evaluators import task_from
from gennas.workbench.problem import load_architecture, space_from, task_name
from gennas.workbench.settings import SpaceSettings, TrustSettings

if TYPE_CHECKING:
    from gennas.training import Task
    from gennas.workbench.config import SearchConfig

__all__ = ["ArchitectureSettings", "Chosen", "best_text", "choose"]


@dataclass(frozen=True)
class ArchitectureSettings(TrustSettings):
    """Which architecture."""

    arch: str = ""
    """The architecture's text, or a summary.json, whose best architecture is taken."""
    source: Path | None = field(default=None, metadata={"flag": "from"})
    """Run directory: its space, its task, their options and, unless one is given, its best architecture."""


@dataclass(frozen=True)
class Chosen:
    """An architecture with its space and the task that it is for."""

    space: Space
    arch: Architecture
    task: Task
    described: str
    """The three in one line, for a person."""


def choose(settings: Any, scale: tuple[float, float] = (1.0, 1.0)) -> Chosen:
    """What settings of a space, a task and an architecture mean.

    With ``--from RUN`` the space is the run's. So is the task, unless ``--task`` names another one, or the run was
    scored without a task (by a table or an evaluator of the user's own): then it is digits.

    Args:
        settings: :class:`SpaceSettings`, :class:`TaskSettings` and :class:`ArchitectureSettings` in one.
        scale: factors of the networks' width and depth.

    Raises:
        ConfigError: flags that contradict the run, or a run that cannot be read.
        InvalidArchitectureError: the text is no architecture of the space.
    """
    from gennas.training import scale_space

    best, part, options = "", settings.task, settings.task_option
    if settings.source is None:
        space = space_from(settings)
    else:
        run = read_config(settings.source, settings.trust, task=settings.task, **_own_space(settings))
        part, options = _task_of(run, settings)
        space, best = space_from(run, task_name(part or "digits")), "" if settings.arch else best_text(settings.source)
    task = task_from("digits" if part is None else part, options, settings.download)
    space = scale_space(space, *scale)
    arch = load_architecture(settings.arch or best, space)
    where = "" if settings.source is None else f" (from {settings.source})"
    return Chosen(space, arch, task, f"{space.to_text(arch)} · {space.name} · task {task.name}{where}")


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
    """The task that the flags name, else the run's, where it is one to train on."""
    if settings.task is not None or run.task is None or not _is_task(run.task):
        return settings.task, settings.task_option
    return run.task, {**run.task_option, **settings.task_option}


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
