"""Labels for every token: kinds of Python's own tokens, or a user's CoNLL files."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Iterator
from functools import cache, partial
from keyword import iskeyword
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gennas.errors import ConfigError
from gennas.spaces.spec import TaskSpec
from gennas.training.data import Part, SequenceData
from gennas.training.datasets._python import SYMBOLS, by_part, read_files, stdlib_folder, text_digest
from gennas.training.datasets.language import read_text
from gennas.training.kinds import scores_of
from gennas.training.recipe import TrainConfig
from gennas.training.task import TASKS, TOKEN_CONFIG, Task
from gennas.training.vocabulary import Vocabulary

__all__ = ["TAGS", "conll", "python_tokens", "read_conll"]

TAGS = ("O", "NAME", "KEYWORD", "OP", "NUMBER", "STRING", "COMMENT")
"""Classes of the characters of ``python-tokens``; white space is ``O``."""
_NUMBERS = {tag: i for i, tag in enumerate(TAGS)}
_LENGTH, _PER_FILE = 64, 40  # characters of a row, rows of a file


@TASKS.register("python-tokens")
def python_tokens() -> Task:
    """Which kind of Python token each character belongs to: seven classes, rows of 64 characters, offline.

    The first rows of every file of the standard library, split by a hash of the files' names; labels are what
    :mod:`tokenize` says. Scored by spans: runs of one class must be found exactly.

    Raises:
        ConfigError: Python comes without its source.
    """
    _, known, digest = _rows(stdlib_folder())
    spec = TaskSpec("tagging", (_LENGTH,), len(TAGS), vocabulary=len(known))
    split = f"by file name 80/10/10, data {digest}"
    config = TrainConfig(epochs=4, batch_size=64, lr=5e-3)
    load = partial(_load, stdlib_folder())
    scores = scores_of("tagging", tags=TAGS)
    return Task("python-tokens", spec, load, split, config, scores=scores, vocabulary=known)


@TASKS.register("conll")
def conll(
    train: str, test: str, validation: str | None = None, length: int | None = None, vocabulary: int = 10_000
) -> Task:
    """Tag the words of a user's CoNLL files: a word a line, its tag in the last column, blank lines between sentences.

    Columns are separated by white space; lines that begin with ``-DOCSTART-`` are left out. Tags in BIO or
    BIOES are scored by exactly matched spans.

    Args:
        train: file to learn from.
        test: file that is only reported.
        validation: file to select on; by default a fifth of ``train``.
        length: words of a sentence, longer ones lose their end; by default the longest of ``train``.
        vocabulary: how many different words at most, the most frequent ones of ``train``.

    Raises:
        ConfigError: no such file, no sentences, a line without a tag, or a tag that ``train`` does not have.
    """
    parts: dict[str, Any] = {
        part: read_conll(path)
        for part, path in {"train": train, "test": test, "validation": validation}.items()
        if path is not None
    }
    name = f"conll:{Path(train).name}"
    return Task.from_sequences(name, **parts, length=length, vocabulary=vocabulary, config=TOKEN_CONFIG)


def read_conll(path: str | Path) -> tuple[list[list[str]], list[list[str]]]:
    """Words and tags of every sentence of a file.

    Raises:
        ConfigError: it is not there, holds no sentence, or a line has one column.
    """
    words: list[list[str]] = [[]]
    tags: list[list[str]] = [[]]
    for number, line in enumerate(read_text(Path(path).expanduser()).splitlines(), 1):
        columns = line.split()
        if not columns or columns[0] == "-DOCSTART-":
            words.append([])
            tags.append([])
            continue
        if len(columns) < 2:
            raise ConfigError(f"{path}, line {number}: expected a word and its tag, got {line.strip()!r:.60}.")
        words[-1].append(columns[0])
        tags[-1].append(columns[-1])
    kept = [i for i, sentence in enumerate(words) if sentence]
    if not kept:
        raise ConfigError(f"{path}: expected sentences, a word and its tag a line, got an empty corpus.")
    return [words[i] for i in kept], [tags[i] for i in kept]


def label_characters(source: str) -> Tensor:
    """Class of every character of a Python file, as far as :mod:`tokenize` reads it; ``O`` after that."""
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    found = torch.zeros(len(source), dtype=torch.uint8)
    for token in _tokens(source):
        kind = _kind(token)
        if kind:
            begin, end = (starts[row - 1] + column for row, column in (token.start, token.end))
            found[begin:end] = kind
    return found


def _tokens(source: str) -> Iterator[tokenize.TokenInfo]:
    reader = tokenize.generate_tokens(io.StringIO(source).readline)
    try:
        yield from reader
    except (tokenize.TokenError, SyntaxError):  # the text is cut off, or written for another Python
        return


def _kind(token: tokenize.TokenInfo) -> int:
    name = tokenize.tok_name[token.type]
    if "STRING" in name:  # with FSTRING_START, _MIDDLE and _END from Python 3.12 on
        name = "STRING"
    return _NUMBERS.get("KEYWORD" if name == "NAME" and iskeyword(token.string) else name, 0)


@cache
def _rows(folder: Path) -> tuple[SequenceData, Vocabulary, str]:
    texts = {
        part: [text[: _PER_FILE * _LENGTH] for text in found] for part, found in by_part(read_files(folder)).items()
    }
    known = Vocabulary.of("".join(texts["train"]), SYMBOLS)
    x: dict[Part, Tensor] = {}
    y: dict[Part, Tensor] = {}
    for part, found in texts.items():
        pairs = [(known.encode(text), label_characters(text)) for text in found]
        x[part], y[part] = (
            torch.cat([row[: len(row) // _LENGTH * _LENGTH].view(-1, _LENGTH) for row in rows]).byte()
            for rows in zip(*pairs, strict=True)
        )
    return SequenceData(x, y), known, text_digest(text for found in texts.values() for text in found)


def _load(folder: Path) -> SequenceData:
    return _rows(folder)[0]
