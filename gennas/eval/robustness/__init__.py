"""Robustness of trained networks: gradient attacks within a small box, and common corruptions."""

from gennas.eval.robustness.attacks import Attack, Network, accuracy, attack_accuracy, fgsm, pgd
from gennas.eval.robustness.corruptions import (
    CORRUPTIONS,
    SEVERITIES,
    corrupt,
    corruption_accuracies,
    mean_corruption_accuracy,
)

__all__ = [
    "CORRUPTIONS",
    "SEVERITIES",
    "Attack",
    "Network",
    "accuracy",
    "attack_accuracy",
    "corrupt",
    "corruption_accuracies",
    "fgsm",
    "mean_corruption_accuracy",
    "pgd",
]
