"""The directory of a run: its lock, its archive, and its settings, which may be somebody else's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import yaml

import gennas
from gennas.errors import ArchiveError, ConfigError, OutputError
from gennas.runtime.files import exists, sweep_drafts, write_atomically
from gennas.search import Archive, read_meta
from gennas.workbench.config import SearchConfig, load_yaml
from gennas.workbench.problem import Problem
from gennas.workbench.trust import refuse_foreign_code, seal_settings

__all__ = ["holds_run", "kept_settings", "locked", "open_archive", "read_config"]


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keep other processes from running the search of this directory; the lock ends with the process that holds it."""
    from filelock import FileLock, Timeout

    try:
        directory.mkdir(parents=True, exist_ok=True)
        with FileLock(directory / ".lock", timeout=0):
            for folder in (directory, directory / "generator"):
                sweep_drafts(folder)
            yield
    except Timeout as error:
        raise ConfigError(
            f"{directory}: another process is running this search. Wait for it, or use another --out."
        ) from error
    except OutputError:
        raise
    except OSError as error:
        raise ConfigError(f"Cannot write to the run directory {directory}: {error.strerror}.") from error


@contextmanager
def open_archive(config: SearchConfig, problem: Problem) -> Iterator[Archive]:
    """Create the run directory or reopen it; refuse another configuration's."""
    found = kept_settings(config.out)
    if found is not None:
        config.refuse_other(SearchConfig.from_dict(found[0]), config.out, "configuration")
    archive = Archive(config.out / "archive.sqlite", problem.space)
    try:
        schema = problem.space.schema
        identity = f"{problem.space.name} {schema.fingerprint} {problem.evaluator.protocol} {problem.fidelity}"
        former = identity.replace(schema.fingerprint, schema.structure)  # as version 0.1 wrote it
        archive.claim(former if archive.meta("identity") == former else identity)
        metrics = json.dumps({name: asdict(m) for name, m in problem.evaluator.metrics.items()})
        values = config.to_dict()
        values["budget"] = max(config.budget, archive.num_charged)  # what was spent is no less for a smaller one
        written = json.dumps(values, default=str)
        with archive.together():
            archive.set_meta("metrics", metrics)
            archive.set_meta("config", written)
            archive.set_meta("seal", seal_settings(written, values))
        content = yaml.safe_dump({**values, "version": gennas.__version__}, sort_keys=False)
        _write_changed(config.out / "config.yaml", content)
        yield archive
    finally:
        archive.close()


def _write_changed(path: Path, content: str) -> None:
    if not path.exists() or path.read_bytes() != content.encode():
        write_atomically(path, content)


def holds_run(directory: Path) -> bool:
    """Whether a search was begun in this directory."""
    return exists(directory / "archive.sqlite") or exists(directory / "config.yaml")


def kept_settings(directory: Path) -> tuple[dict[str, Any], str, str | None] | None:
    """Settings of a run as they are kept, with their text and its seal; None where there are none.

    The archive's own copy decides; ``config.yaml`` beside it is for people, and for runs of version 0.1.0.
    """
    archive, file = directory / "archive.sqlite", directory / "config.yaml"
    written, digest = read_meta(archive, "config", "seal") if archive.exists() else (None, None)
    if written is None:
        if not file.exists():
            return None
        values = load_yaml(file)
        values.pop("version", None)
        return values, "", None
    try:
        values = json.loads(written)
    except ValueError as error:
        raise ArchiveError(f"{archive}: the settings in it cannot be read ({error}).") from error
    if not isinstance(values, dict):
        raise ArchiveError(f"{archive}: expected a mapping of settings in it, got {type(values).__name__}.")
    return values, written, digest


def read_config(directory: Path, trust: bool = False, **own: Any) -> SearchConfig:
    """The settings of a run, with ``directory`` as its place.

    Args:
        directory: of the run.
        trust: run code that the settings name although somebody else wrote them.
        **own: settings in place of the run's, where they are not None.

    Raises:
        ConfigError: the folder is not a run directory, its settings cannot be read, or they name code outside of gennas
            and were written by somebody else.
    """
    found = kept_settings(directory)
    if found is None:
        raise ConfigError(f"{directory}: expected the --out of a search, which holds config.yaml and archive.sqlite.")
    values, written, digest = found
    config = SearchConfig.from_dict({**values, "out": directory})
    given = {name: value for name, value in own.items() if value is not None}
    if not trust:
        refuse_foreign_code(SearchConfig.from_dict(values).to_dict(), directory, written, digest, tuple(given))
    return replace(config, **given)
