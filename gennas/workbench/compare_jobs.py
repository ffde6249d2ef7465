"""The runs of a comparison: every strategy with every seed, and what each of them is told beside its labels."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from gennas.errors import ConfigError, shown
from gennas.search import STRATEGIES
from gennas.workbench.budgets import options_for, scaling_note, warm_up_note
from gennas.workbench.config import CompareConfig, ProblemConfig, SearchConfig
from gennas.workbench.equip import make_equipment, other_runs_note
from gennas.workbench.knowledge import FeatureSettings, KnowledgeSettings
from gennas.workbench.problem import Problem, make_strategy
from gennas.workbench.settings import Options
from gennas.workbench.track import tracking_of

__all__ = ["Job", "jobs_of", "notes_of"]

_FEATURES = tuple(field.name for field in fields(FeatureSettings))
_KNOWLEDGE = (*_FEATURES, *(field.name for field in fields(KnowledgeSettings)))


@dataclass(frozen=True)
class Job:
    """One run.

    Args:
        strategy: as the comparison names it, with its arguments.
        seed: of the run.
        search: all its settings.
        common: those that all runs share.
    """

    strategy: str
    seed: int
    search: SearchConfig
    common: ProblemConfig


@dataclass(frozen=True)
class _Named:
    """What ``NAME@KEY=VALUE@…`` says: a strategy, its own arguments, and settings of features and knowledge."""

    strategy: str
    options: Options
    own: Mapping[str, Any]

    @classmethod
    def of(cls, text: str) -> _Named:
        name, *pairs = text.split("@")
        STRATEGIES.get(name)
        given = Options.of(pairs)
        own = {key: value for key, value in given.items() if key in _KNOWLEDGE}
        return cls(name, Options({key: value for key, value in given.items() if key not in own}), own)

    def told(self, config: CompareConfig) -> dict[str, Any]:
        """Its own features and knowledge, then the comparison's, but no features without a surrogate or a wish."""
        common = {name: getattr(config, name) for name in _KNOWLEDGE}
        if not _takes_features(self.strategy) or not self.own.get("features", True):
            common = {name: value for name, value in common.items() if name not in _FEATURES}
        return common | dict(self.own)

    def asking(self, model: Any) -> Options:
        """Its own arguments, and the comparison's language model where it takes one and has none of its own."""
        common = {"model": model} if model is not None and _takes_model(self.strategy) else {}
        return Options(common | dict(self.options))


def jobs_of(config: CompareConfig) -> Iterator[Job]:
    """Every strategy with every seed.

    Raises:
        GennasError: no strategy, one twice, one that is not known, or features and no strategy that has a use for them.
    """
    names = config.strategy_names
    if not names or len(set(names)) != len(names):
        raise ConfigError(f"Expected one or more different strategies, got {shown(config.strategies)}.")
    common = {f.name: getattr(config, f.name) for f in fields(ProblemConfig)}
    problem = ProblemConfig(**common)
    tracking = tracking_of(config) | {"wandb_group": _group(config, problem)}
    found = {name: _Named.of(name) for name in names}
    if _has_features(config) and not any(_takes_features(named.strategy) for named in found.values()):
        raise ConfigError(
            "--features and --feature-table are for strategies with a surrogate, such as generative and bayesian; got "
            f"{', '.join(names)}."
        )
    if config.model is not None and not any(_takes_model(named.strategy) for named in found.values()):
        raise ConfigError(
            "--model is for strategies that ask a language model, such as llm, state-sharing and generative; got "
            f"{', '.join(names)}."
        )
    for name, named in found.items():
        outs = [config.out / "runs" / f"{_slug(name)}-{seed}" for seed in range(config.seeds)]
        options = options_for(named.strategy, named.asking(config.language_model), config.budget, outs)
        told = named.told(config)
        for seed, out in enumerate(outs):
            search = SearchConfig(
                **{**common, **tracking, "track": "none" if _is_tracked(out, config.budget) else config.track},
                **told, strategy=named.strategy, strategy_option=options, seed=seed, out=out,
            )  # fmt: skip
            yield Job(name, seed, search, problem)


def notes_of(config: CompareConfig, jobs: Sequence[Job], problem: Problem, is_new: bool) -> dict[str, list[str]]:
    """What a person should know of each strategy at this budget.

    Args:
        config: of the comparison.
        jobs: its runs.
        problem: that they share.
        is_new: whether features are tried on a few architectures, and language models reached.

    Raises:
        GennasError: a strategy, or what it is to be told, cannot be made or does not fit.
    """
    found: dict[str, list[str]] = {}
    for job in {job.strategy: job for job in reversed(jobs)}.values():
        named, search = _Named.of(job.strategy), job.search
        equipment = make_equipment(search, problem)
        strategy = make_strategy(named.strategy, search.strategy_option, equipment.problem, seed=0)
        equipment.give_to(strategy, named.strategy)
        if is_new:
            equipment.check(search.seed)
            strategy.check()
        is_given = config.model is not None and _takes_model(named.strategy) and "model" not in named.options
        left_out = _has_features(config) and not _takes_features(named.strategy)
        told = (
            scaling_note(job.strategy, named.asking(config.language_model), search.strategy_option),
            warm_up_note(job.strategy, strategy, search.budget),
            f"{job.strategy} has no surrogate and runs without features." if left_out else "",
            other_runs_note(job.strategy, strategy, search.warm_from),
            f"{job.strategy} is given the language model {config.model}." if is_given else "",
        )
        found[job.strategy] = [text for text in told if text]
    return {name: found[name] for name in dict.fromkeys(job.strategy for job in jobs)}


def _has_features(config: CompareConfig) -> bool:
    return bool(config.features or config.feature_option) or config.feature_table is not None


def _takes_features(strategy: str) -> bool:
    return bool(getattr(STRATEGIES.get(strategy), "takes_features", False))


def _takes_model(strategy: str) -> bool:
    return "model" in inspect.signature(STRATEGIES.get(strategy)).parameters


def _group(config: CompareConfig, problem: ProblemConfig) -> str:
    """The W&B group of the comparison's runs; more strategies and seeds join it."""
    own = f"{config.out.name}-{problem.config_hash[:6]}"
    return config.wandb_group or os.environ.get("WANDB_RUN_GROUP") or own


def _is_tracked(out: Path, budget: int) -> bool:
    """Whether W&B has been told of a finished run."""
    try:
        summary = json.loads((out / "summary.json").read_text())
    except (OSError, ValueError):
        return False
    finished = summary["n_evals"] >= budget or summary["stopped"] in ("target", "exhausted", "limit")
    return finished and any((out / "wandb").glob("*run-*"))


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_=." else "_" for c in name)
