"""Following searches and trainings with W&B, or with any listener of the user's."""

from gennas.tracking.base import Guard, NullTracker, RunInfo, SafeTracker, Tracker, replay
from gennas.tracking.wandb import WandbTracker
from gennas.tracking.wandb_comparison import track_comparison
from gennas.tracking.wandb_run import WandbOptions
from gennas.tracking.wandb_training import WandbTraining

__all__ = [
    "Guard",
    "NullTracker",
    "RunInfo",
    "SafeTracker",
    "Tracker",
    "WandbOptions",
    "WandbTracker",
    "WandbTraining",
    "replay",
    "track_comparison",
]
