"""Contracts of the replaceable parts, as pytest classes to subclass, and doubles that fail on purpose."""

from gennas.testing.archives import ArchiveContract, example_trials
from gennas.testing.evaluators import FailingEvaluator, SyntheticEvaluator
from gennas.testing.executors import ExecutorContract, FlakyExecutor
from gennas.testing.generators import GeneratorContract
from gennas.testing.spaces import SpaceContract
from gennas.testing.strategies import StrategyContract

__all__ = [
    "ArchiveContract",
    "ExecutorContract",
    "FailingEvaluator",
    "FlakyExecutor",
    "GeneratorContract",
    "SpaceContract",
    "StrategyContract",
    "SyntheticEvaluator",
    "example_trials",
]
