"""Depthwise convolutions whose kernels shrink by learned matrices."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from gennas.spaces.parts.routing import Routed
from gennas.spaces.parts.sizes import Elastic, Size, largest, single

__all__ = ["ElasticKernelConv2d"]


class ElasticKernelConv2d(Routed, nn.Conv2d):
    r"""A depthwise convolution whose kernel's side varies (once-for-all).

    A smaller kernel is the centre of the next larger one, as a vector of :math:`k^2` numbers multiplied by a matrix
    that all channels of the layer share and that begins as the identity:

    .. math:: w_k = M_k \, \mathrm{centre}_k(w_{k'})

    Source: Cai et al. 2020, "Once-for-All", arXiv 1908.09791, section 3.3. No bias; the padding keeps the size.

    Args:
        channels: channels, of which the first that arrive are used.
        kernel: odd sides.
        stride: its stride.
        **options: as of :class:`torch.nn.Conv2d`.
    """

    def __init__(self, channels: Size, kernel: Elastic, stride: int = 1, **options: Any) -> None:
        c, self.kernels = largest(channels), sorted({int(k) for k in kernel.table.values()})
        super().__init__(c, c, self.kernels[-1], stride, groups=c, bias=False, **options)
        self.kernel = kernel
        self.matrices = nn.ParameterDict({str(k): torch.eye(k**2) for k in self.kernels[:-1]})

    def shrunk(self, kernel: int, channels: int) -> Tensor:
        """The weights ``(channels, 1, kernel, kernel)`` of a kernel."""
        weight, side = self.weight[:channels], self.kernels[-1]
        for k in reversed(self.kernels[:-1]):
            if k < kernel:
                break
            cut = (side - k) // 2
            centre = weight[:, :, cut : side - cut, cut : side - cut].flatten(2)
            weight, side = functional.linear(centre, self.matrices[str(k)]).unflatten(2, (k, k)), k
        return weight

    def views(self, kernel: int, channels: int) -> list[Tensor]:
        """Views of the parameters that a kernel is made of."""
        return [self.weight[:channels], *(self.matrices[str(k)] for k in self.kernels[:-1] if k >= kernel)]

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``(b, c, h, w)``."""
        kernel, c = int(single(self.kernel, self)), x.shape[1]
        return functional.conv2d(x, self.shrunk(kernel, c), None, self.stride, kernel // 2, 1, c)
