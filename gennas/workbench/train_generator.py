"""Generators trained off-line, on unlabelled architectures and on what finished runs measured, and drawn from later."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import gennas
from gennas.errors import ConfigError, shown
from gennas.eval.base import Direction, Fidelity
from gennas.eval.naming import split_names
from gennas.generators.registry import GENERATORS
from gennas.graph import Population
from gennas.registry import reconfigured
from gennas.runtime.files import draft_folder
from gennas.search import Objective
from gennas.spaces import Space
from gennas.workbench.directory import kept_settings
from gennas.workbench.problem import space_from, task_name
from gennas.workbench.run import read_run
from gennas.workbench.settings import (
    NO_OPTIONS,
    Count,
    OptionMap,
    Part,
    Paths,
    Seed,
    SpaceSettings,
    Steps,
    TrustSettings,
)

if TYPE_CHECKING:
    from gennas.generators.base import NetworkGenerator
    from gennas.generators.conditions import ConditionScale
    from gennas.generators.trained import SpaceSource, TrainedGenerator
    from gennas.workbench.run import Run

__all__ = ["Drawn", "TrainGeneratorConfig", "draw_architectures", "train_generator"]

FloatArray = NDArray[np.float64]
Progress = Callable[[str, int, int], None]
"""``progress(stage, done, total)``, after every step."""


@dataclass(frozen=True)
class TrainGeneratorConfig(TrustSettings, SpaceSettings):
    """Train a generator off-line and save it: on unlabelled architectures, which cost nothing, and on finished runs.

    Without --archive it learns which architectures the space holds. With one or more run directories it learns,
    beside that, what their measured architectures are like, each under its quantile of every condition; then
    `gennas sample` can ask for good ones.

    More examples:
      gennas train-generator --space nasbench101 --kind autoregressive --out gen/nb101
      gennas train-generator --archive runs/a --archive runs/b --conditions val_accuracy,latency_s --out gen/ab
      gennas train-generator --init gen/ab --archive runs/c --out gen/abc        (goes on from the weights of gen/ab)
      gennas sample --generator gen/ab --n 10 --condition "val_accuracy>=0.9q, latency_s<=0.002"
    """

    space: Part | None = None
    """Search space: a name from `gennas list spaces`, or `module:Class` / `file.py:Class`; default: the archives'."""
    task: str = ""
    """Task, where the space has variants by task."""
    archive: Paths = ()
    """Run directory to learn from; may be given several times, for runs that measured the same."""
    conditions: str = ""
    """Metrics to be asked for, as METRIC or METRIC:min, joined by commas; default: objectives and constraints."""
    out: Path = Path("runs/generator")
    """Folder of the generator; must be new."""
    kind: str | None = None
    """Kind of generator: a name from `gennas list generators`; default: that of --init, or diffusion."""
    init: Path | None = None
    """Start from the weights of a saved generator, or of a run's last one."""
    unlabelled: Count = 2000
    """Random architectures of the space to pre-train on."""
    pretrain_steps: Steps | None = None
    """Optimiser steps on these; default: 300, or 0 with --init and --archive."""
    steps: Steps = 200
    """Optimiser steps on the archives."""
    generator_option: OptionMap = NO_OPTIONS
    """Settings of the generator, as KEY=VALUE (for example dim=128 or guidance_scale=3); `gennas list generators NAME`
    shows them."""
    seed: Seed = 0
    """Seed of weights, samples and batches."""

    def check(self) -> None:
        """Refuse settings that make no sense.

        Raises:
            ConfigError: nothing to learn from, or a folder that holds something.
        """
        if self.space is None and not self.archive and self.init is None:
            raise ConfigError("Expected --space NAME, --archive RUN or --init DIR: what should the generator learn?")
        if self.conditions and not self.archive:
            raise ConfigError("--conditions names metrics of an archive: give --archive RUN too.")


# ---------------------------------------------------------------------- training


