"""Whatever goes wrong with the files of a saved generator is one kind of error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gennas.errors import CheckpointError


@contextmanager
def checkpoint_errors(folder: Path, file: str) -> Iterator[None]:
    """Read a saved generator inside; ``file`` is what every folder with one has.

    Raises:
        CheckpointError: no such file, or reading raised anything.
    """
    if not (folder / file).is_file():
        raise CheckpointError(f"Expected a saved generator in {folder}, found no {file} there.")
    try:
        yield
    except CheckpointError:
        raise
    except Exception as error:  # diffusers, transformers, safetensors and json raise many kinds
        raise CheckpointError(
            f"The generator in {folder} cannot be read ({type(error).__name__}: {error}); train or copy it again."
        ) from error
