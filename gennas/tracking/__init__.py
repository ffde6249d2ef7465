"""Following a search with W&B, or with any listener of the user's."""

from gennas.tracking.base import NullTracker, RunInfo, SafeTracker, Tracker, replay
from gennas.tracking.wandb import WandbTracker

__all__ = ["NullTracker", "RunInfo", "SafeTracker", "Tracker", "WandbTracker", "replay"]
