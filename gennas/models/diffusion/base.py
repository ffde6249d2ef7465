"""What every denoiser of architectures is: clean labels from corrupted ones, time and conditions."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self, cast

import numpy as np
import torch
from diffusers import ConfigMixin, ModelMixin
from torch import Tensor

from gennas.graph import GraphSchema
from gennas.models.schema import schema_to_config
from gennas.models.weights import blocks, copy_weights

__all__ = ["FREQUENCIES", "Denoiser", "Mixer"]

Mixer = Callable[[Tensor, Tensor], Tensor]
"""Mixes slots: from keys and values ``(b, d, dim)`` to what each slot takes from the others, ``(b, d, dim)``."""

FREQUENCIES = 6


class Denoiser(ModelMixin, ConfigMixin):  # type: ignore[misc]
    r"""Predicts the clean labels of an architecture from corrupted ones, :math:`p_\theta(x_0 \mid x_t, t, c)`.

    Shapes: ``x (b, d)`` labels, ``L`` standing for the absorbing state; ``time (b,)`` in [0, 1];
    ``conditions (b, c)`` in [0, 1], NaN where unknown or dropped; logits ``(b, d, L)``, minus
    infinity where the schema does not allow a label.

    Attributes:
        schema: of the architectures.
        num_conditions: ``c``.
        timed: whether it sees the time.
        mask: labels that each slot allows, ``(d, L)``.
        batch_size: architectures per training step that suit it.
        lr: learning rate that suits it.
    """

    schema: GraphSchema
    num_conditions: int
    timed: bool
    mask: Tensor
    frequencies: Tensor
    batch_size: ClassVar[int]
    lr: ClassVar[float]
    _inputs: ClassVar[str]  # name of the weights that the waves of time and conditions are multiplied by

    @abstractmethod
    def forward(
        self, x: Tensor, time: Tensor, conditions: Tensor | None = None, mixers: Sequence[Mixer] | None = None
    ) -> Tensor:
        """Logits of the clean labels, ``(b, d, L)``; ``mixers`` are those of :meth:`mixers`, where they are known."""

    def mixers(self) -> list[Mixer]:
        """What depends on the weights alone, and may serve many calls."""
        return []

    @classmethod
    def for_schema(cls, schema: GraphSchema, num_conditions: int = 0, **settings: Any) -> Self:
        """A new denoiser for a schema; ``settings`` are those of the class."""
        made = cast(Callable[..., Self], cls)
        return made(schema_to_config(schema), num_conditions, **settings)

    def adopt(self, other: Denoiser, kept: Sequence[int | None]) -> None:
        """Take the weights of a model of other conditions; condition ``i`` was its ``kept[i]``, None: it is new.

        A condition that is new changes nothing as long as it is unknown; one that goes counts as unknown.

        Raises:
            CheckpointError: the models differ in more than their conditions.
        """
        time = np.arange(2 * FREQUENCIES * self.timed)
        waves, flags = blocks(kept, 2 * FREQUENCIES), blocks(kept)
        before = len(time) + 2 * FREQUENCIES * other.num_conditions
        moved = (np.where(part < 0, -1, part + offset) for part, offset in ((waves, len(time)), (flags, before)))
        inputs = np.concatenate([time, *moved]) if self.timed or kept else np.array([-1])
        copy_weights(self, other, {self._inputs: (1, inputs)})

    def _register_frequencies(self, persistent: bool) -> int:
        """Note the waves' frequencies, up to one and a half turns, and return the width of :meth:`_features`."""
        frequencies = math.pi / 2 * torch.arange(1, FREQUENCIES + 1)
        self.register_buffer("frequencies", frequencies, persistent=persistent)
        return max(1, 2 * FREQUENCIES * (self.timed + self.num_conditions) + self.num_conditions)

    def _features(self, time: Tensor, conditions: Tensor | None) -> Tensor:
        """Waves of the time and of each known condition, and which are known, ``(b, inputs)``."""
        if conditions is None:
            conditions = torch.full((len(time), self.num_conditions), math.nan, device=time.device)
        values = torch.cat([time.unsqueeze(1), conditions], 1) if self.timed else conditions
        if not values.shape[1]:
            return torch.zeros(len(time), 1, device=time.device)
        known = ~values.isnan()
        angles = values.nan_to_num().unsqueeze(-1) * self.frequencies
        waves = torch.cat([angles.sin(), angles.cos()], -1) * known.unsqueeze(-1)
        return torch.cat([waves.flatten(1), known[:, int(self.timed) :].float()], 1)
