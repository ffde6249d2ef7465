"""What a tracker is told of a configuration, and where its runs go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gennas.errors import GennasError
from gennas.registry import options_of
from gennas.search import STRATEGIES
from gennas.search.language_summary import language_record
from gennas.tracking import NullTracker, RunInfo, SafeTracker, Tracker, WandbOptions
from gennas.workbench.config import TrackingSettings
from gennas.workbench.problem import Problem, task_name

if TYPE_CHECKING:
    from gennas.search import Archive
    from gennas.workbench.config import SearchConfig
    from gennas.workbench.run import Run

__all__ = [
    "make_tracker", "overridden", "place_of", "replay_run", "resolved_values", "run_info", "tracking_of",
    "wandb_options",
]  # fmt: skip

S = TypeVar("S", bound=TrackingSettings)


def make_tracker(settings: TrackingSettings, run_dir: Path) -> Tracker:
    """The tracker that settings name; one that fails does not stop the search."""
    if settings.track == "none":
        return NullTracker()
    from gennas.tracking.wandb import WandbTracker

    return SafeTracker(WandbTracker(options=wandb_options(settings), run_dir=run_dir))


def place_of(tracker: Tracker) -> str:
    """Where a person finds what was tracked, in a line or two; empty where the tracker does not say."""
    return str(getattr(tracker, "place", ""))


def wandb_options(settings: TrackingSettings) -> WandbOptions:
    """Where W&B files a run."""
    return WandbOptions(
        settings.wandb_project or "",
        settings.wandb_entity or "",
        settings.wandb_group or "",
        settings.wandb_tags,
        settings.wandb_notes or "",
    )


def tracking_of(settings: TrackingSettings) -> dict[str, Any]:
    """The settings of tracking alone, by name."""
    return {f.name: getattr(settings, f.name) for f in fields(TrackingSettings)}


def overridden(settings: S, by: TrackingSettings) -> S:
    """Settings with those of tracking that ``by`` gives."""
    given = {name: value for name, value in tracking_of(by).items() if value}
    return replace(settings, **given)


def resolved_values(config: SearchConfig, problem: Problem) -> dict[str, Any]:
    """A search's settings as nested plain values, in which options that were left open stand with their defaults.

    Those of the strategy, of the space, and of the training recipe where networks are trained.
    """
    values, strategy = config.to_dict(), config.strategy
    with suppress(GennasError):  # a run is read whose strategy was an object, or stood in a file that is gone
        strategy = STRATEGIES.get(strategy) if isinstance(strategy, str) else strategy
    if callable(strategy):
        given = ("space", "objectives", "seed")
        values["strategy_option"] = _defaults(strategy, given) | dict(config.strategy_option)
    values["space_option"] = _plain(_defaults(type(problem.space), ()) | dict(values["space_option"]))
    recipe = getattr(problem.measured_by, "config", None)
    if recipe is not None and hasattr(recipe, "to_dict"):
        values["train_option"] = _plain(recipe.to_dict())
    return values


def _defaults(factory: Callable[..., Any], given: tuple[str, ...]) -> dict[str, Any]:
    found = {option.name: option.default for option in options_of(factory, given) if option.default is not MISSING}
    return _plain(found)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values that a tracker can keep: numbers, texts, lists and mappings; of anything else its text."""
    return {str(name): _plain_value(value) for name, value in values.items()}


def _plain_value(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return _plain(value)
    if isinstance(value, (list, tuple)):
        return [_plain_value(item) for item in value]
    return str(value)


def run_info(config: SearchConfig, problem: Problem) -> RunInfo:
    """What a tracker is told of a search before its first trial."""
    values = resolved_values(config, problem)
    source = task_name(config.task) or config.table or "digits"
    strategy = str(values["strategy"])
    return RunInfo(
        values,
        config.config_hash,
        config.seed,
        problem.objectives,
        problem.space.to_text,
        group=f"{problem.space.name}-{Path(source).name}-{strategy}",
        name=f"{strategy}-{config.seed}",
    )


def replay_run(run: Run, archive: Archive, tracking: TrackingSettings | None = None) -> Run:
    """Tell W&B the whole story of a run, from its archive; the run that comes back says where.

    Args:
        run: a run, finished or not.
        archive: its archive.
        tracking: replaces what the run's own settings say of W&B.
    """
    from gennas.tracking import replay

    settings = overridden(run.config, tracking or TrackingSettings())
    tracker = make_tracker(replace(settings, track="wandb"), run.directory)
    replay(
        tracker,
        run.result.trials,
        archive.rounds(),
        run_info(run.config, run.problem),
        {**run.summary(), **language_record(archive)},
    )
    return replace(run, tracked=place_of(tracker))
