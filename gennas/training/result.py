"""What a training gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gennas.errors import ConfigError
from gennas.eval.base import Direction

__all__ = ["TrainResult"]

Curve = tuple[float, ...]


@dataclass(frozen=True)
class TrainResult:
    """What a training gave: curves over its epochs, and scores of the weights that were kept.

    Args:
        curves: one value per epoch of ``train_loss``, ``val_loss`` and of ``val_<score>`` for every score of the task.
        selected_epoch: whose weights were kept, from 1.
        test_scores: of the kept weights, by name; they played no part in keeping them.
        seconds: wall time of everything.
        stopped: ``finished`` all epochs, or out of ``patience``.
        device: where it ran.
        resumed_epoch: epochs that were read from a state instead of being trained.
        primary: the score that weights are selected by.
        direction: which way it is better.
    """

    curves: Mapping[str, Curve]
    selected_epoch: int
    test_scores: Mapping[str, float]
    seconds: float
    stopped: Literal["finished", "patience"]
    device: str
    resumed_epoch: int = 0
    primary: str = "accuracy"
    direction: Direction = "max"

    @property
    def epochs(self) -> int:
        """Epochs that were run."""
        return len(self.train_loss)

    @property
    def train_loss(self) -> Curve:
        """Mean loss of every epoch, while learning."""
        return self.curves["train_loss"]

    @property
    def val_loss(self) -> Curve:
        """Validation loss of every epoch."""
        return self.curves["val_loss"]

    # ------------------------------------------------------------------ the primary score

    @property
    def val_score(self) -> Curve:
        """Primary score on the validation part, of every epoch."""
        return self.curves[f"val_{self.primary}"]

    @property
    def selected_val_score(self) -> float:
        """Primary score of the kept weights on the validation part."""
        return self.val_score[self.selected_epoch - 1]

    @property
    def best_val_score(self) -> float:
        """Best validation score of any epoch."""
        return (max if self.direction == "max" else min)(self.val_score)

    @property
    def last_val_score(self) -> float:
        """Validation score after the last epoch."""
        return self.val_score[-1]

    @property
    def test_score(self) -> float:
        """Primary score of the kept weights on the test part."""
        return self.test_scores[self.primary]

    def selected(self) -> dict[str, float]:
        """``val_<score>`` and ``test_<score>`` of the kept weights, for every score."""
        found = {}
        for name, value in self.test_scores.items():
            found[f"val_{name}"] = self.curves[f"val_{name}"][self.selected_epoch - 1]
            found[f"test_{name}"] = value
        return found

    # ------------------------------------------------------------------ classification

    @property
    def val_accuracy(self) -> Curve:
        """Validation accuracy of every epoch.

        Raises:
            ConfigError: the task is not scored by accuracy.
        """
        return self._classified(self.val_score)

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
    def test_accuracy(self) -> float:
        """Test accuracy of the kept weights."""
        self._classified(())
        return self.test_score

    def _classified(self, curve: Curve) -> Curve:
        if self.primary != "accuracy":
            raise ConfigError(
                f"This training is scored by {self.primary}, not by accuracy: read val_score or test_score."
            )
        return curve

    # ------------------------------------------------------------------ speed of learning

    @property
    def sotl(self) -> float:
        """Sum of the training losses of all epochs: low where learning was quick.

        Ru et al., "Speedy Performance Estimation for Neural Architecture Search", 2021, arXiv 2006.04492.
        """
        return sum(self.train_loss)

    def sotl_e(self, epochs: int) -> float:
        """Sum of the training losses of the last ``epochs`` epochs (of all where there are fewer)."""
        return sum(self.train_loss[-epochs:])
