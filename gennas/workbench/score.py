"""Scoring whole populations with zero-cost proxies: settings, batches of tasks, executors, cache."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, EvaluationError
from gennas.execution import Executor, ProcessExecutor, SerialExecutor
from gennas.graph import Architecture
from gennas.search.progress import commonest_reason
from gennas.search.trial import Origin, Proposal, Trial
from gennas.spaces import Space
from gennas.workbench.evaluators import make_proxy_evaluator, task_from
from gennas.workbench.problem import space_from
from gennas.workbench.settings import NO_OPTIONS, Count, OptionMap, Positive, Seed, SpaceSettings, TaskSettings, Texts

if TYPE_CHECKING:
    import pandas as pd

    from gennas.eval.proxies import PopulationProxy, Protocol, ProxyEvaluator
    from gennas.training import Task

__all__ = [
    "PopulationScores",
    "ProxySettings",
    "score_archs",
    "score_chosen",
    "score_population",
]


@dataclass(frozen=True)
class ProxySettings(TaskSettings, SpaceSettings):
    """List zero-cost proxies, score architectures with them without training, or correlate scores with accuracies."""

    action: Literal["list", "score", "correlate"] = "list"
    """`list` what there is, `score` architectures, or `correlate` scores with the accuracies of a table."""
    proxies: str = "params,synflow,logsynflow"
    """Proxies to score with, separated by commas."""
    arch: Texts = ()
    """Architectures by their text (default: a sample of --n)."""
    n: Count = 5
    """How many architectures to sample."""
    seed: Seed = 0
    """Seed of the sample."""
    protocol: OptionMap = NO_OPTIONS
    """Protocol, as KEY=VALUE (batch=noise, batch_size=64, initialisation=kaiming, seed=0, …)."""
    executor: Literal["serial", "process"] = "serial"
    """Where networks are scored: in this process, or in worker processes."""
    workers: Count = 2
    """Worker processes of the process executor."""
    cache: Path | None = None
    """SQLite file of known values, by architecture, proxy and protocol."""
    out: Path | None = None
    """Also write the values (or the correlations) to this CSV file."""
    table: Path | None = None
    """correlate: file with accuracies, by a column `arch`, `key` or `index`."""
    target: str = ""
    """correlate: column of the table that scores are compared with; in percent for nDCG."""
    direction: Literal["max", "min"] = "max"
    """correlate: whether more or less of the target is better."""
    scores: Path | None = None
    """correlate: file of scores, such as `proxies score --out` writes (default: --n of the table are scored)."""
    max_gb: Positive = 2.0
    """correlate: most GiB that either file may hold after decompression."""
    combine: Texts = ()
    """correlate: also show the log-rank of these columns, such as params+jacov+nwot."""
    resamples: Count = 200
    """correlate: bootstrap resamples of the intervals."""

    @property
    def names(self) -> list[str]:
        """The proxies."""
        return [name.strip() for name in self.proxies.split(",") if name.strip()]


def score_chosen(settings: ProxySettings) -> tuple[Space, list[Architecture], PopulationScores]:
    """Score the architectures that settings name, or a sample.

    Raises:
        GennasError: a setting does not fit.
    """
    space = space_from(settings)
    archs = [space.from_text(text) for text in settings.arch]
    archs = archs or list(space.sample(settings.n, np.random.default_rng(settings.seed)))
    return space, archs, score_archs(settings, space, archs, settings.names, {})


def score_archs(
    settings: ProxySettings,
    space: Space,
    archs: Sequence[Architecture],
    names: Sequence[str],
    protocol: Mapping[str, object],
) -> PopulationScores:
    """Score architectures under the settings' protocol, or under ``protocol`` where they do not say.

    Raises:
        GennasError: a setting does not fit.
    """
    task = None if settings.task is None else task_from(settings.task, settings.task_option, settings.download)
    return score_population(
        space,
        archs,
        names,
        task,
        executor=settings.executor,
        workers=settings.workers,
        cache=settings.cache,
        progress=True,
        **{**protocol, **settings.protocol},
    )


@dataclass(frozen=True, eq=False)
class PopulationScores:
    """Values of a population under one protocol.

    Args:
        protocol: conditions of the measurement.
        keys: canonical keys of the architectures, ``n``.
        columns: values by proxy, ``(n,)`` each; NaN where that proxy failed.
        errors: what went wrong, by row.
        cached: rows that were read from the cache, not computed.
    """

    protocol: Protocol
    keys: tuple[str, ...]
    columns: Mapping[str, NDArray[np.float64]]
    errors: Mapping[int, str]
    cached: int = 0

    def require_any(self) -> None:
        """Refuse scores without a single value.

        Raises:
            EvaluationError: there is none; it tells the commonest reason.
        """
        if any(np.isfinite(column).any() for column in self.columns.values()):
            return
        reason, count = commonest_reason(list(self.errors.values()))
        raise EvaluationError(
            f"No proxy has a value for any of {len(self.keys)} architectures. {count} of them gave: {reason}"
        )

    def to_dataframe(self) -> pd.DataFrame:
        """One row per architecture."""
        import pandas as pd

        return pd.DataFrame({"key": self.keys, **self.columns})

    @staticmethod
    def pool(scores: Sequence[PopulationScores]) -> PopulationScores:
        """Put populations together; ranks within a population cannot be pooled and are left out.

        Raises:
            ConfigError: their protocols or their proxies differ.
        """
        from gennas.eval.proxies import PopulationProxy, make_proxies, require_same

        protocol = require_same(s.protocol for s in scores)
        names = [name for name in scores[0].columns if not issubclass(type(make_proxies([name])[0]), PopulationProxy)]
        if any(set(s.columns) != set(scores[0].columns) for s in scores):
            raise ConfigError(f"Expected the same proxies everywhere, got {[sorted(s.columns) for s in scores]}.")
        starts = np.cumsum([0, *(len(s.keys) for s in scores)])
        errors = {
            int(start) + i: text for start, s in zip(starts, scores, strict=False) for i, text in s.errors.items()
        }
        columns = {name: np.concatenate([s.columns[name] for s in scores]) for name in names}
        return PopulationScores(protocol, tuple(key for s in scores for key in s.keys), columns, errors)


def score_population(
    space: Space,
    archs: Sequence[Architecture],
    proxies: Sequence[str],
    task: Task | None = None,
    *,
    executor: Literal["serial", "process"] = "serial",
    workers: int = 2,
    time_limit_s: float | None = None,
    cache: Path | None = None,
    progress: bool = False,
    **protocol: object,
) -> PopulationScores:
    """Score many architectures; each network's passes are shared by its proxies.

    Args:
        space: builds the networks.
        archs: what is scored.
        proxies: names; those that rank a population (``aznas``) are computed from their parts.
        task: gives shapes and, unless ``batch="noise"``, the batch.
        executor: in this process, or in ``workers`` processes that may crash.
        workers: processes.
        time_limit_s: seconds for one architecture.
        cache: SQLite file of known values, by architecture, proxy and protocol; it is made if missing.
        progress: show a bar.
        **protocol: settings of :class:`Protocol`.

    Raises:
        GennasError: a setting does not fit.

    Example:
        >>> from gennas.spaces import MacroChain
        >>> space = MacroChain(max_depth=2, min_depth=1, widths=(8,), kernels=(3,))
        >>> archs = [space.from_text(text) for text in ("conv3x3-w8-s1", "conv3x3-w8-s1/conv3x3-w8-s1")]
        >>> score_population(space, archs, ["params"], input_shape=(3, 8, 8)).columns["params"].tolist()
        [930.0, 1522.0]
    """
    from gennas.eval.proxies import PopulationProxy, make_proxies

    wanted = make_proxies(proxies)
    single = [p.name for p in wanted if not isinstance(p, PopulationProxy)]
    parts = [name for p in wanted if isinstance(p, PopulationProxy) for name in p.parts]
    evaluator = make_proxy_evaluator(space, [*single, *parts], task, (), **protocol)
    with closing(_Cache(cache, evaluator)) as store:
        rows = [store.get(arch.key) for arch in archs]
        missing = {arch.key: arch for arch, row in zip(archs, rows, strict=True) if row is None}
        trials = _run(evaluator, list(missing.values()), executor, workers, time_limit_s, progress)
        store.add(trial for trial in trials if trial.ok)
    found = {trial.arch.key: trial for trial in trials}
    values: dict[str, list[float]] = {name: [] for name in evaluator.metrics}
    errors = {}
    for i, (arch, row) in enumerate(zip(archs, rows, strict=True)):
        known = found[arch.key].metrics if row is None else row
        for name, column in values.items():
            column.append(known.get(name, np.nan))
        if row is None and (found[arch.key].error or not found[arch.key].ok):
            errors[i] = found[arch.key].error or found[arch.key].status
    columns = {name: np.array(column) for name, column in values.items()}
    for proxy in wanted:
        if isinstance(proxy, PopulationProxy):
            columns[proxy.name] = _combined(proxy, columns)
    cached = sum(row is not None for row in rows)
    return PopulationScores(evaluator.settings, tuple(a.key for a in archs), columns, errors, cached)


def _combined(proxy: PopulationProxy, columns: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """The population's values, NaN for rows that could not be scored."""
    known = np.logical_and.reduce([~np.isnan(columns[name]) for name in proxy.parts])
    values = np.full(len(known), np.nan)
    if known.any():
        values[known] = proxy.combine({name: columns[name][known] for name in proxy.parts})
    return values


