"""What a forward pass leaves behind: signs before activations, outputs of layers and of blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from gennas.eval.proxies._weights import BATCH_NORMS, weights_of
from gennas.eval.proxies.outcome import NotApplicableError, UndefinedError

_RELU = frozenset(["relu", "relu_", "hardtanh", "hardtanh_", "leaky_relu", "leaky_relu_", "threshold", "threshold_"])
_SMOOTH = frozenset(["gelu", "gelu_", "silu", "silu_", "hardswish", "hardswish_", "elu", "elu_", "mish", "mish_"])


class SignRecorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Signs of everything that enters an activation, wherever it is called, ``(rows, units)`` booleans each.

    Args:
        rows: examples of the batch, the first dimension of what is recorded.
        smooth: record GELU, SiLU and their kin as well.
        wanted: rows to keep (None: all).
    """

    def __init__(self, rows: int, smooth: bool, wanted: Tensor | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.rows, self.wanted = rows, wanted
        self.names = _RELU | _SMOOTH if smooth else _RELU
        self.relu: list[Tensor] = []
        self.all: list[Tensor] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._overloadpacket.__name__
        if name in self.names and args[0].numel() % self.rows == 0:
            signs = args[0].detach().reshape(self.rows, -1) > 0
            signs = signs if self.wanted is None else signs[self.wanted]
            self.all.append(signs)
            if name in _RELU:
                self.relu.append(signs)
        return func(*args, **(kwargs or {}))


@contextmanager
def outputs_of(modules: Iterable[nn.Module]) -> Iterator[list[tuple[nn.Module, Tensor, int]]]:
    """Record every tensor that one of ``modules`` returns, and its version, in the order of the calls."""
    found: list[tuple[nn.Module, Tensor, int]] = []

    def keep(module: nn.Module, args: Any, output: Any) -> None:
        if isinstance(output, Tensor) and not any(output is seen for _, seen, _ in found[-1:]):
            found.append((module, output, output._version))

    handles = [module.register_forward_hook(keep) for module in modules]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def blocks_of(net: nn.Module) -> list[nn.Module]:
    """The network's blocks in the order of definition: what it consists of on its coarsest level with weights.

    Containers (``Sequential``, ``ModuleList``) are opened as long as one of their members has members of its
    own; single layers count if they hold weights. Residual blocks, cells, transformer blocks and
    convolution-normalisation-activation groups are blocks.
    """
    return list(_blocks(net, {id(w) for w in weights_of(net)}))


def _blocks(parent: nn.Module, weights: set[int]) -> Iterator[nn.Module]:
    for child in parent.children():
        members = list(child.children())
        is_container = isinstance(child, (nn.Sequential, nn.ModuleList))
        if is_container and (isinstance(child, nn.ModuleList) or any(list(m.children()) for m in members)):
            yield from _blocks(child, weights)
        elif members or any(id(p) in weights for p in child.parameters(recurse=False)):
            yield child


def feature_layers(net: nn.Module) -> list[nn.Module]:
    """Single layers, containers left out."""
    return [m for m in net.modules() if not list(m.children()) and not isinstance(m, (nn.Identity, nn.Dropout))]


def channels_last(features: Tensor) -> Tensor:
    """Features as ``(positions, channels)``: images ``(b, c, h, w)``, tokens ``(b, t, c)`` or rows ``(b, c)``."""
    if features.ndim >= 4:
        return features.movedim(1, -1).reshape(-1, features.shape[1])
    return features.reshape(-1, features.shape[-1])


def spectral_entropy(features: Tensor) -> float:
    """Entropy of the eigenvalues, normalised to one, of the covariance of channels over all positions.

    Raises:
        UndefinedError: the features are constant.
    """
    rows = channels_last(features).double()
    rows = rows - rows.mean(0)
    eigenvalues = torch.linalg.eigvalsh(rows.T @ rows / len(rows)).clamp_min(0)
    total = float(eigenvalues.sum())
    if not total > 0:
        raise UndefinedError("a block's features are constant: the network is disconnected")
    p = eigenvalues / total
    return -float(torch.special.xlogy(p, p).sum())


@contextmanager
def input_variances(net: nn.Module) -> Iterator[list[float]]:
    """Record, for every call of a batch norm, the mean over channels of its input's variance over the batch."""
    found: list[float] = []

    def keep(module: nn.Module, args: tuple[Tensor, ...]) -> None:
        rows = channels_last(args[0].detach()).double()
        found.append(float(rows.var(0, correction=0).mean()))

    handles = [m.register_forward_pre_hook(keep) for m in net.modules() if isinstance(m, BATCH_NORMS)]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def last_map(outputs: Iterable[Tensor]) -> Tensor:
    """The last feature map of more than one position.

    Raises:
        NotApplicableError: there is none.
    """
    maps = [out for out in outputs if out.ndim >= 3 and out[0].numel() > out.shape[1 if out.ndim >= 4 else -1]]
    if not maps:
        raise NotApplicableError("no layer returns a feature map of several positions")
    return maps[-1]
