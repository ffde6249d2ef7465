"""A differentiable search of vision transformers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from gennas.training.supernet.methods.base import METHODS
from gennas.training.supernet.methods.darts import DARTS

__all__ = ["DASViT"]


@METHODS.register("dasvit")
class DASViT(DARTS):
    """The mixture of DARTS over the mixers and connections of transformer blocks; first order.

    *Ours, after* Wu, Neri and Feng, "DASViT: Differentiable Architecture Search for Vision Transformer", IJCNN 2025,
    arXiv 2507.13079, of which only the idea could be read: a DARTS of transformer encoders. What differs from
    :class:`~gennas.training.supernet.methods.darts.DARTS` is the parameters' learning rate, ten times as high,
    because transformers are searched in fewer steps. Its space is :class:`gennas.spaces.dasvit.DASViT`.

    Args:
        space: whose decisions are relaxed.
        spec: of the task.
    """

    adam: ClassVar[Mapping[str, Any]] = {"lr": 3e-3, "betas": (0.5, 0.999), "weight_decay": 1e-3}
