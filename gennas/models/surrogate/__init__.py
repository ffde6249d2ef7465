"""Cheap predictors of an architecture's rank, with uncertainty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gennas.models.surrogate.base import (
    Features,
    JointSurrogate,
    RecallingSurrogate,
    Surrogate,
    graf,
    graph_statistics,
    live_one_hot,
    live_subtrees,
    lookup_features,
    normal_scores,
    path_statistics,
)
from gennas.models.surrogate.boosting import BoostingSurrogate
from gennas.models.surrogate.cross_validation import LEVELS, HeldOut, cross_validate, held_out, normal_scores_among
from gennas.models.surrogate.forest import ForestSurrogate
from gennas.models.surrogate.gp import DEFAULT_GROUPS, SUBTREE_GROUPS, GPSurrogate, Group, kernel_groups
from gennas.models.surrogate.representatives import representatives
from gennas.models.surrogate.stack import StackSurrogate

if TYPE_CHECKING:
    from gennas.models.surrogate.gnn import GNNSurrogate

__all__ = [
    "DEFAULT_GROUPS",
    "LEVELS",
    "SUBTREE_GROUPS",
    "BoostingSurrogate",
    "Features",
    "ForestSurrogate",
    "GNNSurrogate",
    "GPSurrogate",
    "Group",
    "HeldOut",
    "JointSurrogate",
    "RecallingSurrogate",
    "StackSurrogate",
    "Surrogate",
    "cross_validate",
    "graf",
    "graph_statistics",
    "held_out",
    "kernel_groups",
    "live_one_hot",
    "live_subtrees",
    "lookup_features",
    "normal_scores",
    "normal_scores_among",
    "path_statistics",
    "representatives",
]


def __getattr__(name: str) -> Any:
    """``GNNSurrogate``, which needs torch, on first use."""
    if name != "GNNSurrogate":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gennas.models.surrogate.gnn import GNNSurrogate

    return GNNSurrogate
