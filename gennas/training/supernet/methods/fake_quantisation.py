"""Fake quantisation of candidates: weights and activations rounded to INT8 in the forward pass, straight through."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from gennas.errors import ConfigError
from gennas.spaces.parts import Choice

__all__ = ["FakeQuantised", "quantise_candidates"]

_LEAST = 1e-8  # scale


class FakeQuantised(nn.Module):
    r"""Rounds a tensor to ``bits`` levels around 0; gradients pass inside of the range.

    .. math:: \hat x = s \cdot \mathrm{clip}(\mathrm{round}(x / s), -2^{b-1}, 2^{b-1} - 1), \qquad
        s = \max|x| / (2^{b-1} - 1)

    Weights take the present maximum of every output channel. Activations take a moving average of the batches' maxima,
    one per candidate, which stands still in evaluation mode.

    Args:
        bits: of the integers.
        momentum: of the moving average; None for weights.
    """

    largest: Tensor

    def __init__(self, bits: int = 8, momentum: float | None = None) -> None:
        super().__init__()
        if not 2 <= bits <= 16:
            raise ConfigError(f"Fake quantisation: expected 2 to 16 bits, got {bits}.")
        self.bits, self.momentum = bits, momentum
        self.register_buffer("largest", torch.zeros(()), persistent=momentum is not None)

    def forward(self, x: Tensor) -> Tensor:
        """The rounded tensor."""
        high = 2 ** (self.bits - 1) - 1
        if self.momentum is None:
            rows = x if x.ndim > 1 else x[None]
            scale = (rows.detach().abs().flatten(1).amax(1) / high).clamp_min(_LEAST)
            zero = torch.zeros(len(scale), dtype=torch.int32, device=x.device)
            found = torch.fake_quantize_per_channel_affine(rows, scale, zero, 0, -high - 1, high)
            return found.reshape(x.shape)
        if self.training:
            now = x.detach().abs().amax().to(self.largest)
            with torch.no_grad():
                self.largest.copy_(
                    torch.where(self.largest == 0, now, self.largest + self.momentum * (now - self.largest))
                )
        scale = float((self.largest / high).clamp_min(_LEAST))
        return torch.fake_quantize_per_tensor_affine(x, scale, 0, -high - 1, high)


def quantise_candidates(supernet: nn.Module, bits: int = 8, momentum: float = 0.1) -> nn.Module:
    """Let every candidate of a supernet compute as if in INT8: weights of convolutions and linear layers, and inputs.

    Stems, reductions and heads, which no decision changes, stay in floating point. The supernet is changed in place and
    returned; :meth:`Supernet.network <gennas.training.supernet.Supernet.network>` still gives plain networks with the
    weights before rounding. With a latency table of INT8 kernels this is the quantisation-aware variant of FBNet,
    *ours, after* the idea of searching what will be deployed in INT8. Report a derived network's accuracy both in
    floating point and quantised (:mod:`gennas.eval.hardware.quantize`).

    Args:
        supernet: whose choices are looked for.
        bits: of the integers.
        momentum: of the activations' ranges.

    Raises:
        ConfigError: it has no candidates with weights.
    """
    count = 0
    for choice in [m for m in supernet.modules() if isinstance(m, Choice)]:
        for layer in [m for candidate in choice.values() for m in candidate.modules() if type(m) in _ROUNDED]:
            layer.__class__ = _ROUNDED[type(layer)]  # the parameters keep their names, by which networks inherit them
            layer.weight_range, layer.input_range = FakeQuantised(bits), FakeQuantised(bits, momentum)
            count += 1
    if not count:
        raise ConfigError("Fake quantisation: expected candidates with convolutions or linear layers, found none.")
    return supernet


class _RoundedConv2d(nn.Conv2d):
    """A convolution of rounded weights and inputs."""

    weight_range: FakeQuantised
    input_range: FakeQuantised

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        found: Tensor = super()._conv_forward(self.input_range(input), self.weight_range(weight), bias)
        return found


class _RoundedLinear(nn.Linear):
    """A linear layer of rounded weights and inputs."""

    weight_range: FakeQuantised
    input_range: FakeQuantised

    def forward(self, input: Tensor) -> Tensor:
        """Apply it."""
        return nn.functional.linear(self.input_range(input), self.weight_range(self.weight), self.bias)


_ROUNDED: dict[type[nn.Module], Any] = {nn.Conv2d: _RoundedConv2d, nn.Linear: _RoundedLinear}
