"""What each kind of task is trained and scored by: one table.

============== ==================== =============== ====================== ==========================
kind           output               labels          loss                   scores, the primary first
============== ==================== =============== ====================== ==========================
image          (b, k)               (b,)            cross-entropy          accuracy
node           (n, k), some rows    (r,)            cross-entropy          accuracy
graph          (g, k)               (g,)            cross-entropy          accuracy
language       (b, T, k)            (b, T)          cross-entropy          loss, perplexity, token accuracy
tagging        (b, T, k)            (b, T), -100    cross-entropy          span F1 (of named tags), token accuracy
text           (b, k)               (b,)            cross-entropy          accuracy
segmentation   (b, k, h, w)         (b, h, w), -100 cross-entropy          mean IoU
pair           (b, k)               (b,)            cross-entropy          accuracy
============== ==================== =============== ====================== ==========================

Where targets are numbers, labels are ``(b, k)``, the loss is the squared error, and the scores are R2 and the mean
squared error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias, cast

from torch import Tensor

from gennas.spaces.spec import Kind
from gennas.training.scores import (
    R2,
    Accuracy,
    Loss,
    MeanIoU,
    MeanSquaredError,
    Perplexity,
    Score,
    SpanF1,
    TokenAccuracy,
    cross_entropy,
    squared_error,
)

__all__ = [
    "KIND_RULES",
    "KindRules",
    "MakeScore",
    "Targets",
    "classes_last",
    "loss_function",
    "score_class",
    "scores_of",
]

Targets = Literal["classes", "numbers"]
MakeScore: TypeAlias = "type[Score] | partial[Any]"
"""Makes a score without arguments; a ``functools.partial`` of a class, so that a task pickles."""


@dataclass(frozen=True)
class KindRules:
    """How outputs of one kind are laid out, and what they are scored by.

    Args:
        scores: of classes, the primary first.
        class_dim: dimension of the output that holds the classes.
        one_label: whether an example has one label, so that its probabilities can be calibrated.
    """

    scores: tuple[type[Score], ...] = (Accuracy,)
    class_dim: int = -1
    one_label: bool = True


KIND_RULES: Mapping[Kind, KindRules] = {
    "image": KindRules(),
    "node": KindRules(),
    "graph": KindRules(),
    "language": KindRules((Loss, Perplexity, TokenAccuracy), one_label=False),
    "tagging": KindRules((TokenAccuracy,), one_label=False),
    "text": KindRules(),
    "segmentation": KindRules((MeanIoU,), class_dim=1, one_label=False),
    "pair": KindRules(),
}


def classes_last(kind: Kind, output: Tensor) -> Tensor:
    """A network's output with the classes in the last dimension."""
    return output.movedim(KIND_RULES[kind].class_dim, -1)


def loss_function(targets: Targets) -> Callable[..., Tensor]:
    """``loss(outputs, y, *, label_smoothing, reduction)`` of outputs with the classes, or numbers, last."""
    return cross_entropy if targets == "classes" else squared_error


def score_class(make: MakeScore) -> type[Score]:
    """The class that scores are made of."""
    return cast("type[Score]", make.func) if isinstance(make, partial) else make


def scores_of(kind: Kind, targets: Targets = "classes", tags: Sequence[str] = ()) -> tuple[MakeScore, ...]:
    """The scores of a kind of task, the primary first; named ``tags`` are scored by their spans.

    Example:
        >>> [score.name for score in scores_of("image")], [score.name for score in scores_of("image", "numbers")]
        (['accuracy'], ['r2', 'mse'])
    """
    if targets == "numbers":
        return (R2, MeanSquaredError)
    known: tuple[MakeScore, ...] = KIND_RULES[kind].scores
    return (partial(SpanF1, tuple(tags)), *known) if tags else known
