"""Texts with one label: packages of the standard library, or a user's CSV file."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

import torch
from torch import Tensor

from gennas.errors import ConfigError, shown
from gennas.spaces.spec import TaskSpec
from gennas.training.data import PARTS, Part, SequenceData, part_of_name
from gennas.training.datasets._python import SYMBOLS, stdlib_folder, text_digest
from gennas.training.recipe import TrainConfig
from gennas.training.task import TASKS, TOKEN_CONFIG, Task
from gennas.training.vocabulary import Vocabulary

__all__ = ["PACKAGES", "stdlib_packages", "text_csv"]

PACKAGES = ("asyncio", "ctypes", "email", "encodings", "importlib", "multiprocessing", "unittest", "xml")
"""Classes of ``stdlib-packages``."""
_LENGTH = 96
_ROWS = {"train": 250, "validation": 60, "test": 60}  # of each package


@TASKS.register("stdlib-packages")
def stdlib_packages() -> Task:
    """Which of eight packages of the standard library 96 characters of source come from; offline.

    250 / 60 / 60 snippets of each, spread evenly over its files, which are split by a hash of their names.

    Raises:
        ConfigError: Python comes without the source of a package.
    """
    _, known, digest = _snippets(stdlib_folder())
    spec = TaskSpec("text", (_LENGTH,), len(PACKAGES), vocabulary=len(known))
    config = TrainConfig(epochs=6, batch_size=64, lr=5e-3)
    split = f"by file name, 250/60/60 snippets a package, data {digest}"
    return Task("stdlib-packages", spec, partial(_load, stdlib_folder()), split, config, vocabulary=known)


@TASKS.register("text-csv")
def text_csv(
    path: str,
    text: str = "text",
    label: str = "label",
    length: int = 128,
    words: bool = False,
    vocabulary: int | None = None,
) -> Task:
    """Classify the texts of a user's CSV file; 60 % are learnt, 20 % selected on, 20 % reported, stratified.

    Args:
        path: a CSV file with a header.
        text: its column of texts.
        label: its column of classes, names or whole numbers.
        length: characters (or words) that the network sees of a text.
        words: tokens are words between white space instead of characters.
        vocabulary: how many different tokens at most; by default 256 characters or 10,000 words.

    Raises:
        ConfigError: no such file or column, an empty text, or a class of fewer than three texts.
    """
    import pandas as pd

    from gennas.training.data import stratified_split

    place = Path(path).expanduser()
    try:
        table = pd.read_csv(place, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise ConfigError(f"Expected a CSV file with a header, could not read {place}: {error}.") from error
    for column in (text, label):
        if column not in table.columns:
            raise ConfigError(f"{place}: expected a column {shown(column)}, got {', '.join(map(str, table.columns))}.")
    rows = [value.split() if words else value for value in table[text]]
    empty = next((i for i, row in enumerate(rows) if not row), None)
    if empty is not None or not rows:
        raise ConfigError(f"{place}: expected a text in column {shown(text)} of row {empty or 0}, got an empty one.")
    names = sorted(set(table[label]))
    y = torch.tensor([names.index(value) for value in table[label]])
    counts = torch.bincount(y)
    if int(counts.min()) < 3:
        raise ConfigError(
            f"{place}: class {shown(names[int(counts.argmin())])} has {counts.min()} texts, expected 3 or more."
        )
    parts = dict(zip(PARTS, stratified_split(y, (0.6, 0.2, 0.2), seed=0), strict=True))
    given = {part: ([rows[i] for i in index], y[index].tolist()) for part, index in parts.items()}
    size = vocabulary or (10_000 if words else 256)
    return Task.from_sequences(
        f"text-csv:{place.name}",
        train=given["train"],
        validation=given["validation"],
        test=given["test"],
        length=length,
        vocabulary=size,
        num_outputs=len(names),
        config=TOKEN_CONFIG,
    )


@cache
def _snippets(folder: Path) -> tuple[SequenceData, Vocabulary, str]:
    texts = {part: [_text(folder / package, part) for package in PACKAGES] for part in PARTS}
    known = Vocabulary.of("".join(texts["train"]), SYMBOLS)
    x: dict[Part, Tensor] = {}
    y: dict[Part, Tensor] = {}
    for part, found in texts.items():
        rows = _ROWS[part]
        for package, text in zip(PACKAGES, found, strict=True):
            if len(text) < rows + _LENGTH:
                raise ConfigError(f"Expected Python files of the package {shown(package)} in {folder}, found too few.")
        starts = [
            torch.linspace(0, len(text) - _LENGTH, rows).long()[:, None] + torch.arange(_LENGTH) for text in found
        ]
        x[part] = torch.cat([known.encode(t)[places] for t, places in zip(found, starts, strict=True)]).byte()
        y[part] = torch.arange(len(PACKAGES)).repeat_interleave(rows)
    return SequenceData(x, y), known, text_digest(text for found in texts.values() for text in found)


def _text(package: Path, part: Part) -> str:
    files = [path for path in sorted(package.rglob("*.py")) if not {"test", "tests"} & set(path.parts)]
    files = [path for path in files if part_of_name(f"{package.name}/{path.relative_to(package).as_posix()}") == part]
    return "".join(path.read_text("utf-8", "replace") for path in files)


def _load(folder: Path) -> SequenceData:
    return _snippets(folder)[0]
