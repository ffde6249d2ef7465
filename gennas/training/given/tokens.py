"""A corpus of a user's for a language model: text, or whole numbers."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from gennas.errors import ConfigError, shown
from gennas.spaces.spec import TaskSpec
from gennas.training.data import PARTS, Part, TokenData
from gennas.training.datasets.user import as_tensor, digest
from gennas.training.given.base import Given
from gennas.training.vocabulary import Vocabulary

__all__ = ["read_tokens"]


def read_tokens(
    name: str,
    train: Any,
    validation: Any,
    test: Any,
    context: int,
    vocabulary: int | Vocabulary | None,
    validation_fraction: float,
    windows: int | None,
    eval_windows: int | None,
) -> Given:
    """One long row of tokens for each part; see ``Task.from_tokens``."""
    if context < 1:
        raise ConfigError(f"Task {shown(name)}: expected a context of at least one token, got {context}.")
    known = vocabulary if isinstance(vocabulary, Vocabulary) else None
    given = {part: value for part, value in zip(PARTS, (train, validation, test), strict=True) if value is not None}
    for part, value in given.items():
        if not len(value):
            raise ConfigError(f"Task {shown(name)}, {part}: expected a corpus, got an empty one.")
    if isinstance(train, str):
        size = vocabulary if isinstance(vocabulary, int) else None
        known = known or Vocabulary.of(train, size)
        given = {part: _encoded(f"Task {shown(name)}, {part}:", value, known) for part, value in given.items()}
    tokens: dict[Part, Tensor] = {part: _tokens(f"Task {shown(name)}, {part}:", value) for part, value in given.items()}
    if known is not None:
        size = len(known)
    else:
        size = vocabulary if isinstance(vocabulary, int) else int(tokens["train"].max()) + 1
    split = "given"
    if "validation" not in tokens:
        if not 0 < validation_fraction < 1:
            raise ConfigError(f"Expected validation_fraction in (0, 1), got {validation_fraction}.")
        kept = round((1 - validation_fraction) * len(tokens["train"]))
        whole = tokens["train"]
        tokens = {"train": whole[:kept], "validation": whole[kept:], "test": tokens["test"]}
        split = f"last {validation_fraction:g} of train for validation"
    for part, row in tokens.items():
        _check(f"Task {shown(name)}, {part}:", row, size, context)
    data = TokenData(tokens, context, windows, eval_windows)
    identity = f"{split}, data {digest(*tokens.values())}, {eval_windows or 'all'} windows"
    return Given(TaskSpec("language", (context,), size, vocabulary=size), data, identity, vocabulary=known)


def _encoded(where: str, text: Any, known: Vocabulary) -> Tensor:
    if not isinstance(text, str):
        raise ConfigError(f"{where} expected text as the training part is, got {type(text).__name__}.")
    return known.encode(text)


def _tokens(where: str, value: Any) -> Tensor:
    tokens = as_tensor(where, value)
    if tokens.ndim != 1 or tokens.is_floating_point():
        raise ConfigError(f"{where} expected whole tokens (n,), got {tuple(tokens.shape)} of {tokens.dtype}.")
    return tokens


def _check(where: str, tokens: Tensor, size: int, context: int) -> None:
    low, high = int(tokens.min()), int(tokens.max())
    if low < 0 or high >= size:
        wrong = low if low < 0 else high
        raise ConfigError(f"{where} unknown token {wrong}: expected 0 to {size - 1}; give a larger vocabulary.")
    if len(tokens) <= context:
        raise ConfigError(
            f"{where} a context of {context} is longer than the corpus: expected more than {context} tokens, got "
            f"{len(tokens)}."
        )
