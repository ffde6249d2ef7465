"""F1 of labelled spans, which must be found exactly: the score of named-entity recognition."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gennas.errors import ConfigError
from gennas.training.data.base import IGNORED
from gennas.training.scores.base import Score

__all__ = ["SpanF1"]

_BEGINS, _ENDS = "BSU", "ESLU"  # BIO, BIOES (E, S) and BILOU (L, U)


class SpanF1(Score):
    r"""F1 of spans, micro-averaged, :math:`2 c / (p + g)`.

    ``p`` spans are predicted and ``g`` are labelled; ``c`` of the predicted equal a labelled one: begin, end, type.
    Tjong Kim Sang and De Meulder, "Introduction to the CoNLL-2003 Shared Task", 2003 (``conlleval``): a span also
    begins where ``I-`` follows ``O`` or another type. Tags without a prefix are types of their own (scheme IO): a span
    is a run of one tag. ``IGNORED`` tokens are left out, as if their neighbours stood side by side. With no
    span anywhere the score is 0.

    Args:
        tags: names of the classes, such as ``O``, ``B-PER``, ``I-PER``.

    Raises:
        ConfigError: there is no tag but ``O``.

    Example:
        >>> score = SpanF1(["O", "B-PER", "I-PER"])
        >>> score.update(torch.eye(3)[torch.tensor([[1, 2, 0, 1]])], torch.tensor([[1, 2, 0, 0]]))
        >>> round(score.value(), 3)
        0.667
    """

    name = "span_f1"
    description = "F1 of exactly matched spans"

    def __init__(self, tags: Sequence[str]) -> None:
        parts = [_parts(tag) for tag in tags]
        types = sorted({kind for _, kind in parts if kind})
        if not types:
            raise ConfigError(
                f"Expected tags such as O, B-PER, I-PER to find spans of, got {', '.join(tags) or 'none'}."
            )
        self._type = torch.tensor([types.index(kind) + 1 if kind else 0 for _, kind in parts])
        self._begins = torch.tensor([prefix in tuple(_BEGINS) for prefix, _ in parts])
        self._ends = torch.tensor([prefix in tuple(_ENDS) for prefix, _ in parts])
        self._right = self._predicted = self._labelled = 0

    def update(self, logits: Tensor, y: Tensor) -> None:
        """Compare the spans of a batch, rows of tokens."""
        counted = y != IGNORED
        row = torch.arange(len(y), device=y.device)[:, None].expand_as(y)[counted].cpu()
        found, wanted = (self._spans(tags[counted].cpu(), row) for tags in (logits.argmax(-1), y))
        self._predicted += len(found)
        self._labelled += len(wanted)
        self._right += len(found & wanted)

    def value(self) -> float:
        """The F1 of all spans so far."""
        total = self._predicted + self._labelled
        return 2 * self._right / total if total else 0.0

    def _spans(self, tags: Tensor, row: Tensor) -> set[tuple[int, int, int]]:
        """First token, last token and type of every span of tokens ``(n,)``, which stand in rows."""
        if not len(tags):
            return set()
        kind, begins, ends = self._type[tags], self._begins[tags], self._ends[tags]
        same = (
            (kind[1:] == kind[:-1]) & (row[1:] == row[:-1]) & ~begins[1:] & ~ends[:-1]
        )  # goes on from the token before
        edge = torch.tensor([False])
        first = torch.nonzero((kind > 0) & ~torch.cat([edge, same])).flatten()
        last = torch.nonzero((kind > 0) & ~torch.cat([same, edge])).flatten()
        return set(zip(first.tolist(), last.tolist(), kind[first].tolist(), strict=True))


def _parts(tag: str) -> tuple[str, str]:
    """Prefix and type; both empty for ``O``."""
    if tag == "O":
        return "", ""
    prefix, dash, kind = tag.partition("-")
    return (prefix, kind) if dash and prefix in tuple("BIESLU") else ("I", tag)
