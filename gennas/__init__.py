"""gennas: a generative neural-architecture-search workbench.

``import gennas`` is quick: torch and the other large libraries are imported by what uses them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gennas.version import __version__

if TYPE_CHECKING:
    from gennas.workbench.config import CompareConfig, SearchConfig
    from gennas.workbench.run import Run, open_run, run_search

__all__ = ["CompareConfig", "Run", "SearchConfig", "__version__", "open_run", "run_search"]

_HOMES = {
    "CompareConfig": "gennas.workbench.config",
    "Run": "gennas.workbench.run",
    "SearchConfig": "gennas.workbench.config",
    "open_run": "gennas.workbench.run",
    "run_search": "gennas.workbench.run",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gennas' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
