"""Applying a fidelity: fewer examples, smaller images, shorter texts, narrower and shallower networks."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TypeVar

from gennas.errors import ConfigError
from gennas.eval.base import Fidelity
from gennas.spaces.base import Space
from gennas.spaces.spec import TOKEN_KINDS, TaskSpec
from gennas.training.data import TaskData, scaled_size
from gennas.training.data.base import refuse_fidelity

AnyData = TypeVar("AnyData", bound=TaskData)

__all__ = ["apply_fidelity", "scale_space", "scale_spec"]


def apply_fidelity(data: AnyData, fidelity: Fidelity, seed: int) -> AnyData:
    """Return the data at a fidelity; validation and test keep all their examples.

    ``data_fraction`` keeps a share of the training part, stratified with at least one example of each class where
    examples have one, or a piece of a corpus. It depends on ``seed`` alone, and a smaller share is part of a larger
    one. ``resolution`` resizes the images of all parts with antialiasing, ``context`` shortens rows of tokens.

    Raises:
        ConfigError: a resolution is asked of a task without images, or a context of one without tokens.
    """
    if fidelity.data_fraction < 1:
        data = data.share(fidelity.data_fraction, seed)
    if fidelity.context < 1:
        data = data.shortened(fidelity.context)
    return data if fidelity.resolution == 1 else data.resized(fidelity.resolution)


def scale_spec(spec: TaskSpec, fidelity: Fidelity) -> TaskSpec:
    """What networks must fit at a fidelity: images shrink to ``resolution``, tokens to ``context`` times their size.

    Raises:
        ConfigError: a resolution is asked of a task without images, or a context of one without tokens.

    Example:
        >>> scale_spec(TaskSpec("image", (3, 32, 32), 10), Fidelity(resolution=0.5)).input_shape
        (3, 16, 16)
        >>> scale_spec(TaskSpec("language", (64,), 96, vocabulary=96), Fidelity(context=0.5)).input_shape
        (32,)
    """
    if fidelity.context < 1:
        if spec.kind not in TOKEN_KINDS:
            refuse_fidelity("context")
        spec = replace(spec, input_shape=(scaled_size(spec.input_shape[0], fidelity.context),))
    if fidelity.resolution == 1:
        return spec
    if spec.kind not in ("image", "segmentation"):
        refuse_fidelity("resolution")
    channels, *size = spec.input_shape
    return replace(spec, input_shape=(channels, *(scaled_size(s, fidelity.resolution) for s in size)))


def scale_space(space: Space, width: float = 1.0, depth: float = 1.0) -> Space:
    """Return ``space`` with ``width`` times the channels and ``depth`` times the cells or layers in its networks.

    Raises:
        ConfigError: a factor is not positive, or the space does not override ``scaled(width, depth)``.

    Example:
        >>> from gennas.spaces.nasbench201.space import NASBench201
        >>> scale_space(NASBench201(num_cells=5), depth=0.4).num_cells
        2
    """
    if not (0 < width < math.inf and 0 < depth < math.inf):
        raise ConfigError(f"Expected positive factors of width and depth, got width={width} and depth={depth}.")
    return space if width == depth == 1 else space.scaled(width, depth)
