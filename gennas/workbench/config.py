"""Settings of the command line and of YAML files: frozen dataclasses, checked when they are made."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from gennas.errors import ConfigError, UnknownNameError

__all__ = ["CompareConfig", "ProblemConfig", "SearchConfig", "load_yaml", "parse_options"]

C = TypeVar("C", bound="ProblemConfig")


@dataclass(frozen=True)
class ProblemConfig:
    """What is searched, and how an architecture is scored."""

    space: str = "nasbench201"
    """Search space: a name from `gennas list spaces`, or `module:Class` / `file.py:Class`."""
    space_option: tuple[str, ...] = ()
    """Arguments of the space, as KEY=VALUE (for example num_cells=1)."""
    task: str | None = None
    """Task: a name from `gennas list tasks`; with a space that has a benchmark table for it, that table."""
    task_option: tuple[str, ...] = ()
    """Arguments of the task, as KEY=VALUE."""
    table: str | None = None
    """Table of measurements: a name from `gennas list tables`, or a CSV, CSV.gz, Parquet or JSON Lines file."""
    proxy: str | None = None
    """Zero-cost proxies that score untrained networks instead of training, separated by commas."""
    proxy_option: tuple[str, ...] = ()
    """Their protocol, as KEY=VALUE (batch=noise, batch_size=64, initialisation=kaiming, seed=0, …)."""
    evaluator: Literal["auto", "table", "train"] = "auto"
    """`train` trains even where a table exists; `table` insists on one; `auto` prefers it."""
    objective: tuple[str, ...] = ()
    """Objectives as METRIC:max, METRIC:min, or a sum like "val_accuracy - 0.01 * latency_ms"; several give a Pareto
    search. Default: val_accuracy:max."""
    report: str | None = None
    """Metric to report for the incumbent, never shown to the strategy. Default: test_accuracy if there is one."""
    constraint: tuple[str, ...] = ()
    """Constraints such as "latency_ms<=5"."""
    cheap: tuple[str, ...] = ()
    """Metrics that cost next to nothing: known for every candidate before it is chosen; the report counts them."""
    budget: int = 100
    """Evaluations; every one counts, failed ones too."""
    limit: tuple[str, ...] = ()
    """Most that trials may spend together, as NAME=VALUE: `seconds`, or a metric that adds up, such as train_joules."""
    target: float | None = None
    """Stop as soon as a feasible architecture's first objective is this good."""
    train_option: tuple[str, ...] = ()
    """Settings of the training recipe, as KEY=VALUE (for example lr=0.01, batch_size=128, device=cuda)."""
    energy: bool = False
    """Record the joules of every training (train_joules), with codecarbon."""
    measure: str | None = None
    """Also measure trained networks, names separated by commas: ece, nll, brier, fgsm, pgd, corruptions, …"""
    measure_option: tuple[str, ...] = ()
    """Conditions of these measures, as KEY=VALUE (for example epsilon=2/255, steps=10, examples=1000)."""
    epochs: int | None = None
    """Training epochs (default: the task's)."""
    data_fraction: float = 1.0
    """Share of the training set used, in (0, 1]."""
    resolution: float = 1.0
    """Scale of image height and width, in (0, 1]."""
    width: float = 1.0
    """Scale of the network's channels, in (0, 1]."""
    depth: float = 1.0
    """Scale of the network's cells (or layers) per stage, in (0, 1]."""
    download: bool = False
    """Allow the task to download its dataset."""

    def check(self) -> None:
        """Refuse numbers that make no sense.

        Raises:
            ConfigError: the budget is not positive.
        """
        if self.budget < 1:
            raise ConfigError(f"Expected a budget of at least one evaluation, got {self.budget}.")

    def __post_init__(self) -> None:
        if isinstance(out := getattr(self, "out", None), str):
            object.__setattr__(self, "out", Path(out))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as written to ``config.yaml``."""
        return {k: _plain(v) for k, v in dataclasses.asdict(self).items()}

    def identity(self) -> dict[str, Any]:
        """The settings that decide the outcome: all but where and how trials are run."""
        later = {f.name: _plain(f.default) for f in dataclasses.fields(self) if f.name in _LATER}
        return {k: v for k, v in self.to_dict().items() if k not in _HOW and not (k in later and v == later[k])}

    @property
    def config_hash(self) -> str:
        """Twelve hexadecimal digits of the identity."""
        text = json.dumps(self.identity(), sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()

    @classmethod
    def from_dict(cls: type[C], values: Mapping[str, Any]) -> C:
        """Build from plain values, as read from YAML.

        Raises:
            UnknownNameError: a key is not a setting.
            ConfigError: a value has the wrong type.
        """
        fields = {f.name: f for f in dataclasses.fields(cls)}
        clean: dict[str, Any] = {}
        for name, value in values.items():
            if name not in fields:
                raise UnknownNameError("setting", name, fields)
            clean[name] = _coerce(name, str(fields[name].type), value)
        return cls(**clean)


@dataclass(frozen=True)
class SearchConfig(ProblemConfig):
    """One search."""

    strategy: str = "generative"
    """Strategy: a name from `gennas list strategies`, or `module:Class` / `file.py:Class`."""
    strategy_option: tuple[str, ...] = ()
    """Arguments of the strategy, as KEY=VALUE (for example population_size=50)."""
    seed: int = 0
    """Seed of every random decision."""
    out: Path = Path("runs/search")
    """Run directory; running again on the same one continues."""
    executor: Literal["serial", "process"] = "serial"
    """Where trials run: in this process, or in worker processes that may crash."""
    workers: int = 2
    """Worker processes of the process executor."""
    asynchronous: bool = False
    """Keep all workers busy; the order of results then decides what is proposed next."""
    time_limit_s: float | None = None
    """Seconds after which one trial is given up."""
    memory_limit_gb: float | None = None
    """Memory limit of each worker process."""
    track: Literal["none", "wandb"] = "none"
    """Experiment tracker; W&B works offline without an account."""


@dataclass(frozen=True)
class CompareConfig(ProblemConfig):
    """Several strategies at an equal budget, over many seeds."""

    strategies: str = "random,local-search,regularized-evolution,generative"
    """Strategies, separated by commas; NAME@KEY=VALUE@… passes arguments: generative@shares={random: 1}."""
    seeds: int = 10
    """Runs of each strategy, with seeds 0 to seeds - 1."""
    out: Path = Path("runs/compare")
    """Directory of the comparison; running again on the same one continues."""
    workers: int = 1
    """Processes that run whole searches side by side."""
    stop_at_optimum: bool = False
    """End a run when it has found the table's optimum: the summary is the same, and sooner."""

    @property
    def strategy_names(self) -> list[str]:
        """The strategies with their arguments, split at the commas that are outside of brackets."""
        return [name.strip() for name in re.split(r",(?![^\[]*\]|[^{]*\})", self.strategies) if name.strip()]


