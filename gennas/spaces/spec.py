"""What a space knows of a task: its kind, the shapes of its inputs and the number of its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from gennas.errors import TaskKindError, shown

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["KINDS", "TOKEN_KINDS", "Kind", "TaskSpec"]

Kind = Literal["image", "node", "graph", "language", "tagging", "text", "segmentation", "pair"]
KINDS: tuple[Kind, ...] = get_args(Kind)
TOKEN_KINDS: tuple[Kind, ...] = ("language", "tagging", "text")
"""Kinds whose inputs are tokens ``(b, length)``."""

_CLASSIFIES: Mapping[Kind, str] = {
    "image": "images",
    "node": "graph nodes",
    "graph": "graphs",
    "language": "next tokens",
    "tagging": "tokens",
    "text": "texts",
    "segmentation": "pixels",
    "pair": "pairs of inputs",
}


@dataclass(frozen=True)
class TaskSpec:
    """All that a space knows of a task.

    ============== ============================= ============== ==============
    kind           ``input_shape``               module's input module's output
    ============== ============================= ============== ==============
    image          ``(channels, height, width)`` (b, c, h, w)   (b, k)
    node           ``(features,)``               x (n, f), edge_index (2, e)   (n, k)
    graph          ``(features,)``               x (n, f), edge_index (2, e), batch (n,)   (g, k)
    language       ``(length,)``                 tokens (b, t)  (b, t, k)
    tagging        ``(length,)``                 tokens (b, t)  (b, t, k)
    text           ``(length,)``                 tokens (b, t)  (b, k)
    segmentation   ``(channels, height, width)`` (b, c, h, w)   (b, k, h, w)
    pair           the first input's, any        (b, ...), (b, *second_shape)   (b, k)
    ============== ============================= ============== ==============

    Args:
        kind: what is predicted from what.
        input_shape: shape of one example, by kind; the length of tokens is the longest that occurs.
        num_outputs: ``k``: classes, tokens of the vocabulary for ``language``, numbers for a regression.
        vocabulary: different tokens, for ``language``, ``tagging`` and ``text``.
        second_shape: shape of the second input of a ``pair``.
    """

    kind: Kind
    input_shape: tuple[int, ...]
    num_outputs: int
    vocabulary: int = 0
    second_shape: tuple[int, ...] = ()

    def require(self, space: str, *kinds: Kind) -> None:
        """Refuse a task of another kind than ``space`` has networks for, or with inputs of another shape.

        Raises:
            TaskKindError: it is another kind, or its shape is not that of its kind.

        Example:
            >>> TaskSpec("node", (1433,), 7).require("my-space", "node", "graph")
        """
        if self.kind in kinds and self._has_its_shape:
            return
        named = " or ".join(f"{shown(kind)} and {_SHAPES[kind]}" for kind in kinds)
        words = " or ".join(_CLASSIFIES[kind] for kind in kinds)
        vocabulary = f", vocabulary {self.vocabulary}" if self.kind in TOKEN_KINDS else ""
        raise TaskKindError(
            f"{space} has networks for {words} only: expected kind {named}, got {shown(self.kind)} and "
            f"{self.input_shape}{vocabulary}; choose such a task or another space."
        )

    @property
    def _has_its_shape(self) -> bool:
        if self.kind in TOKEN_KINDS:
            return len(self.input_shape) == 1 and self.vocabulary > 0
        if self.kind == "pair":
            return bool(self.input_shape and self.second_shape)
        return len(self.input_shape) == (3 if self.kind in ("image", "segmentation") else 1)

    def image_channels(self, space: str) -> int:
        """Channels of the input images.

        Raises:
            TaskKindError: the task is not image classification, which is all that ``space`` can build.
        """
        self.require(space, "image")
        return self.input_shape[0]

    def output_shape(self, examples: int) -> tuple[int, ...]:
        """Shape of a module's output for ``examples`` images, nodes, graphs, rows of tokens or pairs.

        Example:
            >>> TaskSpec("segmentation", (3, 32, 32), 4).output_shape(2)
            (2, 4, 32, 32)
        """
        if self.kind in ("language", "tagging"):
            return (examples, *self.input_shape, self.num_outputs)
        places = self.input_shape[1:] if self.kind == "segmentation" else ()
        return (examples, self.num_outputs, *places)

    def random_inputs(self, examples: int = 2, seed: int = 0) -> tuple[Tensor, ...]:
        """Arguments of one forward pass: standard normal numbers, tokens drawn uniformly, rings of four nodes.

        Example:
            >>> [tuple(x.shape) for x in TaskSpec("graph", (5,), 3).random_inputs(2)]
            [(8, 5), (2, 16), (8,)]
        """
        import torch

        generator = torch.Generator().manual_seed(seed)
        if self.kind in TOKEN_KINDS:
            return (torch.randint(self.vocabulary, (examples, *self.input_shape), generator=generator),)
        if self.kind in ("node", "graph"):
            n = 4 * examples if self.kind == "graph" else max(examples, 2)
            nodes = torch.arange(n)
            after = nodes - nodes % 4 + (nodes + 1) % 4 if self.kind == "graph" else (nodes + 1) % n
            ring = torch.stack([nodes, after])
            x, edge_index = torch.randn(n, *self.input_shape, generator=generator), torch.cat([ring, ring.flip(0)], 1)
            return (x, edge_index) if self.kind == "node" else (x, edge_index, nodes // 4)
        first = torch.randn(examples, *self.input_shape, generator=generator)
        if self.kind != "pair":
            return (first,)
        return first, torch.randn(examples, *self.second_shape, generator=generator)


_SHAPES: Mapping[Kind, str] = {
    "image": "input_shape (channels, height, width)",
    "node": "input_shape (features,)",
    "graph": "input_shape (features,)",
    "language": "input_shape (length,) with a vocabulary",
    "tagging": "input_shape (length,) with a vocabulary",
    "text": "input_shape (length,) with a vocabulary",
    "segmentation": "input_shape (channels, height, width)",
    "pair": "input_shape and second_shape",
}
