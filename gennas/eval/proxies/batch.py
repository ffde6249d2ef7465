"""The examples that proxies look at."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gennas.errors import EvaluationError
from gennas.eval.proxies.protocol import Protocol

__all__ = ["ProxyBatch", "noise_batch"]


@dataclass(frozen=True, eq=False)
class ProxyBatch:
    """Arguments of the network, labels, and the rows of the output that are labelled (None: all).

    Args:
        inputs: images ``(b, c, h, w)``, or ``x (n, f)`` and ``edge_index (2, e)``.
        labels: classes ``(b,)``.
        rows: labelled rows of the logits, ``(b,)``.
        second: another batch of the same kind, for proxies that compare gradients of batches.
    """

    inputs: tuple[Tensor, ...]
    labels: Tensor
    rows: Tensor | None = None
    second: ProxyBatch | None = None

    @property
    def is_graph(self) -> bool:
        """Whether the examples are nodes of one graph, which cannot be taken apart."""
        return len(self.inputs) > 1

    def to(self, device: torch.device, dtype: torch.dtype) -> ProxyBatch:
        """The batch on ``device``; floating inputs become ``dtype``."""
        inputs = tuple(t.to(device, dtype if t.is_floating_point() else t.dtype) for t in self.inputs)
        rows = None if self.rows is None else self.rows.to(device)
        second = None if self.second is None else self.second.to(device, dtype)
        return ProxyBatch(inputs, self.labels.to(device), rows, second)

    def example(self, count: int = 1) -> ProxyBatch:
        """The first ``count`` examples, or the whole graph."""
        if self.is_graph:
            return self
        return replace(self, inputs=(self.inputs[0][:count],), labels=self.labels[:count], second=None)

    def check(self, num_classes: int) -> None:
        """Refuse labels that are no class.

        Raises:
            EvaluationError: a label is below 0 or not below ``num_classes``, or inputs and labels differ in number.
        """
        expected = len(self.inputs[0]) if self.rows is None else len(self.rows)
        if len(self.labels) != expected:
            raise EvaluationError(f"Expected {expected} labels, one for each example, got {len(self.labels)}.")
        low, high = int(self.labels.min()), int(self.labels.max())
        if low < 0 or high >= num_classes:
            raise EvaluationError(
                f"Labels out of range: expected 0 to {num_classes - 1} for {num_classes} outputs, got {low} to {high}."
            )


def noise_batch(protocol: Protocol) -> ProxyBatch:
    """Standard normal images and uniform labels, and a second such batch.

    Raises:
        EvaluationError: the inputs are no images.

    Example:
        >>> noise_batch(Protocol(batch_size=2, input_shape=(1, 4, 4))).inputs[0].shape
        torch.Size([2, 1, 4, 4])
    """
    if len(protocol.input_shape) != 3:
        raise EvaluationError(
            f"Noise batches are images: expected an input shape (channels, height, width), got {protocol.input_shape}; "
            "take the batch from a task."
        )
    generator = torch.Generator().manual_seed(protocol.seed)
    dtype = getattr(torch, protocol.dtype)

    def draw() -> tuple[Tensor, Tensor]:
        x = torch.randn(protocol.batch_size, *protocol.input_shape, generator=generator, dtype=dtype)
        return x, torch.randint(protocol.num_classes, (protocol.batch_size,), generator=generator)

    (x, y), (x2, y2) = draw(), draw()
    return ProxyBatch((x,), y, second=ProxyBatch((x2,), y2))