# Settings that do not change what a run finds.
_HOW = ("out", "executor", "workers", "time_limit_s", "memory_limit_gb", "track", "download")
# Settings that came later: left out at their default, so that earlier runs keep their identity.
_LATER = (
    "proxy",
    "proxy_option",
    "cheap",
    "target",
    "stop_at_optimum",
    "measure",
    "measure_option",
    "depth",
    "limit",
    "energy",
)


def load_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file of settings.

    Raises:
        ConfigError: the file is missing or not a mapping.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"Cannot read the configuration file {path}: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected a mapping of settings, got {type(content).__name__}.")
    return {str(k).replace("-", "_"): v for k, v in content.items()}


def parse_options(pairs: Iterable[str]) -> dict[str, Any]:
    """Read ``KEY=VALUE`` pairs; values are YAML scalars or lists.

    Raises:
        ConfigError: a pair has no ``=``, or its value is not YAML.

    Example:
        >>> parse_options(["num_cells=1", "kernels=[3, 5]"])
        {'num_cells': 1, 'kernels': [3, 5]}
    """
    options = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.isidentifier():
            raise ConfigError(f"Expected KEY=VALUE, got {pair!r}.")
        try:
            options[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"Cannot read the value of {pair!r}: {error}") from error
    return options


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def _coerce(name: str, annotation: str, value: Any) -> Any:
    """Turn a YAML value into a field's type, named by its annotation."""
    if value is None and "None" in annotation:
        return None
    if annotation.startswith("tuple"):
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
            raise ConfigError(f"Expected text or a list of texts for {name!r}, got {value!r}.")
        return tuple(values)
    if annotation == "Path" and isinstance(value, str):
        return Path(value)
    if annotation.startswith("Literal"):
        allowed = [text.strip(" '\"") for text in annotation[len("Literal[") : -1].split(",")]
        if value not in allowed:
            raise ConfigError(f"Expected {name!r} to be one of {', '.join(allowed)}; got {value!r}.")
        return value
    kinds: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (float, int), "bool": (bool,)}
    base = annotation.removesuffix(" | None")
    if not isinstance(value, kinds[base]) or (base != "bool" and isinstance(value, bool)):
        raise ConfigError(f"Expected {annotation} for {name!r}, got {value!r}.")
    return float(str(value)) if base == "float" else value
