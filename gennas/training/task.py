"""Tasks: labelled data in three parts that never mix, and the recipe to train on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from gennas.errors import ConfigError, shown
from gennas.eval.base import Metric
from gennas.registry import Registry, configured
from gennas.spaces.spec import TaskSpec
from gennas.training.data import PARTS, ImageData, NodeData, TaskData, stratified_split
from gennas.training.datasets.user import (
    Labelled,
    as_images,
    as_tensor,
    check_graph,
    check_images,
    check_labels,
    count_classes,
    digest,
    stack,
)
from gennas.training.recipe import TrainConfig

__all__ = ["NODE_CONFIG", "TASKS", "Task", "make_task"]

NODE_CONFIG = TrainConfig(
    epochs=200, lr=0.01, weight_decay=0.05, warmup=0.0, schedule="constant", grad_clip=None, select="best", patience=100
)
"""Full-batch training of graph networks: the best epoch by validation is tested, as is usual for them."""


@dataclass(frozen=True)
class Task:
    """What networks are trained for.

    A network learns from the ``train`` part, is selected on ``validation``, and ``test`` is only
    reported. Data are read at the first use of :attr:`data`, once per process for the named tasks.

    Args:
        name: short name.
        spec: all that a space needs to know.
        load: returns the data; it must pickle to be used by worker processes.
        split: identity of the split, part of the protocol of every value measured on it.
        config: the recipe by default.

    Example:
        >>> task = make_task("digits")
        >>> task.spec.input_shape, [len(task.data.labels(part)) for part in ("train", "validation", "test")]
        ((1, 8, 8), [1078, 360, 359])
    """

    name: str
    spec: TaskSpec
    load: Callable[[], TaskData]
    split: str
    config: TrainConfig = field(default_factory=TrainConfig)

    @property
    def data(self) -> TaskData:
        """The data.

        Raises:
            ConfigError: the files are missing, or hold something else than :attr:`spec` says.
        """
        data = self.load()
        if data.input_shape != self.spec.input_shape:
            raise ConfigError(
                f"Task {self.name!r}: expected inputs {self.spec.input_shape}, the data have {data.input_shape}."
            )
        return data

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """What training on the task gives."""
        metrics = (
            Metric("val_accuracy", "max", "fraction", "validation accuracy of the selected weights", (0.0, 1.0)),
            Metric("test_accuracy", "max", "fraction", "test accuracy of the selected weights", (0.0, 1.0)),
            Metric("train_loss", "min", "nats", "mean training loss of the last epoch", (0.0, math.inf)),
        )
        return {metric.name: metric for metric in metrics}

    def example_inputs(self, batch: int = 1, input_shape: Sequence[int] | None = None) -> tuple[Tensor, ...]:
        """Arguments of one forward pass: ``batch`` random images, or the task's graph."""
        data = self.data if self.spec.kind == "node" else None
        if isinstance(data, NodeData):
            return data.x, data.edge_index
        shape = tuple(input_shape or self.spec.input_shape)
        return (torch.randn(batch, *shape, generator=torch.Generator().manual_seed(0)),)

    # ------------------------------------------------------------------ a user's own data

    @classmethod
    def from_tensors(
        cls,
        name: str,
        *,
        train: Labelled,
        test: Labelled,
        validation: Labelled | None = None,
        num_outputs: int | None = None,
        validation_fraction: float = 0.2,
        config: TrainConfig | None = None,
        channels_last: bool | None = None,
    ) -> Task:
        """Make a task from images ``x (n, c, h, w)`` and labels ``y (n,)``: tensors, numpy arrays or lists.

        Integers of any width are taken, and float64. What is sparse, complex or ragged is refused.

        Args:
            name: short name.
            train: images and labels to learn from.
            test: images and labels that are only reported.
            validation: images and labels to select on; without them a stratified share of the
                training part is set aside, always the same one.
            num_outputs: number of classes; by default the largest training label plus one, and every label
                below has to occur in the training part.
            validation_fraction: share of ``train`` to set aside when there is no ``validation``.
            config: the recipe.
            channels_last: images are ``(n, h, w, c)``; by default they are ``(n, c, h, w)``, and what looks
                otherwise is refused.

        Raises:
            ConfigError: shapes, numbers or labels do not fit.

        Example:
            >>> x, y = torch.randn(20, 1, 4, 4), torch.arange(20) % 2
            >>> task = Task.from_tensors("mine", train=(x, y), test=(x, y))
            >>> len(task.data.labels("train")), len(task.data.labels("validation"))
            (16, 4)
        """
        read = {
            part: _labelled(f"Task {name!r}, {part}:", pair, channels_last)
            for part, pair in zip(PARTS, (train, validation, test), strict=True)
            if pair is not None
        }
        train, validation, test = read["train"], read.get("validation"), read["test"]
        classes = count_classes(name, train[1]) if num_outputs is None else num_outputs
        split = "given"
        if validation is None:
            if not 0 < validation_fraction < 1:
                raise ConfigError(f"Expected validation_fraction in (0, 1), got {validation_fraction}.")
            check_images(name, "train", *train, classes)
            keep, held = stratified_split(train[1], (1 - validation_fraction, validation_fraction), seed=0)
            train, validation = (train[0][keep], train[1][keep]), (train[0][held], train[1][held])
            split = f"stratified {validation_fraction:g} of train for validation"
        given = dict(zip(PARTS, (train, validation, test), strict=True))
        for part, (x, y) in given.items():
            check_images(name, part, x, y, classes)
            if x.shape[1:] != train[0].shape[1:]:
                raise ConfigError(
                    f"Task {name!r}: {part} images are {tuple(x.shape[1:])}, expected {tuple(train[0].shape[1:])}."
                )
        data = ImageData.of({part: x for part, (x, _) in given.items()}, {p: y.long() for p, (_, y) in given.items()})
        spec = TaskSpec("image", data.input_shape, classes)
        identity = digest(*(t for pair in given.values() for t in pair))
        return cls(name, spec, _InMemory(data), f"{split}, data {identity}", config or TrainConfig())

    @classmethod
    def from_datasets(cls, name: str, *, train: Any, test: Any, validation: Any = None, **options: Any) -> Task:
        """Make a task from map-style datasets of ``(tensor, int)``; each example is read once.

        Random transforms of the datasets are thereby frozen; use ``TrainConfig.crop_padding`` and
        ``flip`` instead. Options are those of :meth:`from_tensors`.

        Raises:
            ConfigError: an example is not a tensor (or array) with an integer label.
        """
        parts = {"train": train, "test": test, **({} if validation is None else {"validation": validation})}
        tensors: dict[str, Any] = {part: stack(name, part, dataset) for part, dataset in parts.items()}
        return cls.from_tensors(name, **tensors, **options)

    @classmethod
    def from_graph(
        cls,
        name: str,
        *,
        x: Any,
        edge_index: Any,
        y: Any,
        train: Any,
        validation: Any,
        test: Any,
        num_outputs: int | None = None,
        config: TrainConfig | None = None,
    ) -> Task:
        """Make a task from one graph; each part is an index ``(m,)`` or a boolean mask ``(n,)`` of nodes.

        Shapes: ``x (n, f)``, ``edge_index (2, e)``, ``y (n,)``; tensors, numpy arrays or lists. Labels of nodes
        that are in no part are not looked at.

        Raises:
            ConfigError: shapes, edges or labels do not fit, or two parts share a node.
        """
        given = {"x": x, "edge_index": edge_index, "y": y, "train": train, "validation": validation, "test": test}
        read = {part: as_tensor(f"Task {name!r}, {part}:", value) for part, value in given.items()}
        for part in ("edge_index", "y", *PARTS):
            if read[part].is_floating_point() and read[part].numel():
                raise ConfigError(f"Task {name!r}: expected whole numbers in {part}, got {read[part].dtype}.")
        masks = [part for part in PARTS if read[part].dtype == torch.bool]
        wrong = [part for part in masks if read[part].shape != read["x"].shape[:1]]
        if wrong:
            raise ConfigError(
                f"Task {name!r}: expected a mask of {len(read['x'])} nodes for {wrong[0]}, "
                f"got {tuple(read[wrong[0]].shape)}."
            )
        nodes = {p: torch.nonzero(read[p]).flatten() if p in masks else read[p].long() for p in PARTS}
        data = NodeData(read["x"].float(), read["edge_index"].long(), read["y"].long(), nodes)
        check_graph(name, data)
        classes = count_classes(name, data.labels("train")) if num_outputs is None else num_outputs
        for part in PARTS:
            check_labels(f"Task {name!r}, {part}:", data.labels(part), classes)
        spec = TaskSpec("node", data.input_shape, classes)
        identity = digest(data.x, data.edge_index, data.y, *data.nodes.values())
        return cls(name, spec, _InMemory(data), f"given, data {identity}", config or NODE_CONFIG)


