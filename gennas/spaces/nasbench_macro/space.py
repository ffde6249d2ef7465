"""NAS-Bench-Macro: 3,969 networks of eight layers in three stages.

Source: Su et al., "Prioritized Architecture Sampling with Monto-Carlo Tree Search", CVPR 2021, arXiv 2103.11922.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.graph import Architecture, Population
from gennas.spaces.base import SPACES
from gennas.spaces.layered import Decision, Group
from gennas.spaces.layered.decision import Value
from gennas.spaces.mobilenet.base import MobileSpace
from gennas.spaces.mobilenet.blocks import Block, Skeleton

if TYPE_CHECKING:
    from torch import nn

    from gennas.spaces.parts import Parts
    from gennas.spaces.spec import TaskSpec

__all__ = ["NASBenchMacro"]

_LAYERS = (2, 3, 3)
_WORDS = ("identity", "k3_e3", "k5_e6")  # digits 0, 1, 2
_TEXT = re.compile(r"[012]{8}")


@SPACES.register("nasbench-macro")
class NASBenchMacro(MobileSpace):
    r"""Eight layers, each an identity (0) or an inverted bottleneck of kernel 3 and expansion 3 (1) or 5 and 6 (2).

    Stages have 2, 3 and 3 layers; the first of each halves the resolution and doubles the width, where an identity is
    a 1x1 convolution with batch norm. Elsewhere an identity does nothing, so a stage is its first layer and up to one
    or two blocks after it: :math:`3 \cdot (1 + 2) \cdot (3 \cdot (1 + 2 + 4))^2` = 3,969 networks. The text form
    is the published string of eight digits; all 6,561 are read, and identities move to the end of their stage.

    Args:
        width: channels of the stem, doubled by each stage.
        head: channels of the last 1x1 convolution.
        min_side: least side of the last feature map: on images of 24 pixels or fewer the first strides are left out.

    Raises:
        ConfigError: settings out of range.

    Example:
        >>> space = NASBenchMacro()
        >>> space.size
        3969
        >>> space.to_text(space.from_text("20021102"))
        '20021120'
    """

    name = "nasbench-macro"
    reference: ClassVar[Mapping[str, str]] = {"NAS-Bench-Macro-best": "22212220"}

    def __init__(self, width: int = 32, head: int = 1280, min_side: int = 4) -> None:
        if width < 1 or head < 1:
            raise ConfigError(f"{self.name}: expected positive widths, got width={width} and head={head}.")
        self.width, self.head = width, head
        op = Decision("op", _WORDS[1:], first=_WORDS)
        stages = [Group(f"stage{i}", tuple(range(1, n + 1)), (op,)) for i, n in enumerate(_LAYERS, start=1)]
        super().__init__(self.name, stages, (), 1, min_side)

    def channels(self, width: float) -> int:
        """Channels of a network where the published one has ``width``."""
        return max(1, round(width * self.width_mult))

    def skeleton(self) -> Skeleton:
        """Stem without stride, head."""
        return Skeleton(self.channels(self.width), 1, self.channels(self.head), activation="relu")

    def block(self, stage: int, layer: int, values: Mapping[str, Value]) -> Block:
        """The block of a layer with its published stride."""
        outputs = self.channels(self.width) * 2 ** (stage + 1)
        inputs, stride = (outputs, 1) if layer else (outputs // 2, 2)
        if values["op"] == _WORDS[0]:
            return Block(inputs, outputs, 0, stride=stride, projects=True)
        kernel, expansion = (int(part[1:]) for part in str(values["op"]).split("_"))
        return Block(inputs, outputs, inputs * expansion, kernel, stride, activation="relu")

    def network(self, parts: Parts, spec: TaskSpec) -> nn.Module:
        """A network of parts; in a shared one every layer has one block for each word, and the first of a stage run.

        Raises:
            ConfigError: the task is not about images.
        """
        return self._assembled(parts, spec)

    def to_text(self, arch: Architecture) -> str:
        """Eight digits, identities at the end of each stage: ``22212220``."""
        config = self.config(arch)
        digits = ["".join(str(_WORDS.index(word)) for word in config[f"stage{i}.op"]) for i in (1, 2, 3)]
        return "".join(some.ljust(n, "0") for some, n in zip(digits, _LAYERS, strict=True))

    def from_text(self, text: str) -> Architecture:
        """Read any of the 6,561 published strings.

        Raises:
            InvalidArchitectureError: not eight digits 0, 1 or 2.
        """
        return self.from_texts([text])[0]

    def from_texts(self, texts: Sequence[str]) -> Population:
        """Read many published strings at once."""
        for text in texts:
            if not _TEXT.fullmatch(text.strip()):
                raise InvalidArchitectureError(
                    f"{self.name}: expected eight digits 0, 1 or 2 as in '22212220', got {text!r:.200}."
                )
        digits = np.array([list(text.strip()) for text in texts], dtype=np.int16).reshape(-1, sum(_LAYERS))
        labels, off = self.schema.node_labels, len(self.schema.node_labels) - 1
        symbol = np.array([labels.index(word) for word in _WORDS], dtype=np.int16)
        X, start = np.zeros((len(digits), self.schema.num_nodes), dtype=np.int16), 0
        for i, n in enumerate(_LAYERS, start=1):
            rest = digits[:, start + 1 : start + n]
            rest = np.take_along_axis(rest, np.argsort(rest == 0, axis=1, kind="stable"), axis=1)
            words = np.concatenate([symbol[digits[:, [start]]], np.where(rest > 0, symbol[rest], off)], axis=1)
            depth = self._layout.node[f"stage{i}.depth"]
            X[:, depth] = np.array([labels.index(f"depth{d + 1}") for d in range(n)])[(rest > 0).sum(1)]
            X[:, depth + 1 : depth + 1 + n] = words
            start += n
        E = np.broadcast_to(
            self.schema.edge_mask.argmax(2).astype(np.int16), (len(X), *self.schema.edge_mask.shape[:2])
        )
        return Population.from_decisions(self.schema, self.schema.to_decisions(X, E))
