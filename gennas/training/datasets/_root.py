"""Where dataset files lie."""

from __future__ import annotations

import os
from pathlib import Path

from gennas.errors import ConfigError, shown


def dataset_root(root: str | Path | None) -> Path:
    """``root`` if given, else the variable GENNAS_DATASETS, else ``~/.cache/gennas``."""
    return Path(root or os.environ.get("GENNAS_DATASETS") or Path.home() / ".cache" / "gennas").expanduser()


def missing(name: str, folder: Path) -> ConfigError:
    return ConfigError(
        f"Dataset {shown(name)} was looked for in {folder} and is not (completely) there. Fetch it with --download "
        "(download=True in Python), or set GENNAS_DATASETS or root to the folder that holds it."
    )


def not_fetched(name: str, folder: Path, error: Exception) -> ConfigError:
    return ConfigError(
        f"Dataset {shown(name)} could not be fetched into or read from {folder}: {' '.join(str(error).split())}"
    )
