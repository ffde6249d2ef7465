"""What a score is: how good the outputs of a network are on a part of the data, batch by batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from gennas.eval.base import Direction, Metric

__all__ = ["Score"]


class Score(ABC):
    """Collects what a network says of the batches of one part, and is one number in the end.

    A subclass gives the attributes and both methods; it is made anew for every part. A task has several
    (``Task.scores``): each becomes the metrics ``val_<name>`` and ``test_<name>``, and by the first one, the task's
    *primary* score, weights are selected and searches are decided.

    Attributes:
        name: of the metrics, after ``val_`` and ``test_``.
        direction: which way is better.
        unit: of the value.
        description: what it is.
        bounds: least and greatest value.
    """

    name: ClassVar[str]
    direction: ClassVar[Direction] = "max"
    unit: ClassVar[str] = "fraction"
    description: ClassVar[str]
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    @abstractmethod
    def update(self, logits: Tensor, y: Tensor) -> None:
        """Take in a batch.

        Args:
            logits: the classes stand in the last dimension, whatever the kind of task: ``(b, k)``, ``(b, T, k)`` of
                tokens, ``(b, h, w, k)`` of pixels; single precision, on the device of the training.
            y: labels of the shape of ``logits`` without its last dimension, those that do not count ``IGNORED``
                (-100); numbers ``(b, k)`` of a regression.
        """

    @abstractmethod
    def value(self) -> float:
        """The score of all batches so far; at least one label was counted."""

    @classmethod
    def metric(cls, part: str) -> Metric:
        """The metric ``<part>_<name>``; ``part`` is ``val`` or ``test``."""
        whole = {"val": "validation", "test": "test"}[part]
        about = f"{whole} {cls.description} of the selected weights"
        return Metric(f"{part}_{cls.name}", cls.direction, cls.unit, about, cls.bounds)
