"""What a search and a comparison can be told: settings of problems, searches and comparisons."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator

from gennas.errors import ConfigError, UnknownNameError, shown
from gennas.workbench.knowledge import FeatureSettings, KnowledgeSettings, ModelSettings
from gennas.workbench.settings import (
    NO_OPTIONS,
    Count,
    FidelitySettings,
    Finite,
    Limits,
    OptionMap,
    Options,
    Part,
    Positive,
    Seed,
    Settings,
    SpaceSettings,
    Switch,
    TaskSettings,
    Texts,
    load_yaml,
    parse_options,
    supernet_settings,
)

__all__ = ["CompareConfig", "ProblemConfig", "SearchConfig", "TrackingSettings", "load_yaml", "parse_options"]


@dataclass(frozen=True)
class EvaluatorSettings(Settings):
    """What scores an architecture."""

    parts: ClassVar[tuple[str, ...]] = ("evaluator",)

    evaluator: Part = "auto"
    """`auto` takes the table of the space and task and trains where there is none; `table` insists on one; `train`
    trains; `supernet` scores by the weights of --supernet. Your own: `file.py:Class`, or `file.py:function` of an
    architecture (see docs/guide.md)."""
    evaluator_option: OptionMap = NO_OPTIONS
    """Arguments of your own evaluator, or of `supernet` (batch_norm=track, batch or recalibrate, …), as KEY=VALUE."""
    supernet: Path | None = None
    """Directory of a supernet, from `gennas train-supernet`; space and task are its own where none is given."""
    table: str | None = None
    """Table of measurements: a name from `gennas list tables`, or a CSV, CSV.gz, Parquet or JSON Lines file."""
    table_duplicates: Literal["mean", "first", "error"] = "mean"
    """What becomes of a file's rows of one architecture that disagree, such as several seeds: their mean, the first, or
    an error."""
    arch_format: str | None = None
    """Tool that wrote the architectures in files of --table, --enqueue and --ingest, where they are not in the space's
    own form: naslib or nni for nasbench201."""
    max_gb: Positive = 2.0
    """Most GiB that the files of --table, --enqueue and --ingest may hold after decompression."""
    proxy: str | None = None
    """Zero-cost proxies that score untrained networks instead of training, separated by commas."""
    proxy_option: OptionMap = NO_OPTIONS
    """Their protocol, as KEY=VALUE (batch=noise, batch_size=64, initialisation=kaiming, seed=0, …)."""


@dataclass(frozen=True)
class TrainingSettings(Settings):
    """How networks are trained, and what is measured of them."""

    train_option: OptionMap = NO_OPTIONS
    """Settings of the training recipe, as KEY=VALUE (for example lr=1e-3, batch_size=128, device=cuda)."""
    measure: str | None = None
    """Also measure trained networks, names separated by commas: ece, nll, brier, fgsm, pgd, corruptions, …"""
    measure_option: OptionMap = NO_OPTIONS
    """Conditions of these measures, as KEY=VALUE (for example epsilon=2/255, steps=10, examples=1000)."""
    energy: Switch = False
    """Record the joules of every training (train_joules), with codecarbon."""


@dataclass(frozen=True)
class StoppingSettings(Settings):
    """When a training is given up that does worse than former ones."""

    early_stopping: Literal["none", "median", "percentile"] = "none"
    """End a training after an epoch by which it never reached the median (a percentile) of what whole trainings had at
    that epoch. Such a trial is `stopped`: it counts, costs what it took, and has no value."""
    early_stopping_option: OptionMap = NO_OPTIONS
    """Its numbers, as KEY=VALUE: startup=5 (whole trainings before the first is ended), warmup=0 (epochs that are never
    judged), interval=1, and percentile=50 (share of trainings, in per cent, that may go on)."""


@dataclass(frozen=True)
class GoalSettings(Settings):
    """What is wanted, and how much may be spent on it."""

    objective: Texts = ()
    """Objectives as METRIC:max, METRIC:min, or a sum like "val_accuracy - 0.01 * latency_ms"; several give a Pareto
    search. Default: the task's own score (val_accuracy:max, val_loss:min, …), or the evaluator's only metric."""
    constraint: Texts = ()
    """Constraints such as "latency_ms<=5"."""
    cheap: Texts = ()
    """Metrics that cost next to nothing: known for every candidate before it is chosen; the report counts them."""
    report: str | None = None
    """Metric to report for the incumbent, never shown to the strategy. Default: the same of the test split."""
    budget: Count = 100
    """Evaluations; every one counts, failed ones too."""
    limit: Limits = NO_OPTIONS
    """Most that trials may spend together, as NAME=VALUE: `seconds`, or a metric that adds up, such as train_joules."""
    target: Finite | None = None
    """Stop as soon as a feasible architecture's first objective is this good."""


