"""Cheap predictors of an architecture's rank, with uncertainty."""

from gennas.models.surrogate.base import (
    Features,
    Surrogate,
    graph_statistics,
    live_one_hot,
    live_subtrees,
    normal_scores,
    path_statistics,
)
from gennas.models.surrogate.forest import ForestSurrogate
from gennas.models.surrogate.gp import SUBTREE_GROUPS, GPSurrogate, Group
from gennas.models.surrogate.stack import StackSurrogate

__all__ = [
    "SUBTREE_GROUPS",
    "Features",
    "ForestSurrogate",
    "GPSurrogate",
    "Group",
    "StackSurrogate",
    "Surrogate",
    "graph_statistics",
    "live_one_hot",
    "live_subtrees",
    "normal_scores",
    "path_statistics",
]
