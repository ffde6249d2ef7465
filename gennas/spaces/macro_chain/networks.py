"""Networks of the macro-chain space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn

from gennas.spaces.spec import TaskSpec

if TYPE_CHECKING:
    from gennas.spaces.macro_chain.space import Layer

EXPANSION = 4  # of inverted bottlenecks


class ChainNetwork(nn.Module):
    """Stem, one module per layer, head: images ``(b, channels, h, w)`` become logits ``(b, classes)``.

    The stem has as many channels as the first layer.
    """

    def __init__(self, layers: Sequence[Layer], spec: TaskSpec) -> None:
        super().__init__()
        inputs = layers[0].width
        self.stem = nn.Sequential(*conv_bn(spec.image_channels("macro-chain"), inputs, 3), nn.ReLU())
        self.layers = nn.Sequential()
        for layer in layers:
            self.layers.append(layer_module(layer, inputs))
            inputs = layer.width
        self.head = nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(inputs, spec.num_outputs)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.head(self.layers(self.stem(images))))
        return logits


def layer_module(layer: Layer, inputs: int) -> nn.Module:
    """The module of one layer with ``inputs`` channels coming in."""
    match layer.op:
        case "conv":
            return nn.Sequential(*conv_bn(inputs, layer.width, layer.kernel, layer.stride), nn.ReLU())
        case "separable":
            depthwise = conv_bn(inputs, inputs, layer.kernel, layer.stride, groups=inputs)
            return nn.Sequential(*depthwise, nn.ReLU(), *conv_bn(inputs, layer.width, 1), nn.ReLU())
        case _:
            return InvertedBottleneck(layer, inputs)


class InvertedBottleneck(nn.Module):
    """Expand, depthwise, project linearly (Sandler et al. 2018, arXiv 1801.04381)."""

    def __init__(self, layer: Layer, inputs: int) -> None:
        super().__init__()
        hidden = EXPANSION * inputs
        depthwise = conv_bn(hidden, hidden, layer.kernel, layer.stride, groups=hidden)
        self.body = nn.Sequential(
            *conv_bn(inputs, hidden, 1), nn.ReLU(), *depthwise, nn.ReLU(), *conv_bn(hidden, layer.width, 1)
        )
        self.is_residual = layer.stride == 1 and inputs == layer.width

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return x + y if self.is_residual else y


def conv_bn(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """A bias-free convolution that keeps the size at stride 1, and batch normalisation."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs)]
