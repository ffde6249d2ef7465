"""Spans counted by hand, and the rules of conlleval."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from gennas.errors import ConfigError
from gennas.training.data import IGNORED
from gennas.training.scores import SpanF1

BIO = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


def score(tags: tuple[str, ...], predicted: list[str], labelled: list[str | int]) -> tuple[int, int, int, float]:
    found = SpanF1(tags)
    found.update(logits(tags, [predicted]), rows(tags, [labelled]))
    return found._right, found._predicted, found._labelled, found.value()


def rows(tags: tuple[str, ...], labelled: list[list[str | int]]) -> Tensor:
    return torch.tensor([[t if isinstance(t, int) else tags.index(t) for t in row] for row in labelled])


def logits(tags: tuple[str, ...], predicted: list[list[str]]) -> Tensor:
    return functional.one_hot(rows(tags, predicted), len(tags)).float()  # type: ignore[arg-type]


def test_begin_end_and_type_must_fit() -> None:
    labelled: list[str | int] = ["B-PER", "I-PER", "O", "B-LOC", "I-LOC", "O", "B-PER", "O"]
    predicted = ["B-PER", "I-PER", "O", "B-LOC", "O", "O", "B-LOC", "O"]  # right, too short, other type
    right, p, g, f1 = score(BIO, predicted, labelled)
    assert (right, p, g) == (1, 3, 3) and f1 == pytest.approx(1 / 3)


def test_b_begins_a_span_right_after_another() -> None:
    right, p, g, f1 = score(BIO, ["B-PER", "B-PER", "I-PER"], ["B-PER", "I-PER", "I-PER"])
    assert (right, p, g, f1) == (0, 2, 1, 0.0)


def test_i_begins_a_span_after_o_and_after_another_type() -> None:
    assert score(BIO, ["O", "I-PER", "I-LOC"], ["O", "B-PER", "B-LOC"])[:3] == (2, 2, 2)


def test_bioes_and_bilou() -> None:
    for end, single in (("E", "S"), ("L", "U")):
        tags = ("O", "B-X", "I-X", f"{end}-X", f"{single}-X")
        labelled: list[str | int] = ["B-X", "I-X", f"{end}-X", f"{single}-X", f"{single}-X", "O"]
        assert score(tags, ["B-X", "I-X", f"{end}-X", f"{single}-X", "O", "O"], labelled)[:3] == (2, 2, 3)


def test_tags_without_prefixes_are_runs() -> None:
    tags = ("O", "NAME", "OP")
    assert score(tags, ["NAME", "NAME", "OP", "O"], ["NAME", "NAME", "OP", "OP"])[:3] == (1, 2, 2)


def test_what_is_ignored_joins_its_neighbours_and_rows_do_not() -> None:
    assert score(BIO, ["B-PER", "O", "I-PER"], ["B-PER", IGNORED, "I-PER"])[:3] == (1, 1, 1)
    found = SpanF1(BIO)
    labelled: list[list[str | int]] = [["O", "B-PER"], ["I-PER", IGNORED]]
    found.update(logits(BIO, [["O", "B-PER"], ["I-PER", "O"]]), rows(BIO, labelled))
    assert (found._right, found._predicted, found._labelled) == (2, 2, 2), "a span ends with its row"


def test_batches_add_up_and_no_span_is_zero() -> None:
    found = SpanF1(BIO)
    assert found.value() == 0.0
    for predicted in (["B-PER", "O"], ["O", "O"]):
        found.update(logits(BIO, [predicted]), rows(BIO, [["B-PER", "O"]]))
    assert found.value() == pytest.approx(2 / 3)
    with pytest.raises(ConfigError, match="got O"):
        SpanF1(["O"])
