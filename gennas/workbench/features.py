"""From names of features to what a strategy's surrogate is told beside decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gennas.errors import ConfigError, EvaluationError, GennasError, UnknownNameError, shown
from gennas.eval.base import FULL_FIDELITY
from gennas.eval.tables import read_columns
from gennas.execution import describe
from gennas.graph import Architecture
from gennas.search import Strategy
from gennas.search.columns import CheapFeatures, Columns, CountedColumns, KnownColumns, MeasuredColumns
from gennas.search.embedding import EncoderColumns
from gennas.workbench.config import SearchConfig
from gennas.workbench.evaluators import make_proxy_evaluator, task_from
from gennas.workbench.problem import Problem

if TYPE_CHECKING:
    from gennas.eval.proxies import ProxyEvaluator
    from gennas.training import Task

__all__ = ["ENCODER", "ChosenFeatures", "choose_features", "refuse_features"]

ENCODER = "encoder"
_TRIED = 4


@dataclass(frozen=True)
class ChosenFeatures:
    """Features of one search, and the identity of what they are computed by."""

    features: CheapFeatures
    identity: str
    proxies: tuple[str, ...] = ()
    """Those that are computed for each architecture."""
    measure: ProxyMeasure | None = field(default=None, repr=False)

    def check(self, problem: Problem, seed: int) -> None:
        """Compute the paid ones of a few random architectures, so that what cannot work is said before the search.

        Raises:
            ConfigError: one has no value for any of them; it tells the reason.
        """
        if self.measure is None:
            return
        archs = problem.searched.sample(_TRIED, np.random.default_rng(seed))
        found = [self.measure.reasons(arch) for arch in archs]
        for name in self.proxies:
            reasons = [reasons[name] for reasons in found if name in reasons]
            if len(reasons) == len(found):
                raise ConfigError(
                    f"--features {name} has no value here: {problem.space.to_text(archs[-1])} gave {reasons[-1]}. "
                    "Drop it, or change its protocol with --feature-option."
                )


class ProxyMeasure:
    """The values of proxies of one architecture; NaN where a proxy fails.

    Args:
        evaluator: of the proxies.
    """

    def __init__(self, evaluator: ProxyEvaluator) -> None:
        self.evaluator = evaluator
        self._only_costs = set(evaluator.cheap_metrics) == set(evaluator.metrics)

    def __call__(self, arch: Architecture) -> Mapping[str, float]:
        """Every proxy's value.

        Raises:
            EvaluationError: the network cannot be built or scored.
        """
        try:
            if self._only_costs:
                return self.evaluator.cheap(arch, FULL_FIDELITY)
            return {name: score.value for name, score in self.evaluator.score(arch).items()}
        except EvaluationError:
            raise
        except Exception as error:  # the user's own space or proxy may raise anything
            raise EvaluationError(describe(error)) from error

    def reasons(self, arch: Architecture) -> dict[str, str]:
        """Why proxies have no value for an architecture, by their names."""
        try:
            scores = self.evaluator.score(arch)
        except Exception as error:
            reason = str(error) if isinstance(error, GennasError) else describe(error)
            return dict.fromkeys(self.evaluator.metrics, reason)
        return {name: score.reason for name, score in scores.items() if not np.isfinite(score.value)}


def choose_features(config: SearchConfig, problem: Problem) -> ChosenFeatures | None:
    """The features that settings name; None where they name none.

    A name is a column of ``--feature-table`` where that has it, ``encoder``, or else a proxy.

    Raises:
        UnknownNameError: it is none of them.
        ConfigError: a table or a protocol without features that need it, a column without a number, or what is
            searched.
        GennasError: the table cannot be read, or a proxy not be made.
    """
    names = config.features
    if not names and config.feature_table is None:
        _refuse_options(config, ())
        return None
    free, identity, rest = _of_table(config, problem, names)
    wanted = [name for name in rest if name != ENCODER]
    _refuse_options(config, wanted)
    _refuse_unknown(wanted, free)
    _refuse_labels(wanted, problem)
    paid, measure = None, None
    if wanted:
        task = _task(config, problem)
        evaluator = make_proxy_evaluator(problem.space, wanted, task, (), **config.feature_option)
        identity.append(evaluator.protocol)
        wanted = _counted(wanted, evaluator, problem, free)
        if wanted:
            evaluator = make_proxy_evaluator(problem.space, wanted, task, (), **config.feature_option)
            measure, wanted = ProxyMeasure(evaluator), list(evaluator.metrics)
            paid = MeasuredColumns(wanted, measure)
    if ENCODER in rest:
        identity.append(ENCODER)
        free.append(EncoderColumns(problem.searched, config.seed, paid))
    features = CheapFeatures(tuple(free), paid, config.features_per_proposal)
    return ChosenFeatures(features, "; ".join(identity), tuple(wanted), measure)


def refuse_features(strategy: Strategy, what: str, name: str) -> None:
    """Refuse a strategy that has no use for features.

    Raises:
        ConfigError: it has none.
    """
    if not strategy.takes_features:
        raise ConfigError(
            f"{what} is for strategies with a surrogate, such as generative and bayesian; {name} has none: drop one."
        )


def _refuse_options(config: SearchConfig, proxies: Sequence[str]) -> None:
    if config.feature_option and not proxies:
        raise ConfigError("--feature-option is the protocol of proxies: give --features PROXY,… too.")


def _refuse_unknown(names: Sequence[str], free: Sequence[Columns]) -> None:
    from gennas.eval.proxies import PROXIES

    for name in names:
        if name not in PROXIES and ":" not in name:
            known = [column for columns in free for column in getattr(columns, "columns", ())]
            raise UnknownNameError("feature", name, [*known, ENCODER, *PROXIES])


def _refuse_labels(names: Sequence[str], problem: Problem) -> None:
    """What is searched is no feature, unless it is known of every candidate anyway."""
    cheap = getattr(problem.evaluator, "cheap_metrics", ())
    labels = [name for name in names if name in problem.objectives.metric_names and name not in cheap]
    if labels:
        raise ConfigError(
            f"--features {shown(labels[0])} is what the search is for, which would be a label that nobody counts; name "
            "other features."
        )


def _of_table(
    config: SearchConfig, problem: Problem, names: Sequence[str]
) -> tuple[list[Columns], list[str], list[str]]:
    """Columns of the table, identities, and the names that the table does not have."""
    if config.feature_table is None:
        return [], [], list(dict.fromkeys(names))
    archs, columns, digest = read_columns(config.feature_table, problem.space, None, config.max_gb)
    chosen = [name for name in columns if name in names or not names]
    if not chosen:
        raise UnknownNameError("column of --feature-table", names[0], columns)
    labels = [name for name in chosen if name in problem.objectives.metric_names]
    if labels:
        raise ConfigError(
            f"--feature-table {config.feature_table}: {shown(labels[0])} is what the search is for, which would be a "
            "label that nobody counts; name other columns with --features."
        )
    empty = [name for name in chosen if not np.isfinite(columns[name]).any()]
    if empty:
        raise ConfigError(
            f"--feature-table {config.feature_table}: expected numbers in {shown(empty[0])}, got none that is finite; "
            "name other columns with --features."
        )
    rest = [name for name in dict.fromkeys(names) if name not in chosen]
    identity = f"{','.join(chosen)} of table {digest[:16]}"
    return [TableColumns(chosen, archs.keys, np.stack([columns[name] for name in chosen], axis=1))], [identity], rest


class TableColumns(KnownColumns):
    """Columns of a user's table."""

    def __init__(self, columns: Sequence[str], keys: Sequence[str], values: np.ndarray) -> None:
        super().__init__("table", keys, values)
        self.columns = tuple(columns)


def _counted(names: Sequence[str], evaluator: ProxyEvaluator, problem: Problem, free: list[Columns]) -> list[str]:
    """Parameters cost nothing where the space counts whole populations; the names that are left."""
    space, spec = problem.space, evaluator.spec
    if "params" not in names:
        return list(names)
    if space.count_parameters(problem.searched.sample(1, np.random.default_rng(0)), spec) is None:
        return list(names)

    def count(archs):  # type: ignore[no-untyped-def]
        return space.count_parameters(archs, spec)

    free.append(CountedColumns("params", count))
    return [name for name in names if name != "params"]


def _task(config: SearchConfig, problem: Problem) -> Task | None:
    """What proxies look at: the task that is trained on, or the one that is named; None: noise."""
    if problem.task is not None:
        return problem.task
    return None if config.task is None else task_from(config.task, config.task_option, config.download)
