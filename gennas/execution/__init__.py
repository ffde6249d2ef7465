"""Executors: where and how trials run."""

from gennas.execution.base import Executor, run_trial
from gennas.execution.process import ProcessExecutor
from gennas.execution.serial import SerialExecutor

__all__ = ["Executor", "ProcessExecutor", "SerialExecutor", "run_trial"]
