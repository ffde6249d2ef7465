"""Parts and shares of labelled examples, class by class, always the same for a seed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from gennas.training.data.base import Part

__all__ = ["part_of_name", "scaled_size", "stratified_share", "stratified_split"]


def scaled_size(size: int, scale: float) -> int:
    """Pixels or tokens left of ``size``, at least one."""
    return max(1, round(size * scale))


def stratified_share(y: Tensor, fraction: float, seed: int) -> Tensor:
    """Indices, ascending, of a share of every class and at least one example of each.

    For one ``seed`` a smaller share is part of a larger one.
    """
    rank, size = _class_ranks(y, seed)
    return torch.nonzero(((rank + 0.5) / size < fraction) | (rank == 0)).flatten()


def stratified_split(y: Tensor, fractions: tuple[float, ...], seed: int) -> list[Tensor]:
    """Split examples into parts of the given shares, class by class; indices of each part, ascending.

    Example:
        >>> parts = stratified_split(torch.tensor([0, 0, 0, 0, 1, 1]), (0.5, 0.5), seed=0)
        >>> [len(part) for part in parts]
        [3, 3]
    """
    bounds = torch.tensor(fractions, dtype=torch.float64).cumsum(0)[:-1]
    rank, size = _class_ranks(y, seed)
    which = torch.bucketize((rank + 0.5) / size, bounds, right=True)
    return [torch.nonzero(which == part).flatten() for part in range(len(fractions))]


def part_of_name(name: str) -> Part:
    """The part that a file belongs to, by a hash of its name: 80 % train, 10 % validation, 10 % test.

    A file thus keeps its part when others come or go.

    Example:
        >>> part_of_name("ast.py"), part_of_name("abc.py")
        ('train', 'train')
    """
    place = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "big") % 10
    return "validation" if place == 8 else "test" if place == 9 else "train"


def _class_ranks(y: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Place of each example in a random order of its class, and the size of that class, ``(n,)`` each."""
    labels = y.cpu().numpy()
    order = np.lexsort((np.random.default_rng(seed).random(len(labels)), labels))
    rank = np.empty(len(labels))
    rank[order] = np.arange(len(labels)) - np.searchsorted(labels[order], labels[order])
    return torch.from_numpy(rank), torch.from_numpy(np.bincount(labels)[labels])
