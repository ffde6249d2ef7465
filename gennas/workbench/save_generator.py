"""Generators of a search, kept after every refit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gennas.runtime.files import draft_folder
from gennas.search import Trial
from gennas.search.strategy import Strategy
from gennas.workbench.config import SearchConfig
from gennas.workbench.problem import Problem, task_name

if TYPE_CHECKING:
    from gennas.models.base import Generator

__all__ = ["GeneratorSaver"]


@dataclass
class GeneratorSaver:
    """Saves a strategy's generator, if it has one, after every refit, with what it was trained on."""

    strategy: Strategy
    config: SearchConfig
    problem: Problem
    trials: list[Trial] = field(default_factory=list)

    def on_trial(self, trial: Trial, n_evals: int, incumbent: Trial | None) -> None:
        """Remember what the generator may have learned from."""
        if trial.ok:
            self.trials.append(trial)

    def on_round(self, n_evals: int, record: Mapping[str, float]) -> None:
        """Save what was refitted."""
        generator = getattr(self.strategy, "generator", None)
        if generator is None or not hasattr(generator, "save_pretrained"):
            return
        if "refits" not in record or record["refits"] != self.strategy.records().get("refits"):
            return  # nothing was refitted, or a restored round whose weights are gone
        folder = self.config.out / "generator" / f"round-{int(record['refits']):03d}"
        if not folder.exists():
            with draft_folder(folder) as place:
                self._save(generator, place, n_evals)

    def _save(self, generator: Generator, folder: Path, n_evals: int) -> None:
        from gennas.generators.base import NetworkGenerator
        from gennas.generators.trained import SpaceSource, TrainedGenerator
        from gennas.search.strategies.generative.generator_source import condition_scales

        if not isinstance(generator, NetworkGenerator):
            generator.save_pretrained(folder)
            return
        values = self.config.to_dict()
        scales = condition_scales(self.problem.objectives, self.trials)
        TrainedGenerator(
            generator,
            self.problem.space,
            SpaceSource(values["space"], values["space_option"], task_name(self.config.task)),
            tuple(scales) if generator.num_conditions == len(scales) else (),
            frozenset(t.arch.key for t in self.trials),
            ({"run": self.config.config_hash, "n_evals": n_evals, "seed": self.config.seed},),
        ).save_pretrained(folder)
