"""Contracts of the replaceable parts, as pytest classes to subclass, and doubles that fail on purpose.

The doubles (``SyntheticEvaluator``, ``UnevenEvaluator``, ``NotingEvaluator``, ``FailingEvaluator``, ``FlakyExecutor``,
``example_trials``) work without pytest, which only contracts need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gennas.testing.archives import ArchiveContract, example_trials
from gennas.testing.evaluators import EvaluatorContract, FailingEvaluator, NotingEvaluator, SyntheticEvaluator
from gennas.testing.executors import ExecutorContract, FlakyExecutor, UnevenEvaluator, check_same_archive
from gennas.testing.proxies import ProxyContract
from gennas.testing.spaces import SpaceContract
from gennas.testing.strategies import StrategyContract

if TYPE_CHECKING:
    from gennas.testing.generators import GeneratorContract
    from gennas.testing.shared_weights import SupernetContract

__all__ = [
    "ArchiveContract",
    "EvaluatorContract",
    "ExecutorContract",
    "FailingEvaluator",
    "FlakyExecutor",
    "GeneratorContract",
    "NotingEvaluator",
    "ProxyContract",
    "SpaceContract",
    "StrategyContract",
    "SupernetContract",
    "SyntheticEvaluator",
    "UnevenEvaluator",
    "check_same_archive",
    "example_trials",
]


def __getattr__(name: str) -> Any:
    """``GeneratorContract``, whose fixtures need pytest, and ``SupernetContract``, which needs torch, on first use."""
    if name == "GeneratorContract":
        from gennas.testing.generators import GeneratorContract

        return GeneratorContract
    if name == "SupernetContract":
        from gennas.testing.shared_weights import SupernetContract

        return SupernetContract
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
