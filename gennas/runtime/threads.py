"""CPU threads: one for work that is too small to share, some for what is measured or trained."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from threadpoolctl import ThreadpoolController

__all__ = ["cpu_threads", "one_thread"]


@contextmanager
def one_thread() -> Iterator[None]:
    """Run small networks and the linear algebra of small matrices on one CPU thread.

    More threads hardly help there, and where the cores are shared they wait for each other (a fit was
    seen to take 30 times as long); with one thread weights do not depend on the number of cores either.
    PyTorch is only told if it was imported before.

    Example:
        >>> import numpy as np
        >>> with one_thread():
        ...     float((np.eye(3) @ np.ones(3)).sum())
        3.0
    """
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch is not None else 0
    if torch is not None:
        torch.set_num_threads(1)
    try:
        with _libraries().limit(limits=1, user_api="blas"):
            yield
    finally:
        if torch is not None:
            torch.set_num_threads(threads)


@contextmanager
def cpu_threads(count: int | None) -> Iterator[None]:
    """Let PyTorch use ``count`` CPU threads for a while; None leaves their number alone.

    Example:
        >>> import torch
        >>> with cpu_threads(1):
        ...     torch.get_num_threads()
        1
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@lru_cache(maxsize=1)
def _libraries() -> ThreadpoolController:
    """The linear algebra libraries of this process; looking for them takes milliseconds."""
    return ThreadpoolController()
