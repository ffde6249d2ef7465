"""Random crops and mirror images of whole batches at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Augmentation"]


@dataclass(frozen=True)
class Augmentation:
    """Random crop after zero padding, then a random mirror image, each image on its own.

    He et al., "Deep Residual Learning for Image Recognition", 2015, arXiv 1512.03385, section 4.2.

    Args:
        padding: pixels added on every side before the crop; 0 for no crop.
        flip: mirror left and right with probability one half.

    Shapes: images ``(b, c, h, w)`` in and out. Random numbers come from a CPU generator, so that
    every device sees the same ones.
    """

    padding: int
    flip: bool

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return an augmented copy of ``x``."""
        if self.padding:
            x = self._crop(x, generator)
        if self.flip:
            mirrored = torch.rand(len(x), generator=generator) < 0.5
            x = torch.where(mirrored.to(x.device).view(-1, 1, 1, 1), x.flip(-1), x)
        return x

    def _crop(self, x: Tensor, generator: torch.Generator) -> Tensor:
        b, c, h, w = x.shape
        padded = functional.pad(x, (self.padding,) * 4)
        shift = torch.randint(2 * self.padding + 1, (2, b, 1), generator=generator).to(x.device)
        rows = shift[0] + torch.arange(h, device=x.device)  # (b, h)
        columns = shift[1] + torch.arange(w, device=x.device)  # (b, w)
        image = torch.arange(b, device=x.device).view(b, 1, 1, 1)
        channel = torch.arange(c, device=x.device).view(1, c, 1, 1)
        return padded[image, channel, rows.view(b, 1, h, 1), columns.view(b, 1, 1, w)]
