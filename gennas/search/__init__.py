"""Search: strategies, the loop, the archive."""

from gennas.search.archive import Archive, Attempt
from gennas.search.frame import trials_frame
from gennas.search.loop import Listener, Result, Search
from gennas.search.objectives import Constraint, Objective, Objectives
from gennas.search.progress import Progress, commonest_error, failures
from gennas.search.stored import read_meta
from gennas.search.strategies import STRATEGIES, Strategy
from gennas.search.trial import Origin, Proposal, Status, Trial

__all__ = [
    "STRATEGIES",
    "Archive",
    "Attempt",
    "Constraint",
    "Listener",
    "Objective",
    "Objectives",
    "Origin",
    "Progress",
    "Proposal",
    "Result",
    "Search",
    "Status",
    "Strategy",
    "Trial",
    "commonest_error",
    "failures",
    "read_meta",
    "trials_frame",
]
