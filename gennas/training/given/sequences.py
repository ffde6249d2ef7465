"""Rows of tokens of a user's: texts with one label, or tokens with one label each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gennas.errors import ConfigError, shown
from gennas.spaces.spec import TaskSpec
from gennas.training.data import IGNORED, Part, SequenceData
from gennas.training.datasets.user import check_labels, count_classes, digest
from gennas.training.given.base import Given, held_out, in_parts, kept_and_held
from gennas.training.kinds import MakeScore, scores_of
from gennas.training.vocabulary import Vocabulary

__all__ = ["read_sequences"]

Rows = tuple[list[Any], list[Any]]


def read_sequences(
    name: str,
    train: Any,
    validation: Any,
    test: Any,
    length: int | None,
    vocabulary: int | Vocabulary | None,
    num_outputs: int | None,
    validation_fraction: float,
) -> Given:
    """Texts or words with labels; see ``Task.from_sequences``."""
    where = f"Task {shown(name)}"
    parts = in_parts(where, train, validation, test, _rows)
    split = held_out(parts, validation_fraction)
    rows, labels = parts["train"]
    tagged = not isinstance(labels[0], (int, str))
    if tagged:
        _check_tagged(where, parts)
    names = _names(labels, tagged)
    classes = {part: _classes(f"{where}, {part}:", y, names) for part, (_, y) in parts.items()}
    known = vocabulary if isinstance(vocabulary, Vocabulary) else None
    if known is None and isinstance(rows[0][0], str):
        known = Vocabulary.of([t for row in rows for t in row], vocabulary if isinstance(vocabulary, int) else None)
    encoded = {part: [_encoded(f"{where}, {part}:", row, known) for row in x] for part, (x, _) in parts.items()}
    size = len(known) if known is not None else vocabulary
    if not isinstance(size, int):
        size = max(int(row.max()) for row in encoded["train"]) + 1
    width = length or max(len(row) for row in encoded["train"])
    x = {part: _padded(f"{where}, {part}:", found, width, size) for part, found in encoded.items()}
    y = {part: _padded_tags(tags, width) if tagged else torch.tensor(tags) for part, tags in classes.items()}
    counted = y["train"][y["train"] != IGNORED]
    k = num_outputs or (len(names) if names else count_classes(name, counted))
    for part, values in y.items():
        check_labels(f"{where}, {part}:", values[values != IGNORED], k)
    if split != "given":
        keep, held = kept_and_held(y["train"], validation_fraction)
        x = {"train": x["train"][keep], "validation": x["train"][held], "test": x["test"]}
        y = {"train": y["train"][keep], "validation": y["train"][held], "test": y["test"]}
    spec = TaskSpec("tagging" if tagged else "text", (width,), k, vocabulary=size)
    identity = (
        f"{split if not tagged else split.replace('stratified', 'random')}, data {digest(*x.values(), *y.values())}"
    )
    scores: tuple[MakeScore, ...] = scores_of("tagging", tags=names) if tagged else ()
    return Given(spec, SequenceData(x, y), identity, scores=scores, vocabulary=known)


def _rows(where: str, pair: Any) -> Rows:
    if not isinstance(pair, (tuple, list)) or len(pair) != 2 or len(pair[0]) != len(pair[1]):
        raise ConfigError(f"{where} expected as many rows of tokens as labels, as a pair.")
    rows, labels = list(pair[0]), _plain(pair[1])
    if not rows:
        raise ConfigError(f"{where} expected rows of tokens, got an empty corpus.")
    rows = [row if isinstance(row, str) else _plain(row) for row in rows]
    empty = next((i for i, row in enumerate(rows) if not len(row)), None)
    if empty is not None:
        raise ConfigError(f"{where} row {empty} has no tokens.")
    return rows, [label if isinstance(label, (int, str)) else _plain(label) for label in labels]


def _plain(values: Any) -> list[Any]:
    """A list of tensors' and arrays' values."""
    found: list[Any] = values.tolist() if hasattr(values, "tolist") else list(values)
    return found


def _check_tagged(where: str, parts: dict[Part, Rows]) -> None:
    for part, (rows, labels) in parts.items():
        for i, (row, tags) in enumerate(zip(rows, labels, strict=True)):
            if isinstance(tags, (int, str)) or len(tags) != len(row):
                count = "one" if isinstance(tags, (int, str)) else len(tags)
                raise ConfigError(f"{where}, {part}: row {i} has {len(row)} tokens and {count} labels.")
            if all(tag == IGNORED for tag in tags):
                raise ConfigError(f"{where}, {part}: row {i} has no label that counts.")


def _names(labels: Sequence[Any], tagged: bool) -> list[str]:
    """Names of the classes where labels are texts: ``O`` first, the others in alphabetical order."""
    flat = {label for row in labels for label in row} if tagged else set(labels)
    return sorted((x for x in flat if isinstance(x, str)), key=lambda x: (x != "O", x))


def _classes(where: str, labels: Sequence[Any], names: Sequence[str]) -> list[Any]:
    if not names:
        return list(labels)
    numbers = {label: i for i, label in enumerate(names)} | {IGNORED: IGNORED}

    def number(label: Any) -> int:
        if label not in numbers:
            raise ConfigError(f"{where} label {shown(label)} is not in the training part: {', '.join(names)[:200]}.")
        return numbers[label]

    return [[number(tag) for tag in row] if isinstance(row, list) else number(row) for row in labels]


def _encoded(where: str, row: Any, known: Vocabulary | None) -> Tensor:
    if known is not None:
        return known.encode(row)
    if not all(isinstance(token, int) for token in row):
        raise ConfigError(f"{where} expected whole tokens, or texts, got {row[0]!r:.40}.")
    return torch.tensor(row)


def _padded(where: str, rows: Sequence[Tensor], width: int, size: int) -> Tensor:
    """Rows of one length: longer ones lose their end, shorter ones end in 0."""
    found = torch.zeros(len(rows), width, dtype=torch.int32)
    for i, row in enumerate(rows):
        low, high = int(row.min()), int(row.max())
        if low < 0 or high >= size:
            wrong = low if low < 0 else high
            raise ConfigError(f"{where} unknown token {wrong} in row {i}: expected 0 to {size - 1}.")
        found[i, : len(row)] = row[:width]
    return found


def _padded_tags(rows: Sequence[Sequence[int]], width: int) -> Tensor:
    found = torch.full((len(rows), width), IGNORED)
    for i, row in enumerate(rows):
        found[i, : len(row)] = torch.tensor(row[:width])
    return found
