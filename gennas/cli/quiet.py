"""Other libraries' warnings, which a user of the command line can do nothing about, stay out of the terminal."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import TextIO

import gennas
from gennas.registry import user_files
from gennas.runtime.quiet import hush

__all__ = ["quieten"]

_HOME = str(Path(gennas.__file__).parent)
_ENVIRONMENT = {
    "PYTHONWARNINGS": "ignore",  # worker processes
    "TORCH_CPP_LOG_LEVEL": "ERROR",
    "TRANSFORMERS_VERBOSITY": "error",
    "DIFFUSERS_VERBOSITY": "error",
}


def quieten() -> None:
    """From here on show gennas' own warnings and those of the user's files only, each as one line on stderr.

    ``python -W …`` and ``PYTHONWARNINGS`` win: with them everything is shown as they say.
    """
    if sys.warnoptions:
        return
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    hush()
    warnings.showwarning = _show


def _show(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    if filename.startswith(_HOME) or filename in user_files():
        print(f"gennas: warning: {message}", file=sys.stderr)
