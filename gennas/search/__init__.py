"""Search: strategies, the loop, the archive."""

from gennas.search.archive import Archive
from gennas.search.frame import trials_frame
from gennas.search.loop import Listener, Result, Search
from gennas.search.objectives import Constraint, Objective, Objectives
from gennas.search.strategies import STRATEGIES, Strategy
from gennas.search.trial import Origin, Proposal, Status, Trial

__all__ = [
    "STRATEGIES",
    "Archive",
    "Constraint",
    "Listener",
    "Objective",
    "Objectives",
    "Origin",
    "Proposal",
    "Result",
    "Search",
    "Status",
    "Strategy",
    "Trial",
    "trials_frame",
]
