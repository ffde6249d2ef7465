"""What every kind of labelled data does: three parts kept apart, batches, and lower fidelities."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, NoReturn, Protocol, Self

import torch
from torch import Tensor

from gennas.errors import ConfigError
from gennas.training.augment import Augmentation
from gennas.training.data.split import stratified_share

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
else:
    DataclassInstance = object

__all__ = ["IGNORED", "PARTS", "Batch", "Examples", "Moving", "Part", "TaskData", "refuse_fidelity"]

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")
IGNORED = -100
"""Label of a token or pixel that counts neither in the loss nor in a score."""


class Batch(NamedTuple):
    """Arguments of the network, the rows of its output that are labelled (None: all), their labels."""

    inputs: tuple[Tensor, ...]
    rows: Tensor | None
    y: Tensor

    @property
    def examples(self) -> int:
        """How many images, graph nodes, graphs, rows of tokens or pairs the network sees."""
        return len(self.y if self.rows is None else self.inputs[0])


class TaskData(Protocol):
    """Labelled data in memory, in three parts."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example, as in :class:`~gennas.spaces.TaskSpec`."""

    def labels(self, part: Part) -> Tensor:
        """Labels of a part, the first dimension is that of the examples."""

    def num_batches(self, part: Part, batch_size: int) -> int:
        """Steps of one pass over a part."""

    def batches(
        self,
        part: Part,
        batch_size: int,
        generator: torch.Generator | None = None,
        augmentation: Augmentation | None = None,
    ) -> Iterator[Batch]:
        """Batches of a part: always the same, or drawn (and augmented) with a CPU ``generator``."""

    def choose(self, part: Part, index: Tensor) -> Self:
        """Keep only the examples of a part at ``index``; the other parts stay whole."""

    def take(self, index: Tensor) -> Self:
        """Keep only the training examples at ``index``."""

    def share(self, fraction: float, seed: int) -> Self:
        """Keep a share of the training part; for one ``seed`` a smaller share is part of a larger one."""

    def resized(self, scale: float) -> Self:
        """Images at ``scale`` times their height and width.

        Raises:
            ConfigError: these data are no images.
        """

    def shortened(self, scale: float) -> Self:
        """Tokens at ``scale`` times their length.

        Raises:
            ConfigError: these data are no tokens.
        """

    def to(self, device: torch.device) -> Self:
        """The same data on ``device``."""


class Moving(DataclassInstance):
    """A dataclass of tensors, and of mappings of parts to tensors, that moves between devices."""

    def to(self, device: torch.device) -> Self:
        """The same data on ``device``."""
        return replace(self, **{f.name: _moved(getattr(self, f.name), device) for f in fields(self)})

    def resized(self, scale: float) -> Self:
        """Refuse: these are no images.

        Raises:
            ConfigError: always.
        """
        refuse_fidelity("resolution")

    def shortened(self, scale: float) -> Self:
        """Refuse: these are no tokens.

        Raises:
            ConfigError: always.
        """
        refuse_fidelity("context")


class Examples(Moving):
    """Data whose parts are lists of independent examples; a subclass says what a batch of them is.

    Attributes:
        y: labels of every part, ``(n,)`` classes, ``(n, k)`` numbers, or one label for each token or pixel.
        indexed: names of the fields that hold one entry per example, by part.
    """

    y: Mapping[Part, Tensor]
    indexed: ClassVar[tuple[str, ...]] = ("x", "y")

    def batch(
        self, part: Part, index: Tensor, generator: torch.Generator | None, augmentation: Augmentation | None
    ) -> Batch:
        """The examples of a part at ``index``, on the device of the data."""
        raise NotImplementedError(f"{type(self).__name__} must override batch.")

    def labels(self, part: Part) -> Tensor:
        """Labels of a part."""
        return self.y[part]

    def num_batches(self, part: Part, batch_size: int) -> int:
        """Steps of one pass over a part."""
        return max(1, math.ceil(len(self.y[part]) / batch_size))

    def choose(self, part: Part, index: Tensor) -> Self:
        """Keep only the examples of a part at ``index``; the other parts stay whole."""
        found: dict[str, Any] = {name: getattr(self, name) for name in self.indexed}
        index = index.to(self.y[part].device)
        return replace(self, **{name: {**value, part: value[part][index]} for name, value in found.items()})

    def take(self, index: Tensor) -> Self:
        """Keep only the training examples at ``index``; the other parts stay whole."""
        return self.choose("train", index)

    def share(self, fraction: float, seed: int) -> Self:
        """Keep a share of the training examples, stratified where each has one class; at least one of each."""
        y = self.y["train"]
        classes = y if y.ndim == 1 and not y.is_floating_point() else torch.zeros(len(y), dtype=torch.long)
        return self.take(stratified_share(classes, fraction, seed))

    def batches(
        self,
        part: Part,
        batch_size: int,
        generator: torch.Generator | None = None,
        augmentation: Augmentation | None = None,
    ) -> Iterator[Batch]:
        """Batches of a part: in order, or shuffled (and augmented) when a CPU ``generator`` is given.

        A shuffled pass leaves out a last batch of a single example, which batch normalisation
        cannot take.
        """
        y = self.y[part]
        order = torch.arange(len(y)) if generator is None else torch.randperm(len(y), generator=generator)
        for index in torch.split(order.to(y.device), batch_size):
            if generator is None or len(index) > 1 or min(batch_size, len(y)) == 1:
                yield self.batch(part, index, generator, augmentation)


def refuse_fidelity(name: Literal["resolution", "context"]) -> NoReturn:
    """Refuse a fidelity that data do not have.

    Raises:
        ConfigError: always.
    """
    if name == "resolution":
        raise ConfigError("This task has no resolution, as its inputs are no images; leave fidelity.resolution at 1.")
    raise ConfigError("This task has no context, as its inputs are no tokens; leave fidelity.context at 1.")


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, Mapping):
        return {key: _moved(tensor, device) for key, tensor in value.items()}
    if isinstance(value, tuple):
        return tuple(_moved(item, device) for item in value)
    return value.to(device) if isinstance(value, Tensor) else value
