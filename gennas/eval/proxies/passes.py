"""The passes that proxies share: each is computed once per network, when it is first read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from gennas.errors import EvaluationError
from gennas.eval.proxies._copy import copy_network
from gennas.eval.proxies.base import Pass
from gennas.eval.proxies.batch import ProxyBatch

__all__ = ["NORMALISATIONS", "Flow", "Passes", "weights_of"]

NORMALISATIONS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.LocalResponseNorm)


@dataclass(frozen=True)
class Flow:
    """Weights and their gradients, pairwise."""

    weights: list[Tensor]
    gradients: list[Tensor]


class Passes:
    """One network on one batch.

    Nothing here touches the caller's network: passes run on private copies, under a seed of their own
    that depends neither on the other passes nor on the caller's random state.

    Args:
        net: what is scored.
        batch: examples, on the device of the network.
        seed: seed of everything random.
        wanted: passes that will be read, so that one forward pass can record for all of them.
    """

    def __init__(self, net: nn.Module, batch: ProxyBatch, seed: int, wanted: frozenset[Pass]) -> None:
        self.original, self.batch, self.seed, self.wanted = net, batch, seed, wanted

    @cached_property
    def synflow(self) -> Flow:
        """Gradients of the summed output of absolute weights for ones, normalisation left out."""
        return self._flow(keep_normalisation=False)

    @cached_property
    def synflow_bn(self) -> Flow:
        """As :attr:`synflow` with normalisation in evaluation mode."""
        return self._flow(keep_normalisation=True)

    def _flow(self, keep_normalisation: bool) -> Flow:
        net = absolute_copy(self.original, keep_normalisation)
        first = self.batch.inputs[0]
        ones = torch.ones_like(first if self.batch.is_graph else first[:1], dtype=torch.float64)
        with seeded(self.seed, first.device):
            total = logits_of(net, (ones, *self.batch.inputs[1:])).sum()
        weights = weights_of(net)
        values = [w.detach() for w in weights]
        if not total.requires_grad:
            return Flow(values, [torch.zeros_like(w) for w in values])
        found = torch.autograd.grad(total, weights, allow_unused=True)
        return Flow(values, [torch.zeros_like(w) if g is None else g for w, g in zip(values, found, strict=True)])


def absolute_copy(net: nn.Module, keep_normalisation: bool) -> nn.Module:
    """A float64 copy in evaluation mode with absolute parameters and buffers."""
    copy = copy_network(net, lambda t: t.double().abs() if t.is_floating_point() else t).eval()
    for module in copy.modules():
        if isinstance(module, NORMALISATIONS) and not keep_normalisation:
            module.forward = _identity
    return copy


def _identity(x: Tensor) -> Tensor:
    return x


def weights_of(net: nn.Module) -> list[Tensor]:
    """Trainable kernels and matrices: parameters named ``…weight`` with two or more dimensions.

    Biases, normalisation layers, class tokens and position embeddings are not among them.
    """
    normal = {id(p) for m in net.modules() if isinstance(m, NORMALISATIONS) for p in m.parameters(recurse=False)}
    return [
        p
        for name, p in net.named_parameters()
        if p.requires_grad and p.ndim >= 2 and name.endswith("weight") and id(p) not in normal
    ]


def logits_of(net: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
    """Call the network.

    Raises:
        EvaluationError: it does not return one matrix of logits.
    """
    out = net(*inputs)
    if not isinstance(out, Tensor) or out.ndim != 2:
        got = f"shape {tuple(out.shape)}" if isinstance(out, Tensor) else type(out).__name__
        raise EvaluationError(
            f"Proxies need networks that return logits (examples, classes), got {got}; wrap the network in a module "
            "that returns its logits."
        )
    return out


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Run under a seed and give the random state back afterwards."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
