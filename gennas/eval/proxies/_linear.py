"""Linear algebra that several proxies share."""

from __future__ import annotations

import torch
from torch import Tensor

from gennas.eval.proxies.outcome import UndefinedError


def correlation(rows: Tensor) -> Tensor:
    """Correlation matrix of rows, ``(b, n)`` to ``(b, b)``, in float64.

    Raises:
        UndefinedError: a row is constant.
    """
    centred = rows.double() - rows.double().mean(1, keepdim=True)
    norms = centred.norm(dim=1, keepdim=True)
    if not bool((norms > 0).all()):
        raise UndefinedError("an example's gradient is constant over the input, so it has no correlation")
    unit = centred / norms
    matrix: Tensor = (unit @ unit.T).clamp(-1.0, 1.0)
    return matrix


def sign_kernel(signs: list[Tensor]) -> Tensor:
    r"""Number of units on whose sign two examples agree, ``(b, b)``, over all activations, in float64."""
    total = torch.zeros(1, dtype=torch.float64)
    for layer in signs:
        s = layer.float() * 2 - 1  # exact: sums of at most 2**24 ones
        total = total.to(layer.device) + (layer.shape[1] + (s @ s.T).double()) / 2
    return total
