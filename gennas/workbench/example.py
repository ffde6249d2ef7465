"""Networks of a space where no task is named: for the first shape of a well-known task that it can build."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gennas.errors import ConfigError, TaskKindError
from gennas.graph import Architecture
from gennas.spaces import Space, TaskSpec

if TYPE_CHECKING:
    from torch import nn

__all__ = ["EXAMPLES", "build_example", "describe"]

EXAMPLES = (
    TaskSpec("image", (3, 32, 32), 10),  # CIFAR-10
    TaskSpec("image", (3, 224, 224), 1000),  # ImageNet
    TaskSpec("node", (1433,), 7),  # Cora
    TaskSpec("graph", (7,), 2),  # MUTAG
    TaskSpec("language", (64,), 96, vocabulary=96),  # stdlib
    TaskSpec("text", (96,), 8, vocabulary=96),
    TaskSpec("tagging", (64,), 7, vocabulary=96),
    TaskSpec("segmentation", (3, 32, 32), 4),
    TaskSpec("pair", (1, 8, 3), 10, second_shape=(1, 3, 8)),
)
"""Shapes that are tried in turn, one or two of each kind."""


def build_example(space: Space, archs: Sequence[Architecture]) -> tuple[TaskSpec, list[nn.Module]]:
    """Networks of architectures for the first of :data:`EXAMPLES` that the space builds.

    Raises:
        ConfigError: it builds none of them; the first error that is not about the kind of task, if there is one.
    """
    errors = []
    for spec in EXAMPLES:
        try:
            return spec, [space.build(arch, spec) for arch in archs]
        except ConfigError as error:
            errors.append(error)
    raise next((error for error in errors if not isinstance(error, TaskKindError)), errors[0])


def describe(spec: TaskSpec) -> str:
    """Inputs and outputs in words.

    Example:
        >>> describe(EXAMPLES[0]), describe(EXAMPLES[4])
        ('3×32×32 inputs, 10 classes', '64 tokens of 96, 96 classes')
    """
    shape = "×".join(map(str, spec.input_shape))
    if spec.vocabulary:
        return f"{shape} tokens of {spec.vocabulary}, {spec.num_outputs} classes"
    second = f" and {'×'.join(map(str, spec.second_shape))}" if spec.second_shape else ""
    return f"{shape}{second} inputs, {spec.num_outputs} classes"
