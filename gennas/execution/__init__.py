"""Executors: where and how trials run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gennas.execution.base import describe, run_trial
    from gennas.execution.futures import FuturesExecutor
    from gennas.execution.process import ProcessExecutor
    from gennas.execution.ray import RayExecutor
    from gennas.execution.serial import SerialExecutor
    from gennas.search.executor import Executor

__all__ = [
    "Executor", "FuturesExecutor", "ProcessExecutor", "RayExecutor", "SerialExecutor", "describe", "run_trial",
]  # fmt: skip

# A worker of another engine imports a module of this room; it needs neither numpy nor what else executors use.
_HOMES = {
    "Executor": "gennas.search.executor",
    "FuturesExecutor": "gennas.execution.futures",
    "ProcessExecutor": "gennas.execution.process",
    "RayExecutor": "gennas.execution.ray",
    "SerialExecutor": "gennas.execution.serial",
    "describe": "gennas.execution.base",
    "run_trial": "gennas.execution.base",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gennas.execution' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
