"""gennas: a generative neural-architecture-search workbench.

``import gennas`` is quick: torch and the other large libraries are imported by what uses them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gennas.config import CompareConfig, SearchConfig
    from gennas.workbench import Run, run_search

__all__ = ["CompareConfig", "Run", "SearchConfig", "__version__", "run_search"]

__version__ = "0.1.0"

_HOMES = {
    "CompareConfig": "gennas.config",
    "Run": "gennas.workbench",
    "SearchConfig": "gennas.config",
    "run_search": "gennas.workbench",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gennas' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
