"""Log-synflow of chains of convolutions in closed form, about a thousand times quicker than by networks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, shown
from gennas.graph import Population
from gennas.spaces import MacroChain, TaskSpec
from gennas.testing.landscapes.base import LANDSCAPES, BoundedLandscape, FloatArray

__all__ = ["MeanFieldLogSynflow", "macro8", "macro12"]

_EXPANSION = 4  # of inverted bottlenecks
_PARTS = 3  # most convolutions of a layer


class MeanFieldLogSynflow(BoundedLandscape):
    r"""The proxy ``logsynflow`` of freshly initialised chains, with every weight at its mean absolute value.

    PyTorch draws the weights of a convolution from :math:`U(-1/\sqrt{n}, 1/\sqrt{n})`, ``n`` inputs of each output,
    so that :math:`E|w| = 1 / (2 \sqrt n)`. With channels and positions exchangeable, ones sent through absolute weights
    are one number per layer, as are the gradients that come back:

    .. math::
        a_{l+1} = a_l\, t_l^2\, n_l\, E|w_l|, \quad
        g_l = g_{l+1}\, m_l\, E|w_l|\, (t_l h_{l+1} / h_l)^2, \quad
        f = \sum_l N_l\, E|w_l| \log(1 + g_{l+1} a_l h_{l+1}^2 t_l^2 / k_l^2)

    with ``h`` rows of a map, :math:`t_l` the mean number of the kernel's :math:`k_l` rows that lie inside of the image,
    ``n`` and ``m`` channels in and out (1 in depthwise convolutions), :math:`N_l` weights. Its rank correlation with
    the proxy is .999 on random chains of at most 1e5 parameters.

    ``params`` is the networks' number of parameters, known without an evaluation.

    Args:
        space: chains of convolutions, unscaled.
        bound: most parameters of a feasible chain.
        size: rows and columns of the images.
        classes: outputs.

    Raises:
        ConfigError: another kind of space.

    Example:
        >>> from gennas.eval.base import FULL_FIDELITY
        >>> landscape = MeanFieldLogSynflow()
        >>> chain = landscape.space.from_text("conv3x3-w16-s1/inverted5x5-w16-s2")
        >>> {name: round(value) for name, value in landscape.evaluate(chain, FULL_FIDELITY, 0).items()}
        {'logsynflow': 2029, 'params': 6938}

    Source of the proxy: :mod:`gennas.eval.proxies.formulas.logsynflow`.
    """

    goal, cost, _unit = "logsynflow", "params", ""
    space: MacroChain

    def __init__(
        self, space: MacroChain | None = None, bound: float = 1e5, *, size: int = 32, classes: int = 10
    ) -> None:
        space = space or MacroChain()
        if not isinstance(space, MacroChain):
            raise ConfigError(f"Expected a MacroChain for the mean-field log-synflow, got {shown(space.name)}.")
        super().__init__(space, "mean-field logsynflow", bound)
        self._spec = TaskSpec("image", (3, size, size), classes)
        self._taps = _taps(max(*space.choices[1], 3), size)

    def values(self, population: Population) -> FloatArray:
        """The closed form, ``(b,)``."""
        convs = _Convolutions.of(self.space, population, self._spec.image_channels("mean-field"))
        ahead = self._forward(convs)
        mean = 0.5 / np.sqrt(convs.last_width)  # E|w| of the classifier
        total = convs.last_width * self._spec.num_outputs * mean * np.log1p(ahead.last)
        return total + _backward(convs, ahead, self._spec.num_outputs * mean / ahead.rows**2)

    def _forward(self, convs: _Convolutions) -> _Forward:
        """Ones through mean absolute weights."""
        b, steps = convs.kernel.shape
        entered, taps, before = (np.empty((b, steps)) for _ in range(3))
        activation, rows = np.ones(b), np.full(b, self._spec.input_shape[-1])
        for i in range(steps):
            entered[:, i], before[:, i] = activation, rows
            taps[:, i] = self._taps[convs.kernel[:, i], convs.stride[:, i], rows]
            through = activation * taps[:, i] ** 2 * convs.fan_in[:, i] * convs.mean[:, i]
            activation = np.where(convs.exists[:, i], through, activation)
            if i and i % _PARTS == 0:  # a layer ends; its first part stands two places before
                activation += np.where(convs.residual[:, i], entered[:, i - _PARTS + 1], 0.0)
            rows = -(-rows // convs.stride[:, i])
        after = np.concatenate([before[:, 1:], rows[:, None]], axis=1)
        return _Forward(entered, taps, before, after, activation, rows)

    def costs(self, population: Population) -> FloatArray:
        """Parameters of the networks, ``(b,)``."""
        counted = self.space.count_parameters(population, self._spec)
        if counted is None:
            raise ConfigError("Expected a space of unscaled depth, whose parameters are counted.")
        return counted.astype(np.float64)


@dataclass(frozen=True)
class _Forward:
    """Of every convolution, ``(b, steps)``: what enters, the mean taps, rows before and after; and what comes out."""

    entered: FloatArray
    taps: FloatArray
    before: FloatArray
    after: FloatArray
    last: FloatArray
    rows: NDArray[np.intp]


def _backward(convs: _Convolutions, ahead: _Forward, gradient: FloatArray) -> FloatArray:
    """Sum over convolutions of their weights' part, from the gradient of the last map's elements, ``(b,)``."""
    total, around = np.zeros(len(gradient)), np.zeros(len(gradient))
    reached = (ahead.taps * ahead.after) ** 2  # outputs and taps, by rows and columns
    for i in reversed(range(convs.kernel.shape[1])):
        if i and i % _PARTS == 0:
            around = np.where(convs.residual[:, i], gradient, 0.0)
        area = convs.kernel[:, i] ** 2
        absolute = area * convs.fan_in[:, i] * convs.channels[:, i] * convs.mean[:, i]  # sum of |w|
        part = absolute * np.log1p(gradient * ahead.entered[:, i] * reached[:, i] / area)
        total += np.where(convs.exists[:, i], part, 0.0)
        back = gradient * convs.fan_out[:, i] * convs.mean[:, i] * reached[:, i] / ahead.before[:, i] ** 2
        gradient = np.where(convs.exists[:, i], back, gradient)
        if i % _PARTS == 1:  # a layer began
            gradient = gradient + around
    return total


@dataclass(frozen=True)
class _Convolutions:
    """The stem, and three places for the convolutions of every layer, ``(b, 1 + 3 layers)``.

    A convolution has ``fan_in`` channels for each output and goes to ``fan_out`` channels from each input; it has
    ``channels`` outputs. Places without a convolution have ones everywhere.
    """

    exists: NDArray[np.bool_]
    kernel: NDArray[np.intp]
    stride: NDArray[np.intp]
    fan_in: FloatArray
    fan_out: FloatArray
    channels: FloatArray
    residual: NDArray[np.bool_]
    """At the last place of a layer: whether its input is added."""
    last_width: FloatArray

    @cached_property
    def mean(self) -> FloatArray:
        """E|w|."""
        return np.asarray(0.5 / np.sqrt(self.kernel**2 * self.fan_in))

    @classmethod
    def of(cls, space: MacroChain, population: Population, image_channels: int) -> _Convolutions:
        kernel, stride, width = (space.column(population, name) for name in ("kernel", "stride", "width"))
        b, layers = width.shape
        conv, separable, inverted = (_chosen(space, population, op) for op in ("conv", "separable", "inverted"))
        there = width > 0
        inputs = np.concatenate([width[:, :1], width[:, :-1]], axis=1)
        hidden, one = _EXPANSION * inputs, np.ones_like(width)
        shape = (b, layers, _PARTS)
        exists = np.stack([there, separable | inverted, inverted], 2)
        # First place: the convolution, a depthwise one, or the expansion. Then pointwise or depthwise. Then projection.
        kernels = np.stack([np.where(inverted, 1, kernel), np.where(inverted, kernel, 1), one], 2)
        strides = np.stack([np.where(inverted, 1, stride), np.where(inverted, stride, 1), one], 2)
        fan_in = np.stack([np.where(separable, 1, inputs), np.where(inverted, 1, inputs), hidden], 2)
        outputs = np.stack(
            [np.where(conv, width, np.where(inverted, hidden, inputs)), np.where(inverted, hidden, width), width], 2
        )
        fan_out = np.stack([np.where(separable, 1, outputs[..., 0]), np.where(inverted, 1, width), width], 2)
        residual = np.zeros(shape, dtype=bool)
        residual[..., -1] = inverted & (stride == 1) & (inputs == width)

        def with_stem(stem: FloatArray | float, rest: NDArray[np.generic]) -> FloatArray:
            rest = np.where(exists, rest, 1.0).reshape(b, -1)
            return np.concatenate([np.broadcast_to(stem, (b,))[:, None], rest], axis=1)

        first = width[:, 0]
        return cls(
            np.concatenate([np.ones((b, 1), dtype=bool), exists.reshape(b, -1)], 1),
            with_stem(3.0, kernels).astype(np.intp),
            with_stem(1.0, strides).astype(np.intp),
            with_stem(float(image_channels), fan_in),
            with_stem(first, fan_out),
            with_stem(first, outputs),
            np.concatenate([np.zeros((b, 1), dtype=bool), residual.reshape(b, -1)], 1),
            width[np.arange(b), there.sum(1) - 1],
        )


def _chosen(space: MacroChain, population: Population, operation: str) -> NDArray[np.bool_]:
    """Where an operation is chosen, ``(b, layers)``; nowhere in a space without it."""
    if operation not in space.choices[0]:
        return np.zeros((len(population), space.max_depth), dtype=bool)
    return space.chosen(population, "op", operation)


def _taps(largest: int, size: int) -> FloatArray:
    """Mean number of a kernel's rows inside of the image, by kernel, stride and rows of the image.

    Outputs stand at rows ``0, s, 2s, …`` of an image of ``h`` rows, and a kernel of ``k`` rows reaches ``k // 2`` rows
    to either side.
    """
    taps = np.ones((largest + 1, 3, size + 1))
    for kernel in range(1, largest + 1, 2):
        for stride in (1, 2):
            for rows in range(1, size + 1):
                at, reach = np.arange(0, rows, stride), kernel // 2
                inside = np.minimum(at, reach) + 1 + np.minimum(rows - 1 - at, reach)
                taps[kernel, stride, rows] = inside.mean()
    return taps


@LANDSCAPES.register("macro8")
def macro8(seed: int = 0) -> MeanFieldLogSynflow:
    """Chains of 2 to 8 layers (33 decisions) of at most 1e5 parameters; the same for every seed."""
    return MeanFieldLogSynflow()


@LANDSCAPES.register("macro12")
def macro12(seed: int = 0) -> MeanFieldLogSynflow:
    """Chains of 3 to 12 layers (49 decisions) of at most 1e5 parameters; the same for every seed."""
    return MeanFieldLogSynflow(MacroChain(max_depth=12, min_depth=3))
