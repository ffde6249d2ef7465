"""What a training gave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["TrainResult"]


@dataclass(frozen=True)
class TrainResult:
    """What a training gave; losses are mean cross entropies, accuracies fractions.

    Args:
        train_loss: of every epoch, while learning.
        val_loss: of every epoch.
        val_accuracy: of every epoch.
        selected_epoch: whose weights were kept, from 1.
        test_accuracy: of the kept weights; it played no part in keeping them.
        seconds: wall time of everything.
        stopped: ``finished`` all epochs, or out of ``patience``.
        device: where it ran.
        resumed_epoch: epochs that were read from a state instead of being trained.
    """

    train_loss: tuple[float, ...]
    val_loss: tuple[float, ...]
    val_accuracy: tuple[float, ...]
    selected_epoch: int
    test_accuracy: float
    seconds: float
    stopped: Literal["finished", "patience"]
    device: str
    resumed_epoch: int = 0

    @property
    def epochs(self) -> int:
        """Epochs that were run."""
        return len(self.train_loss)

    @property
    def selected_val_accuracy(self) -> float:
        """Validation accuracy of the kept weights."""
        return self.val_accuracy[self.selected_epoch - 1]

    @property
    def best_val_accuracy(self) -> float:
        """Highest validation accuracy of any epoch."""
        return max(self.val_accuracy)

    @property
    def last_val_accuracy(self) -> float:
        """Validation accuracy after the last epoch."""
        return self.val_accuracy[-1]

    @property
    def sotl(self) -> float:
        """Sum of the training losses of all epochs: low where learning was quick.

        Ru et al., "Speedy Performance Estimation for Neural Architecture Search", 2021, arXiv 2006.04492.
        """
        return sum(self.train_loss)

    def sotl_e(self, epochs: int) -> float:
        """Sum of the training losses of the last ``epochs`` epochs (of all where there are fewer)."""
        return sum(self.train_loss[-epochs:])
