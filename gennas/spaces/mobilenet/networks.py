"""Networks of inverted bottlenecks in a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from gennas.spaces.mobilenet.blocks import Block, Skeleton
from gennas.spaces.parts import PLAIN, Elastic, Parts, Size
from gennas.spaces.spec import TaskSpec

_ACTIVATIONS = {"relu": nn.ReLU, "relu6": nn.ReLU6, "h_swish": nn.Hardswish}


class MobileNetwork(nn.Module):
    """Stem, blocks, a 1x1 convolution, average over all places, classifier: images become logits ``(b, classes)``.

    Args:
        skeleton: stem and head.
        blocks: the blocks between them: how many of each group, and how one is made.
        outputs: channels of the last of them.
        spec: the task.
        resolution: side to which images are scaled first, bilinearly; 0 leaves them as they are.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        blocks: Sequence[tuple[Size, Callable[[int], nn.Module]]],
        outputs: int,
        spec: TaskSpec,
        resolution: int = 0,
        parts: Parts = PLAIN,
    ) -> None:
        super().__init__()
        activation = _ACTIVATIONS[skeleton.activation]
        self.resize = nn.Upsample((resolution, resolution), mode="bilinear") if resolution else nn.Identity()
        stem = conv_bn(spec.input_shape[0], skeleton.stem, 3, skeleton.stem_stride)
        self.stem = nn.Sequential(*stem, activation())
        self.blocks = parts.rows(blocks)
        self.head = nn.Sequential(*conv_bn(outputs, skeleton.head, 1), activation())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.mix = nn.Sequential()
        if skeleton.mix:
            self.mix = nn.Sequential(nn.Conv2d(skeleton.head, skeleton.mix, 1, bias=False), activation())
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(skeleton.mix or skeleton.head, spec.num_outputs)

    def forward(self, images: Tensor) -> Tensor:
        x = self.blocks(self.stem(self.resize(images)))
        logits: Tensor = self.classifier(self.flatten(self.mix(self.pool(self.head(x)))))
        return logits


def block_module(block: Block, parts: Parts = PLAIN) -> nn.Module:
    """The module of a layer."""
    return InvertedBottleneck(block, parts) if block.hidden else skip(block)


class InvertedBottleneck(nn.Module):
    """Expand, depthwise, squeeze and excite, project linearly; plus the input where the shapes agree."""

    def __init__(self, block: Block, parts: Parts = PLAIN) -> None:
        super().__init__()
        activation, hidden = _ACTIVATIONS[block.activation], block.hidden
        layers: list[nn.Module] = []
        if block.expands:
            layers += [*conv_bn(block.inputs, hidden, 1, groups=block.groups, parts=parts), activation()]
            if block.groups > 1:
                layers.append(nn.ChannelShuffle(block.groups))
        layers += [*conv_bn(hidden, hidden, block.kernel, block.stride, depthwise=True, parts=parts), activation()]
        if block.squeeze:
            layers.append(SqueezeExcite(hidden, block.squeeze, parts))
        self.body = nn.Sequential(*layers, *conv_bn(hidden, block.outputs, 1, groups=block.groups, parts=parts))
        self.is_residual = block.stride == 1 and block.inputs == block.outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return x + y if self.is_residual else y


class SqueezeExcite(nn.Module):
    """Channels weighted by a function of all their means (Hu et al. 2018, arXiv 1709.01507; MobileNetV3's gate)."""

    def __init__(self, channels: Size, squeezed: Size, parts: Parts = PLAIN) -> None:
        super().__init__()
        squeeze, excite = parts.conv(channels, squeezed, 1), parts.conv(squeezed, channels, 1)
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), squeeze, nn.ReLU(), excite, nn.Hardsigmoid())

    def forward(self, x: Tensor) -> Tensor:
        weighted: Tensor = x * self.gate(x)
        return weighted


def skip(block: Block) -> nn.Module:
    """What leaves a layer out: nothing, or what brings its input to the shape of its output."""
    return nn.Sequential(*conv_bn(block.inputs, block.outputs, 1, block.stride)) if block.projects else nn.Identity()


def conv_bn(
    inputs: Size,
    outputs: Size,
    kernel: Size,
    stride: int = 1,
    depthwise: bool = False,
    groups: int = 1,
    parts: Parts = PLAIN,
) -> list[nn.Module]:
    """A bias-free convolution that keeps the size at stride 1, and batch normalisation."""
    padding = {} if isinstance(kernel, Elastic) else {"padding": kernel // 2}
    conv = parts.conv(inputs, outputs, kernel, stride, depthwise, groups, bias=False, **padding)
    return [conv, parts.batch_norm(outputs)]
