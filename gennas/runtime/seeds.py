"""Random states that are set for a while and given back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["seeded"]


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
