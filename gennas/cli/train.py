"""``gennas train``: train one architecture."""

from __future__ import annotations

from gennas.workbench.train import TrainSettings

__all__ = ["SETTINGS", "run"]

SETTINGS = TrainSettings


def run(settings: TrainSettings) -> int:
    """Run the verb."""
    from gennas.cli.terminal import print_metrics, print_tracked
    from gennas.workbench.train import train

    trained = train(settings)
    print_metrics(trained.chosen.described, trained.values, trained.metrics)
    print_tracked(trained.tracked)
    return 0