@dataclass(frozen=True)
class ProblemConfig(
    FidelitySettings, StoppingSettings, TrainingSettings, GoalSettings, EvaluatorSettings, TaskSettings, SpaceSettings
):
    """What is searched, and how an architecture is scored."""

    def check(self) -> None:
        """Take space and task from the supernet where neither is given.

        Raises:
            ConfigError: a supernet without ``evaluator=supernet``, or the other way round.
        """
        super().check()
        if (self.supernet is None) != (self.evaluator != "supernet"):
            raise ConfigError("Expected --evaluator supernet with --supernet DIR: give both or neither.")
        named = ("space", "space_option", "task", "task_option")
        default = {f.name: f.default for f in fields(self)}
        if self.supernet is None or any(getattr(self, name) != default[name] for name in named):
            return
        for name, value in supernet_settings(self.supernet).items():
            object.__setattr__(self, name, Options.of(value) if name.endswith("_option") else value)

    def identity(self) -> dict[str, Any]:
        """The settings that decide proposals and values, as far as they differ from their defaults.

        A new setting thus changes the identity of no run, and a run may go on with another budget, elsewhere, or on
        more workers.
        """
        values = {name: self._identified(value) for name, value in self.to_dict().items() if name not in _HOW}
        default = {f.name: self._identified(f.default) for f in fields(self)}
        return {k: v for k, v in values.items() if v != default[k]}

    def refuse_other(self, found: ProblemConfig, where: Path, what: str, free: Sequence[str] = ()) -> None:
        """Refuse to go on with what other settings began.

        Args:
            found: those settings.
            where: their file or directory.
            what: what they describe.
            free: names of settings that may differ all the same.

        Raises:
            ConfigError: the identities differ.
        """
        wanted, there = self.identity(), found.identity()
        default = {f.name: self._identified(f.default) for f in fields(self)}
        differing = [k for k in {**there, **wanted} if k not in free and there.get(k) != wanted.get(k)]
        if differing:
            changes = ", ".join(
                f"{k}: {shown(there.get(k, default.get(k)))} there, {shown(wanted.get(k, default.get(k)))} now"
                for k in differing
            )
            raise ConfigError(f"{where} belongs to another {what} ({changes}). Use a new --out or the same settings.")

    @staticmethod
    def _identified(value: Any) -> Any:
        """Options as texts, in no order of theirs."""
        if isinstance(value, tuple):
            return list(value)
        return sorted(Options(value).pairs()) if isinstance(value, Mapping) else value

    @property
    def config_hash(self) -> str:
        """Twelve hexadecimal digits of the identity."""
        text = json.dumps(self.identity(), sort_keys=True, default=str)
        return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


