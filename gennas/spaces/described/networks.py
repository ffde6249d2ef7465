"""Networks of YAML spaces: blocks, and what stands around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from gennas.errors import ConfigError
from gennas.spaces.spec import TaskSpec

__all__ = ["Attention", "ImageNetwork", "Inverted", "TokenConv", "TokenNetwork", "build_network"]

Settings = Mapping[str, Any]
Layers = Sequence[Sequence[tuple[str, Settings]]]
_ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU, "gelu": nn.GELU, "hardswish": nn.Hardswish, "silu": nn.SiLU,
}  # fmt: skip


def build_network(space: str, network: str, settings: Settings, layers: Layers, spec: TaskSpec) -> nn.Module:
    """The network for a task.

    Raises:
        ConfigError: another kind of task, patches that do not fit the images, or heads that do not divide the width.
    """
    if network == "tokens":
        spec.require(space, "language", "tagging", "text")
        return TokenNetwork(space, TokenStem(int(settings["width"]), spec), settings, layers, spec)
    spec.require(space, "image")
    if network == "images":
        return ImageNetwork(space, settings, layers, spec)
    return TokenNetwork(space, PatchStem(space, settings, spec), settings, layers, spec)


class ImageNetwork(nn.Module):
    """A 3x3 convolution, the layers, norm, ReLU, mean, linear classifier."""

    def __init__(self, space: str, settings: Settings, layers: Layers, spec: TaskSpec) -> None:
        super().__init__()
        channels = int(settings["width"])
        self.stem = nn.Sequential(*conv_bn(spec.input_shape[0], channels, 3), nn.ReLU())
        self.layers = nn.Sequential()
        for blocks in layers:
            layer = nn.Sequential()
            for name, arguments in blocks:
                module, channels = image_block(name, arguments, channels)
                layer.append(module)
            self.layers.append(layer)
        self.head = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(channels, spec.num_outputs)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.head(self.layers(self.stem(images))))
        return logits


def image_block(name: str, arguments: Settings, channels: int) -> tuple[nn.Module, int]:
    """A block on images, and the channels that come out of it."""
    if name == "identity":
        return nn.Identity(), channels
    kernel, stride = int(arguments["kernel"]), int(arguments["stride"])
    if name == "max_pool":
        return nn.MaxPool2d(kernel, stride, padding=kernel // 2), channels
    if name == "avg_pool":
        return nn.AvgPool2d(kernel, stride, padding=kernel // 2, count_include_pad=False), channels
    width = channels if arguments["width"] is None else int(arguments["width"])
    activation = _ACTIVATIONS[arguments["activation"]]
    if name == "conv":
        return nn.Sequential(*conv_bn(channels, width, kernel, stride), activation()), width
    if name == "separable":
        depthwise = conv_bn(channels, channels, kernel, stride, groups=channels)
        return nn.Sequential(*depthwise, activation(), *conv_bn(channels, width, 1), activation()), width
    return Inverted(channels, width, kernel, stride, float(arguments["expansion"]), activation), width


class Inverted(nn.Module):
    """Expand, depthwise, project linearly; added to the input where shapes agree."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int,
        expansion: float,
        activation: Callable[[], nn.Module],
    ) -> None:
        super().__init__()
        hidden = max(1, round(expansion * inputs))
        self.body = nn.Sequential(
            *conv_bn(inputs, hidden, 1),
            activation(),
            *conv_bn(hidden, hidden, kernel, stride, groups=hidden),
            activation(),
            *conv_bn(hidden, outputs, 1),
        )
        self.is_residual = stride == 1 and inputs == outputs and kernel % 2 == 1

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return x + y if self.is_residual else y


