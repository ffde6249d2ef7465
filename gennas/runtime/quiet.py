"""Keeping what other libraries log out of a user's terminal, in worker processes too."""

from __future__ import annotations

import logging
import os

__all__ = ["hush", "hush_if_asked"]

_ASKED = "GENNAS_QUIET"


def hush() -> None:
    """Drop log records up to warnings, here and in processes started from here; gennas itself logs nothing."""
    os.environ[_ASKED] = "1"
    logging.disable(logging.WARNING)


def hush_if_asked() -> None:
    """Do the same in a worker process of one that did."""
    if os.environ.get(_ASKED):
        logging.disable(logging.WARNING)