@dataclass(frozen=True)
class StrategySettings(Settings):
    """What proposes architectures."""

    parts: ClassVar[tuple[str, ...]] = ("strategy",)

    strategy: Part = "generative"
    """Strategy: a name from `gennas list strategies`, or `module:Class` / `file.py:Class`."""
    strategy_option: OptionMap = NO_OPTIONS
    """Arguments of the strategy, as KEY=VALUE (for example population_size=50); `gennas list strategies NAME` shows
    them."""
    seed: Seed = 0
    """Seed of every random decision."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values; a registered class by its name."""
        from gennas.search import STRATEGIES

        known = None if isinstance(self.strategy, str) else STRATEGIES.name_of(self.strategy)
        return super().to_dict() | ({"strategy": known} if known else {})


def _read_workers(value: object) -> object:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if not (value is None or value == "batch" or is_number):
        raise ConfigError(f"Expected a whole number or batch, got {shown(value)}.")
    if isinstance(value, int) and value < 1:
        raise ConfigError(f"Expected at least 1, got {value}.")
    return value


@dataclass(frozen=True)
class ExecutionSettings(Settings):
    """Where trials run, and what is kept of them."""

    out: Path = Path("runs/search")
    """Run directory; running again on the same one continues."""
    executor: Literal["serial", "process", "futures", "ray"] = "serial"
    """Where trials run: in this process; in worker processes that may crash; in a pool of yours (the standard library,
    loky, dask, …: `factory=my_pool.py:make`); on Ray, here or on a cluster. Which one when: docs/executors.md."""
    executor_option: OptionMap = NO_OPTIONS
    """Arguments of the executor, as KEY=VALUE: gpus=all of process; factory=my_pool.py:make of futures, the others go
    to the factory; num_cpus=4, num_gpus=1, memory_gb=8, address=… of ray."""
    workers: Annotated[Count | Literal["batch"] | None, BeforeValidator(_read_workers)] = None
    """Most trials at once, or `batch`: as many as the strategy proposes at once, as far as there are CPUs (GPUs, with
    gpus=…; room in the cluster). Default: 2 of process, else batch."""
    asynchronous: Switch = False
    """Keep all workers busy; the order of results then decides what is proposed next."""
    time_limit_s: Positive | None = None
    """Seconds after which one trial is given up."""
    memory_limit_gb: Positive | None = None
    """Memory limit of each worker process."""


def _read_statuses(value: object) -> object:
    texts = (value,) if isinstance(value, str) else value
    if not isinstance(texts, (list, tuple)):
        return value
    found = tuple(part.strip() for text in texts for part in str(text).split(",") if part.strip())
    for status in found:
        if status not in _RETRIED:
            raise UnknownNameError("end of trials", status, _RETRIED)
    return found


_RETRIED = ("failed", "lost", "timeout")


@dataclass(frozen=True)
class ContinuationSettings(Settings):
    """What a search starts from, and what is done again."""

    retry: Annotated[tuple[str, ...], BeforeValidator(_read_statuses)] = ()
    """Ends of trials that are evaluated again first: failed, lost, timeout, separated by commas. Twenty failures in a
    row, which end a search, are evaluated again in any case when it goes on."""
    enqueue: Path | None = None
    """Evaluate these architectures first: a text file with one on each line, or a CSV, CSV.gz, Parquet or JSON Lines
    file with a column arch."""
    ingest: Path | None = None
    """Learn from these measured architectures: such a file with a column arch and one for each metric."""
    ingest_as: Literal["charged", "given"] = "charged"
    """Whether ingested measurements count as evaluations; given ones do not, and are marked as such in all records."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values; what is evaluated again is a matter of one command."""
        return super().to_dict() | {"retry": []}


@dataclass(frozen=True)
class TrackingSettings(Settings):
    """Where it can be followed."""

    track: Literal["none", "wandb"] = "none"
    """Experiment tracker; W&B works offline without an account."""
    wandb_project: str | None = None
    """W&B project (default: WANDB_PROJECT, else gennas)."""
    wandb_entity: str | None = None
    """W&B user or team (default: WANDB_ENTITY, else the account's own)."""
    wandb_group: str | None = None
    """W&B group (default: WANDB_RUN_GROUP, else runs that belong together)."""
    wandb_tags: Texts = ()
    """W&B tags (default: WANDB_TAGS, separated by commas)."""
    wandb_notes: str | None = None
    """W&B notes (default: WANDB_NOTES)."""


