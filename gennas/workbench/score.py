"""Scoring whole populations with zero-cost proxies: settings, batches of tasks, executors, cache."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.eval.proxies import (
    PopulationProxy,
    Protocol,
    ProxyBatch,
    ProxyEvaluator,
    make_proxies,
    require_same,
)
from gennas.execution import Executor, ProcessExecutor, SerialExecutor
from gennas.graph import Architecture
from gennas.search.trial import Origin, Proposal, Trial
from gennas.spaces import Space
from gennas.workbench.config import ProblemConfig, parse_options

if TYPE_CHECKING:
    import pandas as pd

    from gennas.training import Task

__all__ = [
    "PopulationScores",
    "make_proxy_evaluator",
    "proxy_evaluator_for",
    "score_population",
    "task_batch",
]


def task_batch(task: Task, protocol: Protocol) -> ProxyBatch:
    """A batch of the task's training part, shuffled by the protocol's seed, and the one after it."""
    import torch

    generator = torch.Generator().manual_seed(protocol.seed)
    batches = task.data.batches("train", protocol.batch_size, generator)
    first, second = next(batches), next(batches, None)
    following = None if second is None else ProxyBatch(second.inputs, second.y, second.rows)
    return ProxyBatch(first.inputs, first.y, first.rows, following)


def make_proxy_evaluator(
    space: Space, proxies: Sequence[str], task: Task | None = None, **options: object
) -> ProxyEvaluator:
    """An evaluator of proxies on a task's examples, or on noise.

    Args:
        space: builds the networks.
        proxies: names of proxies.
        task: gives input shape, number of classes and, unless ``batch="noise"``, the batch.
        **options: settings of :class:`Protocol`.

    Raises:
        ConfigError: a setting does not exist or does not fit.
        UnknownNameError: a proxy is not registered.
    """
    if task is not None:
        given = {"input_shape": task.spec.input_shape, "num_classes": task.spec.num_outputs, "batch": task.name}
        options = {**given, **options}
    try:
        protocol = Protocol(**options)  # type: ignore[arg-type]
    except TypeError as error:
        known = ", ".join(Protocol.__dataclass_fields__)
        raise ConfigError(f"Proxy protocol: {error}. Settings: {known}.") from error
    if protocol.batch != "noise" and (task is None or protocol.batch != task.name):
        raise ConfigError(f"Expected batch=noise or the name of the task, got {protocol.batch!r}; give it as --task.")
    batch = partial(task_batch, task, protocol) if task is not None and protocol.batch != "noise" else None
    return ProxyEvaluator(space, proxies, protocol, batch)


def proxy_evaluator_for(config: ProblemConfig, space: Space) -> ProxyEvaluator:
    """The evaluator that ``--proxy``, ``--proxy-option`` and ``--task`` describe.

    Raises:
        ConfigError: a table or another evaluator is asked for as well, or a setting does not fit.
    """
    if config.table is not None or config.evaluator != "auto":
        raise ConfigError("Expected --proxy alone, got --table or --evaluator with it; drop one.")
    task = None
    if config.task is not None:
        from gennas.training import make_task

        download = {"download": True} if config.download else {}
        task = make_task(config.task, **parse_options(config.task_option), **download)
    names = [name for name in (config.proxy or "").split(",") if name.strip()]
    return make_proxy_evaluator(space, names, task, **parse_options(config.proxy_option))


@dataclass(frozen=True, eq=False)
class PopulationScores:
    """Values of a population under one protocol.

    Args:
        protocol: conditions of the measurement.
        keys: canonical keys of the architectures, ``n``.
        columns: values by proxy, ``(n,)`` each; NaN where scoring failed.
        errors: what went wrong, by row.
        cached: rows that were read from the cache, not computed.
    """

    protocol: Protocol
    keys: tuple[str, ...]
    columns: Mapping[str, NDArray[np.float64]]
    errors: Mapping[int, str]
    cached: int = 0

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
    wanted = make_proxies(proxies)
    single = [p.name for p in wanted if not isinstance(p, PopulationProxy)]
    parts = [name for p in wanted if isinstance(p, PopulationProxy) for name in p.parts]
    evaluator = make_proxy_evaluator(space, [*single, *parts], task, **protocol)
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
        if row is None and not found[arch.key].ok:
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
