"""Executors: where and how trials run."""

from gennas.execution.base import describe, run_trial
from gennas.execution.process import ProcessExecutor
from gennas.execution.serial import SerialExecutor
from gennas.search.executor import Executor

__all__ = ["Executor", "ProcessExecutor", "SerialExecutor", "describe", "run_trial"]
