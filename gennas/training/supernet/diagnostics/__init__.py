"""Figures that say whether a supernet can be trusted: rank correlation, collapse, fairness, what discretising costs."""

from gennas.training.supernet.diagnostics.collapse import CollapseMonitor
from gennas.training.supernet.diagnostics.curvature import Curvature, largest_curvature
from gennas.training.supernet.diagnostics.fairness import PathCounts
from gennas.training.supernet.diagnostics.gap import DiscretisationGap, discretisation_gap
from gennas.training.supernet.diagnostics.ranking import InheritedRanking, rank_inherited
from gennas.training.supernet.diagnostics.share import (
    decision_entropies,
    discrete_skip_share,
    mean_entropy,
    skip_mask,
    skip_share,
)

__all__ = [
    "CollapseMonitor",
    "Curvature",
    "DiscretisationGap",
    "InheritedRanking",
    "PathCounts",
    "decision_entropies",
    "discrete_skip_share",
    "discretisation_gap",
    "largest_curvature",
    "mean_entropy",
    "rank_inherited",
    "skip_mask",
    "skip_share",
]
