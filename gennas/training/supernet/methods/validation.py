"""Batches of the validation part without end, for architecture parameters to learn from."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import torch

from gennas.training.data import Batch, TaskData

__all__ = ["ValidationBatches"]


class ValidationBatches:
    """Shuffled passes over the validation part, one after the other; the n-th batch depends on seed and n alone.

    Args:
        data: of the task.
        batch_size: examples of a batch.
        seed: of the order.
    """

    def __init__(self, data: TaskData, batch_size: int, seed: int = 0) -> None:
        self.data, self.batch_size, self.seed = data, batch_size, seed
        self.passes = self.position = 0
        self._batches: Iterator[Batch] | None = None

    def __next__(self) -> Batch:
        """The next batch."""
        if self._batches is None:
            self._batches = islice(self._pass(), self.position, None)
        batch = next(self._batches, None)
        if batch is None:
            self.passes, self.position = self.passes + 1, 0
            self._batches = self._pass()
            batch = next(self._batches)
        self.position += 1
        return batch

    def seek(self, passes: int, position: int) -> None:
        """Go on after ``position`` batches of pass ``passes``."""
        self.passes, self.position, self._batches = passes, position, None

    def _pass(self) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + self.passes) % 2**63)
        return iter(self.data.batches("validation", self.batch_size, generator))
