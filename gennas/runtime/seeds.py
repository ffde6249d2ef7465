"""Random states that are set for a while and given back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch

__all__ = ["draw_seed", "seeded"]


@contextmanager
def seeded(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Seed PyTorch's global random state on the CPU and ``device``, and give it back afterwards.

    Example:
        >>> import torch
        >>> before = torch.get_rng_state()
        >>> with seeded(0):
        ...     first = torch.rand(())
        >>> with seeded(0):
        ...     first == torch.rand(())
        tensor(True)
        >>> torch.equal(before, torch.get_rng_state())
        True
    """
    import torch

    place = torch.device(device)
    cuda = [place] if place.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.default_generator.manual_seed(seed)
        for other in cuda:
            with torch.cuda.device(other):
                torch.cuda.manual_seed(seed)
        yield


def draw_seed(rng: np.random.Generator) -> int:
    """A seed for another generator of random numbers, from 0 to 2**31 - 1."""
    return int(rng.integers(2**31))
