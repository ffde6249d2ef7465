"""Runs on other tasks of the same space, read as data: no code that they name is imported, whoever wrote them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gennas.errors import ArchiveError, ConfigError, UnknownNameError, reason_of, shown
from gennas.eval.base import Metric
from gennas.eval.derived import read_goal
from gennas.eval.tables import read_rows
from gennas.graph import Population
from gennas.search import Archive, Objective, Trial, read_meta
from gennas.search.other_runs import OtherRun
from gennas.spaces import Space
from gennas.workbench.config import SearchConfig
from gennas.workbench.problem import Problem

__all__ = ["identity_of", "read_labels", "read_other_runs"]

_LEAST = 2
_ARCHIVES = (".sqlite", ".sqlite3", ".db")


def read_other_runs(config: SearchConfig, problem: Problem) -> list[OtherRun]:
    """The labels of the runs, archives and tables of ``--warm-from``.

    Of a run the first objective of its own settings counts; where these name none, the metric that this search is for,
    ``val_accuracy``, or the only one that there is. Of a table it is the metric that this search is for.

    Raises:
        ConfigError: a run of another space, this search's own directory, one with fewer than two successful trials, or
            the same twice.
        ArchiveError: an archive cannot be read.
        TableError: a table cannot.
    """
    places = [place.resolve() for place in map(_archive_of, map(Path, config.warm_from))]
    if len(set(places)) < len(places):
        raise ConfigError(f"--warm-from names a run twice: {', '.join(config.warm_from)}.")
    if _archive_of(config.out).resolve() in places:
        raise ConfigError(f"--warm-from names this search's own directory, {config.out}; expected other runs.")
    return [read_labels(text, problem.space, problem.objectives.primary) for text in config.warm_from]


def identity_of(runs: Sequence[OtherRun]) -> str:
    """A digest of all labels, in the order of the runs."""
    found = hashlib.blake2b(digest_size=8)
    for run in runs:
        found.update(json.dumps([run.goal, run.archs.keys, run.values.tolist()]).encode())
    return found.hexdigest()


def _archive_of(path: Path) -> Path:
    return path / "archive.sqlite" if path.is_dir() or not path.suffix else path


def read_labels(text: str, space: Space, own: Objective) -> OtherRun:
    """The labels of one run, archive or table, for a search of ``space`` for ``own``.

    Raises:
        GennasError: as :func:`read_other_runs`.
    """
    path = Path(text)
    if path.is_file() and path.suffix.lower() not in _ARCHIVES:
        archs, columns = read_rows(path, space, [own.metric])
        return _other_run(text, str(own), archs, np.array([own.signed(value) for value in columns[own.metric]]))
    file = _archive_of(path)
    if not file.is_file():
        raise ConfigError(f"--warm-from {text}: expected the --out of a search or an archive, got nothing there.")
    identity, written, noted = read_meta(file, "identity", "config", "metrics")
    _refuse_other_space(text, identity, space)
    goal = _goal(text, _settings(file, written), _metrics(file, noted), own)
    archive = Archive(file, space, read_only=True)
    try:
        trials = _usable(archive.trials(), goal)
    finally:
        archive.close()
    archs = Population.of(space.schema, [trial.arch for trial in trials])
    return _other_run(text, str(goal), archs, np.array([goal.signed(t.metrics[goal.metric]) for t in trials]))


def _refuse_other_space(text: str, identity: str | None, space: Space) -> None:
    """An archive says in its identity which space and schema its decisions belong to."""
    name = (identity or "").split(" ")[0]
    known = [f"{space.name} {mark} " for mark in (space.schema.fingerprint, space.schema.structure)]
    if identity is None or not any(identity.startswith(start) for start in known):
        same = f"{space.name} with other options" if name == space.name else shown(name or "no space")
        raise ConfigError(f"--warm-from {text}: expected a run of the space {space.name}, got one of {same}.")


def _settings(file: Path, written: str | None) -> Mapping[str, Any]:
    try:
        found = json.loads(written or "{}")
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"{file}: the settings in it cannot be read ({reason_of(error)}).") from error
    return found if isinstance(found, dict) else {}


def _metrics(file: Path, noted: str | None) -> dict[str, Metric]:
    try:
        return {n: Metric(**{**m, "bounds": tuple(m["bounds"])}) for n, m in json.loads(noted or "{}").items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ArchiveError(f"{file}: the metrics in it cannot be read ({reason_of(error)}).") from error


def _goal(text: str, settings: Mapping[str, Any], metrics: Mapping[str, Metric], own: Objective) -> Objective:
    """What the run was for."""
    given = settings.get("objective") or ()
    if given and isinstance(given, (list, tuple)) and isinstance(given[0], str):
        return Objective.parse(read_goal(given[0], metrics)[0])
    if own.metric in metrics:
        return own
    name = "val_accuracy" if "val_accuracy" in metrics else next(iter(metrics), "")
    if not name or (len(metrics) > 1 and name != "val_accuracy"):
        raise UnknownNameError(f"metric of --warm-from {text}", own.metric, metrics)
    return Objective(name, metrics[name].direction)


def _usable(trials: Sequence[Trial], goal: Objective) -> list[Trial]:
    """Successful trials at the fidelity that most of them have, the first of every architecture."""
    kept = [t for t in trials if t.ok and goal.metric in t.metrics and np.isfinite(t.metrics[goal.metric])]
    common = Counter(t.proposal.fidelity for t in kept).most_common(1)
    found: dict[str, Trial] = {}
    for trial in kept:
        if trial.proposal.fidelity == common[0][0]:
            found.setdefault(trial.arch.key, trial)
    return list(found.values())


def _other_run(text: str, goal: str, archs: Population, values: np.ndarray) -> OtherRun:
    _, first = np.unique(np.array(archs.keys), return_index=True)
    rows = np.sort(first)
    if len(rows) < _LEAST:
        raise ConfigError(
            f"--warm-from {text}: expected {_LEAST} or more successful trials of {goal}, got {len(rows)}; leave it out."
        )
    return OtherRun(text, goal, archs[rows], values[rows])