@dataclass(frozen=True)
class SearchConfig(
    TrackingSettings,
    ContinuationSettings,
    ExecutionSettings,
    KnowledgeSettings,
    FeatureSettings,
    ModelSettings,
    StrategySettings,
    ProblemConfig,
):
    """Search a space: propose, evaluate, learn, until the budget is spent."""

    def check(self) -> None:
        """Move the model among the strategy's options, where it is kept: one place for one thing."""
        super().check()
        if self.model is None:
            if self.model_option:
                raise ConfigError("--model-option needs --model.")
            return
        if "model" in self.strategy_option:
            raise ConfigError("The model is given twice: as --model, and as --strategy-option model=….")
        options = {**self.strategy_option, "model": self.model_as_option()}
        object.__setattr__(self, "strategy_option", Options(options))
        object.__setattr__(self, "model", None)
        object.__setattr__(self, "model_option", NO_OPTIONS)


@dataclass(frozen=True)
class ComparisonSettings(Settings):
    """What is compared."""

    strategies: Annotated[str, BeforeValidator(lambda v: ",".join(v) if isinstance(v, (list, tuple)) else v)] = (
        "random,local-search,regularized-evolution,generative"
    )
    """Strategies, separated by commas; NAME@KEY=VALUE@… passes arguments: generative@shares={random: 1}. Where a
    small budget suits other arguments than the defaults, these are taken and said. A strategy's own features are among
    them: generative@features=[nwot,params],generative@features=[]; and so is a language model: llm@model=openai:NAME,
    generative@model=null for none."""
    seeds: Count = 10
    """Runs of each strategy, with seeds 0 to seeds - 1."""
    out: Path = Path("runs/compare")
    """Directory of the comparison; running again on the same one continues."""
    workers: Count = 1
    """Processes that run whole searches side by side."""
    stop_at_optimum: Switch = False
    """End a run when it has found the table's optimum: the summary is the same, and sooner."""


@dataclass(frozen=True)
class CompareConfig(
    TrackingSettings, ComparisonSettings, KnowledgeSettings, FeatureSettings, ModelSettings, ProblemConfig
):
    """Compare several strategies at an equal budget, over many seeds.

    The directory then holds:

    - report.html, summary.csv, summary.md and summary.tex (booktabs)
    - curves.csv, curves.png, curves.svg and curves.pdf
    - statistics.csv: means, Student's 95 % intervals, mean ranks
    - tests.csv: Friedman; Wilcoxon's signed-rank test of every pair, by Holm
    """

    def check(self) -> None:
        """Refuse options of no model."""
        super().check()
        if self.model_option and self.model is None:
            raise ConfigError("--model-option needs --model.")

    @property
    def language_model(self) -> Any:
        """The strategies' option ``model``; None where none is given."""
        return self.model_as_option()

    @property
    def strategy_names(self) -> list[str]:
        """The strategies with their arguments, split at the commas that are outside of brackets."""
        return [name.strip() for name in re.split(r",(?![^\[]*\]|[^{]*\})", self.strategies) if name.strip()]


# Settings that say where and how trials are run, and where a search ends: not what is proposed, nor its values.
_HOW = (
    "arch_format",
    "budget",
    "download",
    "enqueue",
    "executor",
    "executor_option",
    "ingest",
    "ingest_as",
    "limit",
    "max_gb",
    "memory_limit_gb",
    "out",
    "report",
    "retry",
    "stop_at_optimum",
    "target",
    "time_limit_s",
    "track",
    "wandb_entity",
    "wandb_group",
    "wandb_notes",
    "wandb_project",
    "wandb_tags",
    "workers",
)