def train_generator(config: TrainGeneratorConfig, progress: Progress | None = None) -> TrainedGenerator:
    """Train a generator as the settings say, and save it in ``config.out``.

    1. Pre-train on unlabelled architectures of the space. 2. Train on the archives' distinct architectures, all
    equally often, each under its quantiles; one that was measured several times has its mean values.

    Args:
        config: the settings.
        progress: told of every step.

    Raises:
        GennasError: bad settings, runs that do not fit together, weights that do not fit; nothing is written then.

    Example:
        >>> import tempfile
        >>> from gennas.workbench.train_generator import TrainGeneratorConfig, draw_architectures, train_generator
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     out = Path(folder) / "generator"
        ...     trained = train_generator(TrainGeneratorConfig("nasbench201", out=out, unlabelled=50, pretrain_steps=2))
        >>> len(draw_architectures(trained, 5).archs)
        5
    """
    if config.out.exists() and (not config.out.is_dir() or any(config.out.iterdir())):
        raise ConfigError(f"{config.out} exists and is not empty; choose a new --out.")
    start = time.perf_counter()
    labelled = _read_archives(config)
    trained = _starting_point(config, labelled)
    losses = _fit(trained, labelled, config, progress or (lambda stage, done, total: None))
    record = _record(config, labelled, losses, time.perf_counter() - start)
    known = trained.known | (set(labelled.archs.keys) if labelled is not None else set())
    trained = dataclasses.replace(trained, known=known, history=(*trained.history, record))
    with draft_folder(config.out) as place:
        trained.save_pretrained(place)
    return trained


def _fit(
    trained: TrainedGenerator, labelled: _Labelled | None, config: TrainGeneratorConfig, progress: Progress
) -> dict[str, FloatArray]:
    """Both stages, as far as they have steps; the losses of each."""
    from gennas.generators.fitting import watch_steps

    generator, losses, pretrain_steps = trained.generator, {}, config.pretrain_steps
    if pretrain_steps is None:
        pretrain_steps = 0 if config.init is not None and labelled is not None else 300
    if pretrain_steps:
        unlabelled = trained.space.sample(config.unlabelled, np.random.default_rng(config.seed))
        with watch_steps(functools.partial(progress, "pre-training")):
            losses["pre-training"] = generator.fit(unlabelled, steps=pretrain_steps, seed=config.seed)
    if labelled is not None and config.steps:
        quantiles = labelled.quantiles(trained.scales)
        with watch_steps(functools.partial(progress, "training")):
            losses["training"] = generator.fit(labelled.archs, quantiles, steps=config.steps, seed=config.seed + 1)
    return losses


@dataclass(frozen=True)
class _Labelled:
    """Distinct architectures that runs measured, with the conditions made of their metrics."""

    space: Space
    source: SpaceSource
    archs: Population
    values: Mapping[str, FloatArray]
    scales: tuple[ConditionScale, ...]

    def quantiles(self, scales: Sequence[ConditionScale]) -> FloatArray:
        """Quantile of every condition, ``(b, c)``."""
        columns = [scale.quantiles(self.values[scale.metric]) for scale in scales]
        return np.stack(columns, 1) if columns else np.empty((len(self.archs), 0))


def _starting_point(config: TrainGeneratorConfig, labelled: _Labelled | None) -> TrainedGenerator:
    """An untrained generator, or the one of ``--init``, for the conditions of the archives."""
    from gennas.generators.trained import SpaceSource, TrainedGenerator

    source, space = (None, None) if labelled is None else (labelled.source, labelled.space)
    if config.space is not None:
        values, space = config.to_dict(), space_from(config, config.task)
        source = SpaceSource(values["space"], values["space_option"], config.task)
    if labelled is not None and space is not None and space.schema.fingerprint != labelled.space.schema.fingerprint:
        raise ConfigError(f"The archives are of {labelled.space.schema.name!r}, not of {space.schema.name!r}.")
    if config.init is None:
        if space is None:
            raise ConfigError("Expected --space NAME or --archive RUN.")
        kind = config.kind or "diffusion"
        scales = labelled.scales if labelled is not None else ()
        made = _trainable(kind)
        settings = reconfigured(f"generator {kind!r}", made.settings_type(), config.generator_option)
        generator = made(space.schema, space.legal, len(scales), settings, config.seed)
        return TrainedGenerator(generator, space, source, scales)
    found = TrainedGenerator.from_pretrained(config.init, space)
    if config.kind not in (None, found.kind):
        raise ConfigError(f"{config.init} is a generator of kind {found.kind}, not {config.kind}; drop --kind.")
    settings = reconfigured(f"generator {found.kind!r}", found.generator.settings, config.generator_option)
    scales = labelled.scales if labelled is not None else found.scales
    return dataclasses.replace(found.for_conditions(scales, settings, config.seed), source=source or found.source)


