"""FlexiBERT: encoders whose layers differ in width, operation and feed-forward stack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gennas.graph import Population
from gennas.spaces.base import SPACES
from gennas.spaces.flexibert.base import FEED_FORWARD, HEADS, HIDDEN, OPERATIONS, STACKS, EncoderSpace, IntegerArray
from gennas.spaces.layered import Decision

if TYPE_CHECKING:
    from gennas.spaces.flexibert.networks import EncoderLayer

__all__ = ["FlexiBERT"]

_STACK = ("ff1", "ff2", "ff3")


@SPACES.register("flexibert")
class FlexiBERT(EncoderSpace):
    r"""FlexiBERT's heterogeneous encoders of 2 or 4 layers (Tuli et al. 2023, JAIR, arXiv 2205.11656).

    Every layer chooses its channels, one of six operations (attention ``sa-sdp`` or weighted multiplicative
    ``sa-wma``; transforms ``lt-dft`` and ``lt-dct``; span-based convolutions ``dsc-5`` and ``dsc-9``), its heads and
    one or three stacked feed-forward layers, each with its width: :math:`2 \cdot 6 \cdot 2 \cdot (2 + 2^3) = 240` ways,

    .. math:: 240^2 + 240^4 = 3{,}317{,}817{,}600

    encoders, the published 3.32e9. That channels are chosen per layer and widths per stacked layer follows from this
    number; the networks are ours after the paper (BERT's embeddings and normalisation, learned positions, orthonormal
    transforms), and their parameters are not compared with a published count.

    The text form is
    ``depth=2;hidden=128,256;operation=sa-sdp,dsc-5;heads=2,4;stack=1,3;ff1=512,512;ff2=-,1024;ff3=-,512``.

    Args:
        context: longest input; by default the task's.

    Example:
        >>> FlexiBERT().size
        3317817600
    """

    name = "flexibert"

    def __init__(self, context: int | None = None) -> None:
        third = {"stack": (STACKS[-1],)}
        layer = (
            Decision("hidden", HIDDEN),
            Decision("operation", OPERATIONS),
            Decision("heads", HEADS),
            Decision("stack", STACKS),
            *[Decision(n, FEED_FORWARD, when={} if n == "ff1" else third, prefix="ff") for n in _STACK],
        )
        super().__init__(self.name, [], layer, context)

    def _encoder_layers(self, config: Mapping[str, Any]) -> list[EncoderLayer]:
        from gennas.spaces.flexibert.networks import EncoderLayer

        stacks = zip(*(config[name] for name in _STACK), strict=True)
        rows = zip(config["hidden"], config["operation"], config["heads"], stacks, config["stack"], strict=True)
        return [EncoderLayer(h, o, n, [f for f in widths if f], stack) for h, o, n, widths, stack in rows]

    def _widths(self, population: Population) -> tuple[IntegerArray, list[IntegerArray]]:
        hidden = self._mapped(self.column(population, "hidden"), self._channels)
        return hidden, [self._mapped(self.column(population, name), self._scaled) for name in _STACK]
