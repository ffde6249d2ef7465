"""Language models on characters: the standard library's source, or a text of the user's."""

from __future__ import annotations

import gzip
from functools import cache, partial
from pathlib import Path

from gennas.errors import ConfigError
from gennas.spaces.spec import TaskSpec
from gennas.training.data import PARTS, Part, TokenData
from gennas.training.datasets._python import SYMBOLS, by_part, read_files, stdlib_folder, text_digest
from gennas.training.recipe import TrainConfig
from gennas.training.task import TASKS, TOKEN_CONFIG, Task
from gennas.training.vocabulary import Vocabulary

__all__ = ["stdlib", "text_file"]

WINDOWS = 1600  # of an epoch of stdlib: eight epochs of 50 steps
EVAL_WINDOWS = 256


@TASKS.register("stdlib")
def stdlib(context: int = 64) -> Task:
    """Predict the next character of Python's own standard library: 96 symbols, offline, 400 steps of 32 windows.

    The files directly in the library's folder are split by a hash of their names. They differ between versions of
    Python, so that a digest of them is part of the protocol. Validation and test: 256 fixed windows.

    Args:
        context: characters that the network sees at a time.

    Raises:
        ConfigError: Python comes without its source, or the context is longer than a part.
    """
    _, known, digest = _stdlib(stdlib_folder())
    load = partial(_load_stdlib, stdlib_folder(), context)
    split = f"by file name 80/10/10, {EVAL_WINDOWS} windows of {context}, data {digest}"
    spec = TaskSpec("language", (context,), len(known), vocabulary=len(known))
    load()
    return Task("stdlib", spec, load, split, TrainConfig(epochs=8, batch_size=32, lr=5e-3), vocabulary=known)


@TASKS.register("text-file")
def text_file(
    path: str, context: int = 64, vocabulary: int = 256, windows: int = WINDOWS, eval_windows: int = EVAL_WINDOWS
) -> Task:
    """Predict the next character of a text: its first 80 % are learnt, 10 % selected on, the last 10 % reported.

    Args:
        path: a text file in UTF-8, or one in .gz.
        context: characters that the network sees at a time.
        vocabulary: how many different characters at most, all others being one.
        windows: training windows of an epoch.
        eval_windows: validation and test windows, evenly spread.

    Raises:
        ConfigError: no such file, no text, or a context longer than a part of it.
    """
    text = read_text(Path(path).expanduser())
    first, second = round(0.8 * len(text)), round(0.9 * len(text))
    return Task.from_tokens(
        f"text-file:{Path(path).name}",
        train=text[:first],
        validation=text[first:second],
        test=text[second:],
        context=context,
        vocabulary=vocabulary,
        windows=windows,
        eval_windows=eval_windows,
        config=TOKEN_CONFIG,
    )


def read_text(path: Path) -> str:
    """Text of a file.

    Raises:
        ConfigError: it is not there, or is no text in UTF-8.
    """
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return raw.decode("utf-8")
    except (OSError, EOFError) as error:
        raise ConfigError(f"Expected a text file, could not read {path}: {error}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"Expected text in UTF-8 in {path}: {error}.") from error


@cache
def _stdlib(folder: Path) -> tuple[dict[Part, str], Vocabulary, str]:
    texts = {part: "".join(found) for part, found in by_part(read_files(folder)).items()}
    return texts, Vocabulary.of(texts["train"], SYMBOLS), text_digest(texts.values())


@cache
def _load_stdlib(folder: Path, context: int) -> TokenData:
    texts, known, _ = _stdlib(folder)
    shortest = min(len(texts[part]) for part in PARTS)
    if not 1 <= context < shortest:
        raise ConfigError(f"Task 'stdlib': expected a context of 1 to {shortest - 1} characters, got {context}.")
    tokens = {part: known.encode(texts[part]).byte() for part in PARTS}
    return TokenData(tokens, context, WINDOWS, EVAL_WINDOWS)