def _run(
    evaluator: ProxyEvaluator,
    archs: Sequence[Architecture],
    where: str,
    workers: int,
    time_limit_s: float | None,
    progress: bool,
) -> list[Trial]:
    from rich.progress import track

    runner: Executor
    if where == "serial":
        runner = SerialExecutor(evaluator, time_limit_s)
    else:
        runner = ProcessExecutor(evaluator, workers, time_limit_s)
    try:
        for i, arch in enumerate(archs):
            runner.submit(Proposal(arch, Origin("proxies"), id=i, seed=evaluator.settings.seed))
        return [runner.wait_any() for _ in track(range(len(archs)), "Scoring", disable=not progress)]
    finally:
        runner.close()


class _Cache:
    """Values of one evaluator's proxies and protocol in a file that others share."""

    def __init__(self, path: Path | None, evaluator: ProxyEvaluator) -> None:
        self._identities = {p.name: f"{p.identity}; {evaluator.conditions}" for p in evaluator.proxies}
        try:
            self._db = sqlite3.connect(":memory:" if path is None else path)
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS scores (arch TEXT, proxy TEXT, value REAL, PRIMARY KEY (arch, proxy))"
            )
        except sqlite3.Error as error:
            raise ConfigError(f"{path}: expected an SQLite file of proxy values ({error}); use another.") from error

    def get(self, key: str) -> dict[str, float] | None:
        """All values of an architecture, or None if one is not known."""
        rows = dict(self._db.execute("SELECT proxy, value FROM scores WHERE arch = ?", (key,)))
        if not all(identity in rows for identity in self._identities.values()):
            return None
        return {name: float(rows[identity]) for name, identity in self._identities.items()}

    def add(self, trials: Iterable[Trial]) -> None:
        """Remember the values of successful trials."""
        for trial in trials:
            rows = [(trial.arch.key, self._identities[name], value) for name, value in trial.metrics.items()]
            self._db.executemany("INSERT OR REPLACE INTO scores VALUES (?, ?, ?)", rows)
        self._db.commit()

    def close(self) -> None:
        """Close the file."""
        self._db.close()
