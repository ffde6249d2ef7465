"""The examples that proxies look at."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gennas.errors import EvaluationError
from gennas.eval.proxies.protocol import Protocol

IGNORED = -100  # label of tokens and pixels that do not count

__all__ = ["ProxyBatch", "noise_batch"]


@dataclass(frozen=True, eq=False)
class ProxyBatch:
    """Arguments of the network, labels, and the rows of the output that are labelled (None: all).

    Args:
        inputs: what :class:`~gennas.spaces.TaskSpec` says for the kind of task: images ``(b, c, h, w)``, tokens
            ``(b, t)``, two inputs of a pair, ``x (n, f)`` and ``edge_index (2, e)``, and ``batch (n,)`` of graphs.
        labels: classes ``(b,)``, or one for each token ``(b, t)`` or pixel ``(b, h, w)``, -100 where none counts, or
            numbers ``(b, k)``.
        rows: labelled rows of the logits, ``(b,)``.
        second: another batch of the same kind, for proxies that compare gradients of batches.
    """

    inputs: tuple[Tensor, ...]
    labels: Tensor
    rows: Tensor | None = None
    second: ProxyBatch | None = None

    @property
    def is_graph(self) -> bool:
        """Whether the examples are nodes of one graph, or a union of graphs, which cannot be taken apart."""
        return len(self.inputs) > 1 and not self.inputs[1].is_floating_point()

    @property
    def is_tokens(self) -> bool:
        """Whether the inputs are tokens."""
        return not self.inputs[0].is_floating_point()

    @property
    def has_one_class(self) -> bool:
        """Whether an example has one class, and not a number or a class for each token or pixel."""
        return self.labels.ndim == 1 and not self.labels.is_floating_point()

    @property
    def examples(self) -> int:
        """Labels that the network's outputs have to go with: of images, rows of tokens, pairs, graphs or nodes."""
        if self.rows is not None:
            return len(self.rows)
        return int(self.inputs[2].max()) + 1 if len(self.inputs) == 3 else len(self.inputs[0])

    def to(self, device: torch.device, dtype: torch.dtype) -> ProxyBatch:
        """The batch on ``device``; floating inputs become ``dtype``."""
        inputs = tuple(t.to(device, dtype if t.is_floating_point() else t.dtype) for t in self.inputs)
        rows = None if self.rows is None else self.rows.to(device)
        second = None if self.second is None else self.second.to(device, dtype)
        labels = self.labels.to(device, dtype if self.labels.is_floating_point() else self.labels.dtype)
        return ProxyBatch(inputs, labels, rows, second)

    def example(self, count: int = 1) -> ProxyBatch:
        """The first ``count`` examples, or the whole graph."""
        return self if self.is_graph else self.at(slice(count))

    def at(self, which: slice) -> ProxyBatch:
        """Some of the examples, which are independent of each other."""
        inputs = tuple(t[which] for t in self.inputs)
        return replace(self, inputs=inputs, labels=self.labels[which], second=None)

    def check(self, num_classes: int) -> None:
        """Refuse labels that are no class.

        Raises:
            EvaluationError: a label is below 0 or not below ``num_classes``, or inputs and labels differ in number.
        """
        if len(self.labels) != self.examples:
            raise EvaluationError(f"Expected {self.examples} labels, one for each example, got {len(self.labels)}.")
        if self.labels.is_floating_point():
            return
        counted = self.labels[self.labels != IGNORED]
        if not counted.numel():
            raise EvaluationError("Expected labels, got none that counts in the batch.")
        low, high = int(counted.min()), int(counted.max())
        if low < 0 or high >= num_classes:
            raise EvaluationError(
                f"Labels out of range: expected 0 to {num_classes - 1} for {num_classes} outputs, got {low} to {high}."
            )


def noise_batch(protocol: Protocol) -> ProxyBatch:
    """Random inputs and uniform labels, and a second such batch.

    Inputs are standard normal, tokens uniform, graphs rings of four nodes.

    Raises:
        EvaluationError: the inputs are nodes of a graph, which the task must give.

    Example:
        >>> noise_batch(Protocol(batch_size=2, input_shape=(1, 4, 4))).inputs[0].shape
        torch.Size([2, 1, 4, 4])
    """
    spec, b = protocol.spec, protocol.batch_size
    if spec.kind == "node":
        raise EvaluationError(
            "Noise batches are of independent examples: expected an input shape (channels, height, width), or a kind, "
            f"got {protocol.input_shape}; take the batch from a task."
        )
    generator = torch.Generator().manual_seed(protocol.seed)
    dtype = getattr(torch, protocol.dtype)
    shape = list(spec.output_shape(b))
    shape.pop(-1 if spec.kind in ("language", "tagging") else 1)

    def draw(seed: int) -> tuple[tuple[Tensor, ...], Tensor]:
        if spec.kind == "image":
            inputs: tuple[Tensor, ...] = (torch.randn(b, *spec.input_shape, generator=generator, dtype=dtype),)
        else:
            inputs = spec.random_inputs(b, seed)
            inputs = tuple(t.to(dtype) if t.is_floating_point() else t for t in inputs)
        return inputs, torch.randint(spec.num_outputs, shape, generator=generator)

    (x, y), (x2, y2) = draw(protocol.seed), draw(protocol.seed + 2**31)
    return ProxyBatch(x, y, second=ProxyBatch(x2, y2))
