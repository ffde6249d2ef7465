"""Networks of the macro-chain space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from gennas.spaces.parts import PLAIN, Elastic, Parts, Routed, Size, largest, single, sized
from gennas.spaces.spec import TaskSpec

if TYPE_CHECKING:
    from gennas.spaces.macro_chain.space import Layer

EXPANSION = 4  # of inverted bottlenecks


@dataclass(frozen=True)
class Choices:
    """A layer of which parts decide; the fields are those of a :class:`~gennas.spaces.macro_chain.Layer`."""

    op: Any
    kernel: Any
    width: Size
    stride: Size


class ChainNetwork(nn.Module):
    """Stem, one module per layer, head: images ``(b, channels, h, w)`` become logits ``(b, classes)``.

    The stem has as many channels as the first layer. In a shared network every layer has one module for each operation
    and kernel; channels are leading slices, and the first layers run.

    Args:
        layers: the layers, or all that there may be.
        spec: the task.
        depth: how many of them run; by default all.
        parts: what the network is made of.
    """

    def __init__(
        self, layers: Sequence[Layer | Choices], spec: TaskSpec, depth: Size | None = None, parts: Parts = PLAIN
    ) -> None:
        super().__init__()
        first, count = layers[0].width, len(layers) if depth is None else depth
        inputs = [first, *(layer.width for layer in layers)]
        self.stem = nn.Sequential(*conv_bn(spec.image_channels("macro-chain"), first, 3, parts=parts), nn.ReLU())
        self.layers = parts.rows([(count, lambda i: layer_module(layers[i], inputs[i], parts))])
        last = max(map(largest, inputs)) if isinstance(count, Elastic) else inputs[-1]
        self.head = nn.Sequential(parts.batch_norm(last), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = parts.linear(last, spec.num_outputs)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.head(self.layers(self.stem(images))))
        return logits


def layer_module(layer: Layer | Choices, inputs: Size, parts: Parts = PLAIN) -> nn.Module | None:
    """The module of one layer with ``inputs`` channels coming in, or of all that may stand there."""

    def make(chosen: tuple[str, int]) -> nn.Module:
        op, kernel = chosen
        match op:
            case "conv":
                convs = conv_bn(inputs, layer.width, kernel, layer.stride, parts=parts)
                return nn.Sequential(*convs, nn.ReLU())
            case "separable":
                depthwise = conv_bn(inputs, inputs, kernel, layer.stride, True, parts)
                return nn.Sequential(*depthwise, nn.ReLU(), *conv_bn(inputs, layer.width, 1, parts=parts), nn.ReLU())
            case _:
                return InvertedBottleneck(kernel, layer.width, layer.stride, inputs, parts)

    return parts.alternative(sized(lambda op, kernel: (op, kernel), layer.op, layer.kernel), make)


class InvertedBottleneck(Routed):
    """Expand, depthwise, project linearly (Sandler et al. 2018, arXiv 1801.04381)."""

    def __init__(self, kernel: int, width: Size, stride: Size, inputs: Size, parts: Parts = PLAIN) -> None:
        super().__init__()
        hidden = sized(lambda c: EXPANSION * c, inputs)
        depthwise = conv_bn(hidden, hidden, kernel, stride, True, parts)
        expand, project = conv_bn(inputs, hidden, 1, parts=parts), conv_bn(hidden, width, 1, parts=parts)
        self.body = nn.Sequential(*expand, nn.ReLU(), *depthwise, nn.ReLU(), *project)
        self.is_residual = sized(lambda by, before, after: by == 1 and before == after, stride, inputs, width)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return x + y if single(self.is_residual, self) else y


def conv_bn(
    inputs: Size, outputs: Size, kernel: int, stride: Size = 1, depthwise: bool = False, parts: Parts = PLAIN
) -> list[nn.Module]:
    """A bias-free convolution that keeps the size at stride 1, and batch normalisation."""
    conv = parts.conv(inputs, outputs, kernel, stride, depthwise, padding=kernel // 2, bias=False)
    return [conv, parts.batch_norm(outputs)]
