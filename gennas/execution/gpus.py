"""Which GPUs and CPUs this process may use, and which of them each of its workers gets."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gennas.errors import ConfigError, shown

__all__ = ["on_gpu", "usable_cpus", "usable_gpus"]

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_NAME = re.compile(r"[0-9]+|(GPU|MIG)-[0-9A-Za-z/-]+")


def usable_cpus() -> int:
    """CPU cores that this process may run on.

    Example:
        >>> usable_cpus() >= 1
        True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def usable_gpus(wanted: str | int | Sequence[str | int]) -> tuple[str, ...]:
    """Names of GPUs as ``CUDA_VISIBLE_DEVICES`` knows them.

    Args:
        wanted: ``all`` that this process sees, or a list of numbers (or UUIDs, also of MIG slices).

    Raises:
        ConfigError: there are none, one is named twice, or a name is none, of which CUDA would make no GPU at all.

    Example:
        >>> usable_gpus([0, 2]), usable_gpus("0, 2"), usable_gpus(1)
        (('0', '2'), ('0', '2'), ('1',))
    """
    if wanted == "all":
        found = _visible()
        if not found:
            raise ConfigError("gpus=all was asked for, but this process sees no GPU.")
    else:
        names = wanted.split(",") if isinstance(wanted, str) else [wanted] if isinstance(wanted, int) else wanted
        found = tuple(str(name).strip() for name in names)
        if not found or len(set(found)) < len(found) or not all(map(_NAME.fullmatch, found)):
            raise ConfigError(f"Expected gpus=all or a list of different GPUs such as [0, 1], got {shown(wanted)}.")
    return found


def _visible() -> tuple[str, ...]:
    given = os.environ.get(_VISIBLE)
    if given is not None:
        return tuple(part.strip() for part in given.split(",") if part.strip() not in ("", "-1"))
    import torch

    return tuple(map(str, range(torch.cuda.device_count())))


@contextmanager
def on_gpu(name: str | None) -> Iterator[None]:
    """Processes that are started here see this GPU only, as their number 0; None: what this process sees."""
    before = os.environ.get(_VISIBLE)
    if name is not None:
        os.environ[_VISIBLE] = name
    try:
        yield
    finally:
        if name is not None:
            os.environ.pop(_VISIBLE)
            if before is not None:
                os.environ[_VISIBLE] = before