TASKS: Registry[Callable[..., Task]] = Registry("task", "gennas.tasks")


def make_task(name: str, **options: Any) -> Task:
    """Return the task called ``name``, or import a task or a factory from ``module:attr`` / ``file.py:attr``.

    Raises:
        UnknownNameError: nothing has that name.
        ConfigError: the factory does not take these options, its data are missing, or what was
            imported is no task.
    """
    factory: Any = TASKS.get(name)
    if isinstance(factory, Task) and not options:
        return factory
    if not callable(factory):
        raise ConfigError(
            f"Expected {shown(name)} to be a Task or a function that returns one, got {type(factory).__name__}."
        )
    task = configured(f"task {name!r}", factory, options)
    if not isinstance(task, Task):
        raise ConfigError(f"Expected {shown(name)} to return a Task, got {type(task).__name__}.")
    return task


def _labelled(where: str, pair: Labelled, channels_last: bool | None) -> tuple[Tensor, Tensor]:
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise ConfigError(f"{where} expected a pair of images and labels, got {type(pair).__name__}.")
    y = as_tensor(f"{where} labels:", pair[1])
    return as_images(where, pair[0], channels_last), y.long() if y.dtype == torch.bool else y


@dataclass(frozen=True, eq=False)
class _InMemory:
    data: TaskData

    def __call__(self) -> TaskData:
        return self.data
