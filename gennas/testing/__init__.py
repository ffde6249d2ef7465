"""Contracts of the replaceable parts, as pytest classes to subclass, and doubles that fail on purpose."""

from gennas.testing.archives import ArchiveContract, example_trials
from gennas.testing.evaluators import EvaluatorContract, FailingEvaluator, SyntheticEvaluator
from gennas.testing.executors import ExecutorContract, FlakyExecutor
from gennas.testing.generators import GeneratorContract
from gennas.testing.proxies import ProxyContract
from gennas.testing.spaces import SpaceContract
from gennas.testing.strategies import StrategyContract

__all__ = [
    "ArchiveContract",
    "EvaluatorContract",
    "ExecutorContract",
    "FailingEvaluator",
    "FlakyExecutor",
    "GeneratorContract",
    "ProxyContract",
    "SpaceContract",
    "StrategyContract",
    "SyntheticEvaluator",
    "example_trials",
]