def _trainable(kind: str) -> type[NetworkGenerator[Any, Any]]:
    """The class of a generator that has settings and weights."""
    from gennas.generators.base import NetworkGenerator

    made = GENERATORS.get(kind)
    if not (isinstance(made, type) and issubclass(made, NetworkGenerator)):
        raise ConfigError(
            f"Expected {shown(kind)} to be a subclass of gennas.generators.base.NetworkGenerator, got {shown(made)}: "
            "others have no weights to keep; name them in the shares of a search."
        )
    return made


def _record(
    config: TrainGeneratorConfig, labelled: _Labelled | None, losses: Mapping[str, FloatArray], seconds: float
) -> dict[str, Any]:
    """What was done, for ``gennas.json``."""
    return {
        "archives": [str(folder) for folder in config.archive],
        "init": None if config.init is None else str(config.init),
        "architectures": 0 if labelled is None else len(labelled.archs),
        "unlabelled": config.unlabelled if "pre-training" in losses else 0,
        "steps": {stage: len(values) for stage, values in losses.items()},
        "last_loss": {stage: float(values[-10:].mean()) for stage, values in losses.items()},
        "seed": config.seed,
        "seconds": round(seconds, 3),
        "version": gennas.__version__,
    }


# ---------------------------------------------------------------------- what runs measured


def _read_archives(config: TrainGeneratorConfig) -> _Labelled | None:
    """The distinct architectures of all runs with the means of their metrics."""
    if not config.archive:
        return None
    from gennas.generators.conditions import ConditionScale
    from gennas.generators.trained import SpaceSource

    runs = [_read_run(folder, config) for folder in config.archive]
    first = runs[0]
    for folder, run in zip(config.archive, runs, strict=True):
        _refuse_other_measurement(first, run, folder)
    trials = [t for run in runs for t in run.result.trials if t.ok and t.proposal.fidelity == run.problem.fidelity]
    space = first.problem.space
    archs, values = _distinct(Population.of(space.schema, [t.arch for t in trials]), [t.metrics for t in trials])
    goals = _conditions(config.conditions, first)
    scales = tuple(ConditionScale.of(goal.metric, goal.direction, values[goal.metric]) for goal in goals)
    made = first.config.to_dict()
    source = SpaceSource(made["space"], made["space_option"], task_name(first.config.task))
    return _Labelled(space, source, archs, values, scales)


def _read_run(folder: Path, config: TrainGeneratorConfig) -> Run:
    run, archive = read_run(folder, config.trust, **_own_space(folder, config))
    archive.close()
    if not any(t.ok for t in run.result.trials):
        raise ConfigError(f"{folder} holds no successful trial to learn from.")
    return run


def _own_space(folder: Path, config: TrainGeneratorConfig) -> dict[str, Any]:
    """The user's own space, where the run names one that is code or was given as an object."""
    found = kept_settings(folder)
    if config.space is None or found is None or ":" not in str(found[0].get("space")):
        return {}
    return {"space": config.space, "space_option": config.space_option}


def _refuse_other_measurement(first: Run, run: Run, folder: Path) -> None:
    one, other = (_measurement(r) for r in (first, run))
    if one != other:
        raise ConfigError(
            f"{first.directory} measured {one[1]} of {first.problem.space.name} ({one[2]}), {folder} measured "
            f"{other[1]} of {run.problem.space.name} ({other[2]}): values of different protocols are never pooled."
        )


def _measurement(run: Run) -> tuple[str, str, Fidelity]:
    return run.problem.space.schema.fingerprint, run.problem.evaluator.protocol, run.problem.fidelity


