"""Weights that move between networks which know different conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gennas.errors import CheckpointError, shown

Places = tuple[int, NDArray[np.int64]]
"""An axis and, for every place along it, the place in the other network; -1 where there is none."""


def copy_weights(
    new: nn.Module, old: nn.Module, places: Mapping[str, Places] | None = None, leave: Sequence[str] = ()
) -> None:
    """Copy all weights of ``old`` into ``new``.

    Args:
        new: its weights are overwritten.
        old: has parameters of the same names.
        places: of the parameters whose size depends on the conditions: what is copied where; the rest of them stays.
        leave: beginnings of names that are left as they are.

    Raises:
        CheckpointError: another parameter is missing or has another size.
    """
    theirs, moved = old.state_dict(), places or {}
    with torch.no_grad():
        for name, mine in new.state_dict().items():
            if name.startswith(tuple(leave)):
                continue
            if name in moved:
                axis, index = moved[name]
                known = index >= 0
                mine.movedim(axis, 0)[known] = theirs[name].movedim(axis, 0)[index[known]].to(mine)
            elif name not in theirs or theirs[name].shape != mine.shape:
                got = tuple(theirs[name].shape) if name in theirs else "nothing"
                raise CheckpointError(
                    f"Expected weights {shown(name)} of shape {tuple(mine.shape)}, got {got}; use the same sizes as "
                    "the generator to start from."
                )
            else:
                mine.copy_(theirs[name])


def blocks(kept: Sequence[int | None], size: int = 1) -> NDArray[np.int64]:
    """Places of conditions that own ``size`` consecutive places each; condition ``i`` was ``kept[i]``, None: none."""
    first = np.array([-1 if j is None else size * j for j in kept], dtype=np.int64)[:, None]
    places: NDArray[np.int64] = np.where(first < 0, -1, first + np.arange(size)).ravel()
    return places