def conv_bn(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """A bias-free convolution and batch normalisation."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs)]


class TokenNetwork(nn.Module):
    """Tokens ``(b, t, width)`` from a stem, residual blocks, layer norm, outputs of each token or of their mean."""

    def __init__(self, space: str, stem: nn.Module, settings: Settings, layers: Layers, spec: TaskSpec) -> None:
        super().__init__()
        width, causal = int(settings["width"]), spec.kind == "language"
        self.stem = stem
        self.blocks = nn.Sequential(
            *(token_block(space, *block, width, causal) for blocks in layers for block in blocks)
        )
        self.norm = nn.LayerNorm(width)
        self.classifier = nn.Linear(width, spec.num_outputs)
        self.takes_mean = spec.kind in ("image", "text")

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.blocks(self.stem(x)))
        logits: Tensor = self.classifier(x.mean(1) if self.takes_mean else x)
        return logits


class PatchStem(nn.Module):
    """Images cut into squares, each a token, with learned positions."""

    def __init__(self, space: str, settings: Settings, spec: TaskSpec) -> None:
        super().__init__()
        patch, width = int(settings["patch"]), int(settings["width"])
        channels, height, breadth = spec.input_shape
        if height % patch or breadth % patch:
            raise ConfigError(
                f"{space}: expected images whose sides are multiples of the patch, {patch} pixels, got {height} x "
                f"{breadth}: set another patch, or scale the images."
            )
        self.project = nn.Conv2d(channels, width, patch, stride=patch)
        self.positions = nn.Parameter(0.02 * torch.randn(height // patch * (breadth // patch), width))

    def forward(self, images: Tensor) -> Tensor:
        tokens: Tensor = self.project(images).flatten(2).transpose(1, 2)
        return tokens + self.positions


class TokenStem(nn.Module):
    """Embedded tokens with learned positions."""

    def __init__(self, width: int, spec: TaskSpec) -> None:
        super().__init__()
        self.embedding = nn.Embedding(spec.vocabulary, width)
        self.positions = nn.Parameter(0.02 * torch.randn(spec.input_shape[0], width))

    def forward(self, tokens: Tensor) -> Tensor:
        embedded: Tensor = self.embedding(tokens)
        return embedded + self.positions[: tokens.shape[1]]


def token_block(space: str, name: str, arguments: Settings, width: int, causal: bool) -> nn.Module:
    """A block on tokens ``(b, t, width)``."""
    if name == "identity":
        return nn.Identity()
    if name == "attention":
        heads = int(arguments["heads"])
        if arguments["head_width"] is None and width % heads:
            raise ConfigError(
                f"{space}: expected heads that divide the width {width}, got {heads}: give attention a head_width."
            )
        return Residual(width, Attention(width, heads, int(arguments["head_width"] or width // heads), causal))
    if name == "token_conv":
        return Residual(width, TokenConv(width, int(arguments["kernel"]), causal))
    hidden = max(1, round(float(arguments["ratio"]) * width))
    activation = _ACTIVATIONS[arguments["activation"]]()
    return Residual(width, nn.Sequential(nn.Linear(width, hidden), activation, nn.Linear(hidden, width)))


class Residual(nn.Module):
    """Layer norm, a body, added to the input."""

    def __init__(self, width: int, body: nn.Module) -> None:
        super().__init__()
        self.norm, self.body = nn.LayerNorm(width), body

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(self.norm(x))
        return x + y


class Attention(nn.Module):
    """Multi-head self-attention; the rows of ``qkv`` are ordered (head, 3, head_width)."""

    def __init__(self, width: int, heads: int, head_width: int, causal: bool) -> None:
        super().__init__()
        self.head_width, self.causal = head_width, causal
        self.qkv = nn.Linear(width, 3 * heads * head_width)
        self.project = nn.Linear(heads * head_width, width)

    def forward(self, x: Tensor) -> Tensor:
        b, t, _ = x.shape
        q, k, v = self.qkv(x).view(b, t, -1, 3, self.head_width).permute(3, 0, 2, 1, 4)
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        out: Tensor = self.project(y.transpose(1, 2).reshape(b, t, -1))
        return out


class TokenConv(nn.Module):
    """A depthwise convolution over neighbouring tokens, or over those before only, and a linear layer."""

    def __init__(self, width: int, kernel: int, causal: bool) -> None:
        super().__init__()
        self.padding = (kernel - 1, 0) if causal else (kernel // 2, (kernel - 1) // 2)
        self.depthwise = nn.Conv1d(width, width, kernel, groups=width)
        self.project = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(functional.pad(x.transpose(1, 2), self.padding)).transpose(1, 2)
        out: Tensor = self.project(functional.gelu(y))
        return out
