"""Tasks: labelled data in three parts that never mix, and the recipe to train on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from gennas.errors import ConfigError, shown
from gennas.eval.base import Metric
from gennas.registry import Registry, configured
from gennas.spaces.spec import TaskSpec
from gennas.training.data import TaskData
from gennas.training.datasets.user import Labelled, stack
from gennas.training.given import (
    Given,
    read_graph,
    read_graphs,
    read_images,
    read_masks,
    read_pairs,
    read_sequences,
    read_tokens,
)
from gennas.training.kinds import MakeScore, Targets, score_class, scores_of
from gennas.training.recipe import TrainConfig
from gennas.training.scores import Score
from gennas.training.vocabulary import Vocabulary

__all__ = ["NODE_CONFIG", "TASKS", "TOKEN_CONFIG", "Task", "make_task"]

NODE_CONFIG = TrainConfig(
    epochs=200, lr=0.01, weight_decay=0.05, warmup=0.0, schedule="constant", grad_clip=None, select="best", patience=100
)
"""Full-batch training of graph networks: the best epoch by validation is tested, as is usual for them."""
TOKEN_CONFIG = TrainConfig(epochs=8, batch_size=32, lr=5e-3, eval_batch_size=64)
"""Training of networks on tokens."""


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
        targets: whether labels are classes, or numbers as in a regression.
        scores: make what networks are scored by, the primary first; by default those of the kind
            (:mod:`gennas.training.kinds`).
        vocabulary: which token stands for which text, where tokens were read from text.

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
    targets: Targets = "classes"
    scores: tuple[MakeScore, ...] = ()
    vocabulary: Vocabulary | None = None

    def __post_init__(self) -> None:
        if not self.scores:
            object.__setattr__(self, "scores", scores_of(self.spec.kind, self.targets))

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
    def score_classes(self) -> tuple[type[Score], ...]:
        """Classes of the scores, the primary first."""
        return tuple(score_class(make) for make in self.scores)

    @property
    def primary(self) -> Metric:
        """The metric that weights are selected by, and searches are for unless they say otherwise."""
        return self.score_classes[0].metric("val")

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """What training on the task gives: ``val_<score>`` and ``test_<score>``, and the training loss."""
        found = [score.metric(part) for score in self.score_classes for part in ("val", "test")]
        unit = "nats" if self.targets == "classes" else ""
        found.append(Metric("train_loss", "min", unit, "mean training loss of the last epoch", (0.0, math.inf)))
        return {metric.name: metric for metric in found}

    def example_inputs(self, batch: int = 1, input_shape: Sequence[int] | None = None) -> tuple[Tensor, ...]:
        """Arguments of one forward pass: ``batch`` random images or rows of tokens, or graphs of the task's data."""
        if self.spec.kind in ("node", "graph"):
            return next(self.data.batches("train", batch)).inputs
        return replace(self.spec, input_shape=tuple(input_shape or self.spec.input_shape)).random_inputs(batch)

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
        targets: Targets = "classes",
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
            targets: ``numbers`` for a regression: labels are numbers ``(n,)`` or ``(n, k)``, which networks learn in
                units of their mean and deviation in the training part.

        Raises:
            ConfigError: shapes, numbers or labels do not fit.

        Example:
            >>> import torch
            >>> x, y = torch.randn(20, 1, 4, 4), torch.arange(20) % 2
            >>> task = Task.from_tensors("mine", train=(x, y), test=(x, y))
            >>> len(task.data.labels("train")), len(task.data.labels("validation"))
            (16, 4)
        """
        given = read_images(name, train, validation, test, num_outputs, validation_fraction, channels_last, targets)
        return cls.of(name, given, config or TrainConfig())

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
    def from_masks(
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
        """Make a task from images ``(n, c, h, w)`` and masks ``(n, h, w)`` of classes, 255 where there is none.

        Arguments are those of :meth:`from_tensors`.

        Raises:
            ConfigError: shapes, numbers or classes do not fit, or a mask has no labelled pixel.
        """
        given = read_masks(name, train, validation, test, num_outputs, validation_fraction, channels_last)
        return cls.of(name, given, config or TrainConfig())

    @classmethod
    def from_pairs(
        cls,
        name: str,
        *,
        train: Any,
        test: Any,
        validation: Any = None,
        num_outputs: int | None = None,
        validation_fraction: float = 0.2,
        config: TrainConfig | None = None,
    ) -> Task:
        """Make a task from triples ``(first (n, ...), second (n, ...), labels (n,))``.

        Arguments are those of :meth:`from_tensors`.

        Raises:
            ConfigError: shapes, numbers or labels do not fit.
        """
        given = read_pairs(name, train, validation, test, num_outputs, validation_fraction)
        return cls.of(name, given, config or TrainConfig())

    @classmethod
    def from_tokens(
        cls,
        name: str,
        *,
        train: Any,
        test: Any,
        validation: Any = None,
        context: int = 64,
        vocabulary: int | Vocabulary | None = None,
        validation_fraction: float = 0.1,
        windows: int | None = None,
        eval_windows: int | None = None,
        config: TrainConfig | None = None,
    ) -> Task:
        """Make a language model's task from a corpus: text (its characters), or whole numbers ``(n,)``.

        Args:
            name: short name.
            train: what is learnt from.
            test: what is only reported.
            validation: what is selected on; by default the end of ``train``.
            context: tokens that the network sees at a time.
            vocabulary: how many different tokens, or which; by default all of the training part. Characters that are
                not among them are token 0, numbers beyond are refused.
            validation_fraction: share of ``train`` to set aside when there is no ``validation``.
            windows: training windows of one epoch, by default as many as fit side by side.
            eval_windows: validation and test windows, evenly spread, by default all that fit side by side.
            config: the recipe.

        Raises:
            ConfigError: an empty corpus, a context longer than it, or an unknown token.

        Example:
            >>> task = Task.from_tokens("mine", train="to be or not to be " * 9, test="that is the question", context=8)
            >>> task.spec.vocabulary, task.primary.name, task.vocabulary.encode("bot").tolist()
            (8, 'val_loss', [4, 2, 3])
        """
        given = read_tokens(
            name, train, validation, test, context, vocabulary, validation_fraction, windows, eval_windows
        )
        return cls.of(name, given, config or TOKEN_CONFIG)

    @classmethod
    def from_sequences(
        cls,
        name: str,
        *,
        train: Labelled,
        test: Labelled,
        validation: Labelled | None = None,
        length: int | None = None,
        vocabulary: int | Vocabulary | None = None,
        num_outputs: int | None = None,
        validation_fraction: float = 0.2,
        config: TrainConfig | None = None,
    ) -> Task:
        """Make a task from rows of tokens with one label each (``text``), or one label per token (``tagging``).

        A row is a text (its characters), a list of words, or whole numbers. Labels are whole numbers or names; named
        tags are scored by their spans (``O``, ``B-PER``, ``I-PER``, …), and tags of -100 do not count.

        Args:
            name: short name.
            train: rows and labels to learn from.
            test: rows and labels that are only reported.
            validation: rows and labels to select on; by default a share of ``train``.
            length: tokens of a row, longer ones lose their end; by default the longest of the training part.
            vocabulary: how many different tokens, or which; by default all of the training part.
            num_outputs: number of classes.
            validation_fraction: share of ``train`` to set aside when there is no ``validation``.
            config: the recipe.

        Raises:
            ConfigError: no rows or tokens, an unknown token or label, or a class without examples.

        Example:
            >>> rows, labels = ["spam spam", "ham", "spam", "ham ham"] * 3, ["bad", "good"] * 6
            >>> task = Task.from_sequences("mail", train=(rows, labels), test=(rows, labels))
            >>> task.spec.kind, task.spec.input_shape, task.spec.num_outputs
            ('text', (9,), 2)
        """
        given = read_sequences(name, train, validation, test, length, vocabulary, num_outputs, validation_fraction)
        return cls.of(name, given, config or TOKEN_CONFIG)

    @classmethod
    def from_graphs(
        cls,
        name: str,
        *,
        train: Any,
        test: Any,
        validation: Any = None,
        num_outputs: int | None = None,
        validation_fraction: float = 0.2,
        config: TrainConfig | None = None,
    ) -> Task:
        """Make a task from graphs ``(x (n, f), edge_index (2, e), label)`` or ``torch_geometric.data.Data``.

        A graph may have no edges. Arguments are those of :meth:`from_tensors`.

        Raises:
            ConfigError: shapes, edges or labels do not fit.
        """
        given = read_graphs(name, train, validation, test, num_outputs, validation_fraction)
        return cls.of(name, given, config or TrainConfig())

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
        given = read_graph(name, x, edge_index, y, train, validation, test, num_outputs)
        return cls.of(name, given, config or NODE_CONFIG)

    @classmethod
    def of(cls, name: str, given: Given, config: TrainConfig) -> Task:
        """A task of data that were read and checked."""
        load = _InMemory(given.data)
        return cls(
            name, given.spec, load, given.split, config, given.targets, given.scores, vocabulary=given.vocabulary
        )


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
    task = configured(f"task {shown(name)}", factory, options)
    if not isinstance(task, Task):
        raise ConfigError(f"Expected {shown(name)} to return a Task, got {type(task).__name__}.")
    return task


@dataclass(frozen=True, eq=False)
class _InMemory:
    data: TaskData

    def __call__(self) -> TaskData:
        return self.data
