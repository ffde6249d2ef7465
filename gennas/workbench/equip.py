"""A strategy with what a search knows beside its own labels: features, other runs, a prior."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from gennas.errors import ArchiveError, shown
from gennas.graph import Architecture, Population
from gennas.search import Archive, Strategy
from gennas.search.columns import CheapFeatures
from gennas.search.other_runs import OtherRun, PredictedColumns, best_in_turn
from gennas.workbench.config import SearchConfig
from gennas.workbench.features import ChosenFeatures, choose_features, refuse_features
from gennas.workbench.known import Known
from gennas.workbench.other_runs import identity_of, read_other_runs
from gennas.workbench.prior import read_prior
from gennas.workbench.problem import Problem

__all__ = ["Equipment", "labels_of_others", "make_equipment", "other_runs_note", "takes_other_runs", "with_prior"]

_META = "equipment"
_LABELS = "other_runs"


def with_prior(config: SearchConfig, problem: Problem) -> Problem:
    """The problem, whose random architectures follow ``--prior`` where there is one.

    Raises:
        GennasError: the file cannot be read, or names what the space does not have.
    """
    return problem if config.prior is None else replace(problem, prior=read_prior(config.prior, problem.space))


@dataclass(frozen=True)
class Equipment:
    """Features and other runs of one search.

    Args:
        problem: with the prior.
        chosen: features, where settings name some.
        runs: labels of other runs.
    """

    problem: Problem
    chosen: ChosenFeatures | None = None
    runs: Sequence[OtherRun] = field(default=(), repr=False)

    def labels(self, strategy: Strategy) -> dict[str, int]:
        """How many labels of other runs the strategy makes use of, by run."""
        return {run.name: len(run) for run in self.runs} if takes_other_runs(strategy) else {}

    def give_to(self, strategy: Strategy, name: str) -> None:
        """Give the strategy its features; other runs' predictions to those that have a use for them.

        Raises:
            ConfigError: features were asked for, and the strategy has no use for them.
        """
        if self.chosen is not None:
            refuse_features(strategy, "--features", name)
        if strategy.takes_features and (self.chosen is not None or self.runs):
            features = CheapFeatures() if self.chosen is None else self.chosen.features
            strategy.features = replace(features, free=(*features.free, *PredictedColumns.of(self.runs)))

    def add_starts(self, known: Known, strategy: Strategy) -> Known:
        """The others' best in turn, as many as the strategy would draw at random, after what a person knows."""
        others = best_in_turn(
            self.runs, strategy.initial_evaluations, known.keys, lambda arch: self._fits(arch, strategy)
        )
        return replace(known, others=others)

    def check(self, seed: int) -> None:
        """Try the features on a few random architectures.

        Raises:
            ConfigError: one of them has no value for any.
        """
        if self.chosen is not None:
            self.chosen.check(self.problem, seed)

    def _fits(self, arch: Architecture, strategy: Strategy) -> bool:
        table, screen = self.problem.table, strategy.screen
        if table is not None and arch not in table:
            return False
        archs = Population.of(self.problem.space.schema, [arch])
        return screen is None or not screen.violation(archs, self.problem.objectives).any()

    def claim(self, archive: Archive, strategy: Strategy) -> None:
        """Bind the archive to the content of all this, and note the labels that the strategy makes use of.

        Raises:
            ArchiveError: the search was begun with other content.
        """
        if archive.meta(_META) is None and not len(archive):
            archive.set_meta(_META, json.dumps(self._identity))
            archive.set_meta(_LABELS, json.dumps(self.labels(strategy)))
        begun: Mapping[str, str] = archive.meta_value(_META, dict[str, str]())
        for name, now in self._identity.items():
            if begun.get(name, "") != now:
                raise ArchiveError(
                    f"{archive.path}: --{name} holds other values than when this search began. Restore them, or use a "
                    "new --out."
                )

    @property
    def _identity(self) -> dict[str, str]:
        prior = self.problem.prior
        return {
            "features": "" if self.chosen is None else self.chosen.identity,
            "warm-from": identity_of(self.runs) if self.runs else "",
            "prior": "" if prior is None else json.dumps(prior.tolist()),
        }


def takes_other_runs(strategy: Strategy) -> bool:
    """Whether labels of other runs have a use for a strategy: a start that they replace, or a surrogate."""
    return strategy.takes_features or strategy.initial_evaluations > 0


def other_runs_note(name: str, strategy: Strategy, warm_from: Sequence[str]) -> str:
    """What a person should know where other runs are given to a strategy that has no use for them; else empty."""
    if not warm_from or takes_other_runs(strategy):
        return ""
    return f"{name} never learns from labels and has no use for --warm-from: it proposes the same without."


def make_equipment(config: SearchConfig, problem: Problem) -> Equipment:
    """What the settings of a search name.

    Raises:
        GennasError: what they name cannot be read or does not fit.
    """
    problem = with_prior(config, problem)
    runs = read_other_runs(config, problem) if config.warm_from else []
    return Equipment(problem, choose_features(config, problem), runs)


def labels_of_others(archive: Archive) -> dict[str, int]:
    """How many labels of other runs a search was given, by run.

    Raises:
        ArchiveError: what is remembered is no number.
    """
    found: dict[str, int] = archive.meta_value(_LABELS, dict[str, int]())
    if not all(type(count) is int and count >= 0 for count in found.values()):
        raise ArchiveError(f"{archive.path}: expected numbers of labels of other runs, got {shown(found)}.")
    return found