def _distinct(archs: Population, metrics: Sequence[Mapping[str, float]]) -> tuple[Population, dict[str, FloatArray]]:
    """Each architecture once, with the mean of what was measured of it; NaN where nothing was."""
    _, first, group = np.unique(np.array(archs.keys), return_index=True, return_inverse=True)
    values = {}
    for name in dict.fromkeys(name for entry in metrics for name in entry):
        column = np.array([entry.get(name, np.nan) for entry in metrics], dtype=np.float64)
        known = ~np.isnan(column)
        counts = np.bincount(group, known, len(first))
        sums = np.bincount(group, np.where(known, column, 0.0), len(first))
        values[name] = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return archs[first], values


def _conditions(text: str, run: Run) -> list[Objective]:
    """The metrics that can be asked for; a direction that is not given is the run's, then the metric's own."""
    goals, metrics = run.problem.objectives, dict(run.problem.evaluator.metrics)
    wanted: dict[str, Direction] = {c.metric: "max" if c.sense == ">=" else "min" for c in goals.constraints}
    wanted |= {goal.metric: goal.direction for goal in goals.objectives}
    for name, direction in wanted.items():
        metrics[name] = dataclasses.replace(metrics[name], direction=direction)
    names = split_names(text, metrics) or list(goals.metric_names)
    found = [Objective.parse(name, metrics) for name in names]
    if len({goal.metric for goal in found}) < len(found):
        raise ConfigError(f"Expected different metrics as conditions, got {shown(text)}.")
    return found


# ---------------------------------------------------------------------- drawing


@dataclass(frozen=True)
class Drawn:
    """What was drawn and how good the drawing was.

    Args:
        archs: valid, canonical architectures.
        conditions: the quantiles that each was asked for, ``(b, c)``, NaN for any.
        tried: architectures drawn in all.
        valid: how many of them were valid.
        distinct: different ones among the valid.
        novel: those among the distinct that the archives did not hold; None without archives.
        asked: least quantile of every condition, ``(c,)``.
    """

    archs: Population
    conditions: FloatArray
    tried: int
    valid: int
    distinct: int
    novel: int | None
    asked: FloatArray = field(default_factory=lambda: np.empty(0))


def draw_architectures(
    trained: TrainedGenerator, n: int, condition: str = "", seed: int = 0, unique: bool = False
) -> Drawn:
    """Draw ``n`` architectures under a condition such as ``"accuracy>=0.9q, latency_ms<=5"``.

    Conditions are wishes that the generator learned to follow, not filters. What the network is handed for each
    architecture is what :attr:`Drawn.conditions` records, and nothing of it lies below the wish.

    Args:
        trained: the generator.
        n: how many.
        condition: see :func:`gennas.generators.conditions.ask`; empty: whatever the generator finds likely.
        seed: fixes the draw.
        unique: keep the first of equal ones and draw on, up to ten times ``n`` in all.

    Raises:
        ConfigError: ``n`` is not positive, or a condition that cannot be read.
        UnknownNameError: a metric that the generator was not trained on.
    """
    from gennas.generators.base import NetworkGenerator
    from gennas.generators.conditions import ask, draw_conditions

    if n < 1:
        raise ConfigError(f"Expected a positive number of architectures, got {n}.")
    asked, generator = ask(condition, trained.scales), trained.generator
    if isinstance(generator, NetworkGenerator):  # another package's may have the four methods of the protocol alone
        generator = generator.literal()
    parts, rows, tried = [Population.of(trained.space.schema, [])], [np.empty((0, len(asked)))], 0
    for round_ in range(10 if unique else 1):
        rng = np.random.default_rng([seed, round_])
        wishes = draw_conditions(asked, n, rng)
        drawn = generator.sample(n, wishes, int(rng.integers(2**31)))
        valid, tried = trained.space.is_valid(drawn), tried + n
        parts.append(trained.space.canonical(drawn[valid]))
        rows.append(wishes[valid])
        if len({key for part in parts for key in part.keys}) >= n:
            break
    archs, conditions = Population.concat(parts), np.concatenate(rows)
    keys = np.array(archs.keys)
    distinct = set(keys.tolist())
    novel = len(distinct - trained.known) if trained.known else None
    kept = np.sort(np.unique(keys, return_index=True)[1])[:n] if unique else np.arange(len(keys))
    return Drawn(archs[kept], conditions[kept], tried, len(keys), len(distinct), novel, asked)
