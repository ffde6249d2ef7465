"""What becomes of data that a user brings, and the share of them that is set aside for validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from gennas.errors import ConfigError
from gennas.spaces.spec import TaskSpec
from gennas.training.data import PARTS, Part, TaskData, stratified_split
from gennas.training.kinds import MakeScore, Targets
from gennas.training.vocabulary import Vocabulary

__all__ = ["Given", "held_out", "in_parts", "kept_and_held", "numbers"]

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Given:
    """All of a task but its name and its recipe.

    Args:
        spec: what networks must fit.
        data: the three parts.
        split: identity of the split and of the data.
        targets: what labels are.
        scores: other ones than those of the kind.
        vocabulary: of tokens that were given as text.
    """

    spec: TaskSpec
    data: TaskData
    split: str
    targets: Targets = "classes"
    scores: tuple[MakeScore, ...] = ()
    vocabulary: Vocabulary | None = None


def in_parts(where: str, train: Any, validation: Any, test: Any, read: Callable[[str, Any], T]) -> dict[Part, T]:
    """What ``read`` makes of every part that is given, told where it is."""
    given = dict(zip(PARTS, (train, validation, test), strict=True))
    return {part: read(f"{where}, {part}:", value) for part, value in given.items() if value is not None}


def held_out(given: Mapping[Part, Any], fraction: float) -> str:
    """Identity of the split.

    Raises:
        ConfigError: no validation part is given and the share of the training part is not in (0, 1).
    """
    if "validation" in given:
        return "given"
    if not 0 < fraction < 1:
        raise ConfigError(f"Expected validation_fraction in (0, 1), got {fraction}.")
    return f"stratified {fraction:g} of train for validation"


def kept_and_held(y: Tensor, fraction: float) -> tuple[Tensor, Tensor]:
    """Indices of the training and the validation examples of a training part, always the same ones.

    They are stratified where an example has one class.
    """
    classes = y if y.ndim == 1 and not y.is_floating_point() else torch.zeros(len(y), dtype=torch.long)
    keep, held = stratified_split(classes, (1 - fraction, fraction), seed=0)
    return keep, held


def numbers(where: str, parts: Mapping[Part, Tensor]) -> dict[Part, Tensor]:
    """Targets ``(n,)`` or ``(n, k)`` as ``(n, k)``, with mean 0 and deviation 1 in the training part.

    Raises:
        ConfigError: they are not finite, or the training part has one value only.
    """
    wide = {part: y.double().view(len(y), -1) for part, y in parts.items()}
    for part, y in wide.items():
        if not y.isfinite().all():
            raise ConfigError(f"{where}, {part}: targets hold NaN or infinite values.")
        if y.shape[1] != wide["train"].shape[1]:
            raise ConfigError(
                f"{where}, {part}: expected {wide['train'].shape[1]} numbers per example, got {y.shape[1]}."
            )
    mean, std = wide["train"].mean(0), wide["train"].std(0, correction=0)
    if not (std > 0).all():
        raise ConfigError(f"{where}: expected training targets that differ, got one value for all examples.")
    return {part: ((y - mean) / std).float() for part, y in wide.items()}
