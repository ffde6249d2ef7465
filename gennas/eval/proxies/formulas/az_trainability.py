r"""Trainability of AZ-NAS.

.. math:: \frac{1}{L} \sum_l \Big( 2 - \sigma_l - \frac{1}{\sigma_l + 10^{-6}} \Big), \quad
          \sigma_l = \Big\| \frac{1}{B H W} \, g_{\text{in}}^T g_{\text{out}} \Big\|_2

with :math:`g_{\text{out}}` random signs at the output of block ``l``, ``(positions, channels)``, and
:math:`g_{\text{in}}` their vector-Jacobian product at the output of block ``l - 1``; where a block reduces the
resolution, the pixels that become one are stacked as channels. A spectral norm of one keeps gradients from vanishing
and exploding. A block that hands its input on unchanged would be perfect and learns nothing: with such a block the
score is undefined.
Source: Lee and Ham 2024, "AZ-NAS", arXiv 2403.19232.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from gennas.eval.proxies._record import channels_last
from gennas.eval.proxies.base import PROXIES, Proxy
from gennas.eval.proxies.outcome import NotApplicableError, UndefinedError
from gennas.eval.proxies.passes import Passes

__all__ = ["AZTrainability"]


@PROXIES.register("az_trainability")
class AZTrainability(Proxy):
    """How close to one the blocks' backward gain is, on average."""

    name = "az_trainability"
    needs = frozenset({"data", "gradients"})
    passes = frozenset({"blocks", "block_gradients"})
    domain = "networks of two blocks or more"

    def score(self, run: Passes) -> float:
        """One forward pass and a backward pass through each block."""
        if not run.block_gradients:
            raise NotApplicableError("the network has fewer than two blocks")
        return sum(_gain(signs, back) for signs, back in run.block_gradients) / len(run.block_gradients)


def _gain(signs: Tensor, back: Tensor) -> float:
    if signs.shape == back.shape and torch.equal(signs, back):
        raise UndefinedError("a block hands its input on unchanged")
    if back.ndim == 4 and back.shape[2:] != signs.shape[2:]:
        factor = -(-back.shape[2] // signs.shape[2])
        fill = [s * factor - b for s, b in zip(signs.shape[2:], back.shape[2:], strict=True)]
        if min(fill) < 0:
            raise NotApplicableError(f"a block maps {tuple(back.shape[2:])} pixels to {tuple(signs.shape[2:])}")
        back = functional.pixel_unshuffle(functional.pad(back, (0, fill[1], 0, fill[0])), factor)
    g_out, g_in = channels_last(signs), channels_last(back)
    if len(g_out) != len(g_in):
        raise NotApplicableError(f"a block maps {len(g_in)} positions to {len(g_out)}")
    sigma = float(torch.linalg.matrix_norm(g_in.T @ g_out / len(g_out), 2))
    return 2 - sigma - 1 / (sigma + 1e-6)
