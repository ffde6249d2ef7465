"""The passes that proxies share: each is computed once per network, when it is first read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from gennas.errors import EvaluationError
from gennas.eval.complexity import count_flops
from gennas.eval.proxies._calls import gradients_of, logits_of, loss_of, running
from gennas.eval.proxies._entrance import Change, entering, replacing
from gennas.eval.proxies._record import SignRecorder, blocks_of, input_variances, last_map, outputs_of, spectral_entropy
from gennas.eval.proxies._weights import is_normalisation, named_weights, weighted_layers, weights_of
from gennas.eval.proxies.batch import ProxyBatch
from gennas.eval.proxies.initialise import initialise
from gennas.eval.proxies.outcome import BEYOND_FLOAT64, NotApplicableError, TooLargeError, UndefinedError
from gennas.runtime.copies import convert_in_place, copy_network
from gennas.runtime.seeds import seeded

__all__ = ["Flow", "Forward", "Pass", "Passes"]

Pass = Literal[
    "weights",  # no pass: the module itself
    "flops",  # one forward pass of one example, counted
    "synflow",  # ones through absolute weights, float64, normalisation removed
    "synflow_bn",  # the same with normalisation in evaluation mode
    "gradient",  # loss of the batch, gradient of the weights
    "curvature",  # Hessian-vector product at that gradient
    "second_gradient",  # gradient on a second batch
    "units",  # outputs of weighted layers and their gradients
    "jacobian",  # gradient of the summed logits with respect to the inputs
    "relu",  # signs before ReLUs
    "gelu",  # signs before ReLUs, GELUs and SiLUs
    "blocks",  # outputs of the network's blocks
    "block_gradients",  # random sign vectors sent back through each block
    "examples",  # gradients of single examples
    "maps",  # feature maps of one noise image
    "perturbation",  # standard normal weights, inputs with and without a small perturbation
    "fisher_matrix",  # Fisher information of a few weights
]
PERTURBATION = 0.01
GRAPH_ROWS = 128  # nodes of a graph that stand for a batch where examples are compared


@dataclass(frozen=True)
class Flow:
    """Weights and their gradients, pairwise, with names."""

    names: list[str]
    weights: list[Tensor]
    gradients: list[Tensor]


@dataclass(frozen=True)
class Forward:
    """One forward pass of the batch in training mode, its graph alive.

    Args:
        entrances: what enters the network and gradients are taken to: its inputs, or outputs of the embedding.
        logits: ``(b, classes)``; rows of all tokens, or of all pixels.
        weights: of the private copy.
        units: layers with weights and what they returned.
        blocks: outputs of the blocks, from input to output.
        relu: signs before ReLUs, ``(b, units)`` each.
        gelu: signs before all rectifiers, GELU and SiLU included.
    """

    entrances: list[Tensor]
    logits: Tensor
    weights: list[Tensor]
    units: list[tuple[nn.Module, Tensor]]
    blocks: list[Tensor]
    relu: list[Tensor]
    gelu: list[Tensor]


class Passes:
    """One network on one batch.

    Nothing here touches the caller's network: passes run on private copies, each under a seed of its own
    that depends neither on the other passes nor on the caller's random state.

    Args:
        net: what is scored.
        batch: examples, on the device and of the type of the network.
        seed: seed of everything random.
        wanted: passes that will be read, so that one forward pass can record for all of them.
        keep: leave the network as it is; without, a single pass may take it over, which saves a copy.
    """

    def __init__(
        self, net: nn.Module, batch: ProxyBatch, seed: int, wanted: frozenset[Pass], keep: bool = True
    ) -> None:
        self.original, self.batch, self.seed, self.wanted, self.keep = net, batch, seed, wanted, keep

    # ------------------------------------------------------------------ private copies

    @cached_property
    def _net(self) -> nn.Module:
        return without_inplace(copy_network(self.original, lambda t: t))

    @cached_property
    def _buffers(self) -> list[Tensor]:
        return [b.clone() for b in self._net.buffers()]

    @contextmanager
    def borrowed(self, train: bool) -> Iterator[nn.Module]:
        """The private copy in a mode, under the seed; its buffers are put back afterwards.

        Raises:
            UndefinedError: the network is disconnected.
            EvaluationError: it cannot be run.
        """
        self._require_connected()
        with self._running(self._net, train) as net:
            yield net

    def _require_connected(self) -> None:
        if self.disconnected:
            raise UndefinedError(self.disconnected)

    @contextmanager
    def _running(self, net: nn.Module, train: bool) -> Iterator[nn.Module]:
        saved = self._buffers
        net.train(train)
        try:
            with running(net, self.seed, self.batch.inputs[0].device):
                yield net
        finally:
            for buffer, value in zip(net.buffers(), saved, strict=True):
                buffer.data.copy_(value)  # a graph that is alive must not notice

    @cached_property
    def disconnected(self) -> str:
        """Why nothing can be learned: the output does not depend on the input. Empty where it does.

        Raises:
            EvaluationError: the output is no matrix of logits, not finite, or differs from call to call.
        """
        for batch in (self.batch.example(), self.batch):
            outputs = []
            for _ in range(2):
                with self._running(self._net, train=False) as net, entering(batch.inputs) as (inputs, entrances):
                    outputs.append(logits_of(net, inputs))
            first, again = outputs
            if not bool(torch.isfinite(first).all()):
                raise EvaluationError("The network's output is not finite; check its weights and the inputs.")
            if not torch.allclose(first, again, rtol=1e-4, atol=1e-6):
                raise EvaluationError(
                    "The network is not deterministic: two passes under one seed in evaluation mode differ. Draw "
                    "its random numbers from PyTorch's generator, or switch the noise off in evaluation mode."
                )
            if first.requires_grad:
                direction = torch.randn(first.shape[1], generator=torch.Generator().manual_seed(0)).to(first)
                found = torch.autograd.grad((again @ direction).sum(), entrances, allow_unused=True)
                if any(gradient is not None and bool(gradient.any()) for gradient in found):
                    return ""
        return "the output does not depend on the input: the network is disconnected"

    # ------------------------------------------------------------------ passes without data

    @cached_property
    def synflow(self) -> Flow:
        """Gradients of the summed output of absolute weights for ones, normalisation left out."""
        return self._flow(keep_normalisation=False)

    @cached_property
    def synflow_bn(self) -> Flow:
        """As :attr:`synflow` with normalisation in evaluation mode."""
        return self._flow(keep_normalisation=True)

    def _flow(self, keep_normalisation: bool) -> Flow:
        take_over = not self.keep and len(self.wanted - {"weights"}) == 1
        copy = convert_in_place if take_over else copy_network
        net = without_inplace(copy(self.original, _absolute)).eval()
        if not keep_normalisation:
            for module in net.modules():
                if is_normalisation(module):
                    module.__dict__["forward"] = _unchanged
        given, found = self.batch.example().inputs, named_weights(net)
        with running(net, self.seed, given[0].device), replacing(given, _ones) as inputs:
            total = logits_of(net, inputs).sum()
        with running(net, self.seed, given[0].device):
            flow = _pairs(found, gradients_of(total, [w for _, w in found], keep_graph=False))
        if not all(bool(torch.isfinite(g).all()) for g in (total, *flow.gradients)):
            raise TooLargeError(BEYOND_FLOAT64)
        return flow

    @cached_property
    def flops(self) -> float:
        """Multiply-accumulates of one example, or of the whole graph."""
        _ = self.disconnected  # runs the network once, so that one that cannot be run says so
        with seeded(self.seed, self.batch.inputs[0].device):
            return float(count_flops(self._net, self.batch.example().inputs).flops)

    @cached_property
    def perturbation(self) -> tuple[float, list[float]]:
        r"""Mean :math:`\| f(x + \alpha \epsilon) - f(x) \|_1` and the mean batch variance that each batch norm saw.

        Weights are drawn anew, standard normal, on another copy; ``x`` is noise of the batch's shape.

        Raises:
            NotApplicableError: the examples are nodes of a graph, or there is no feature map.
        """
        if self.batch.is_graph:
            raise NotApplicableError("nodes of a graph have no feature map")
        self._require_connected()
        net = copy_network(self._net, lambda t: t)
        generators = [torch.Generator().manual_seed(self.seed) for _ in range(2)]

        def noise(size: float) -> Change:
            """Noise, plus ``size`` times other noise: the same at every call."""

            def draw(t: Tensor) -> Tensor:
                generator = generators[size > 0]
                x, other = (torch.randn(t.shape, generator=generator).to(t) for _ in range(2))
                return x + size * other

            return draw

        maps: list[Tensor] = []
        variances: list[float] = []
        with self._running(net, train=True), torch.no_grad():
            initialise(net, "normal")
            for size in (0.0, PERTURBATION):
                with (
                    input_variances(net) as seen,
                    outputs_of(net.modules()) as outputs,
                    replacing(self.batch.inputs, noise(size)) as inputs,
                ):
                    logits_of(net, inputs)
                variances = variances or seen
                maps.append(last_map([out for _, out, _ in outputs]))
        change = (maps[1] - maps[0]).double().flatten(1).norm(p=1, dim=1).mean()
        return float(change), variances

    # ------------------------------------------------------------------ passes on the batch

    @cached_property
    def forward(self) -> Forward:
        """The batch through the network in training mode."""
        return self._forward(self.batch, self.wanted)

    def _forward(self, batch: ProxyBatch, wanted: frozenset[Pass]) -> Forward:
        first = batch.inputs[0]
        rows = None if not batch.is_graph else _first(batch.rows, min(GRAPH_ROWS, len(first)))
        recorder = SignRecorder(len(first), smooth="gelu" in wanted, wanted=rows)
        with self.borrowed(train=True) as net, entering(batch.inputs, "jacobian" in wanted) as (inputs, entrances):
            layers = weighted_layers(net) if "units" in wanted else []
            parts = blocks_of(net) if wanted & {"blocks", "block_gradients"} else []
            with outputs_of(layers) as units, outputs_of(parts) as blocks:
                if wanted & {"relu", "gelu"}:
                    with recorder:
                        logits = logits_of(net, inputs)
                else:
                    logits = logits_of(net, inputs)
            for module, output, version in (*units, *blocks):
                if output._version != version:
                    raise NotApplicableError(
                        f"the output of {type(module).__name__} was changed in place, so it cannot be recorded; use "
                        "operations that are not in place"
                    )
            maps = [out for _, out, _ in blocks if out.ndim >= 3 or batch.is_graph]
            maps = [out for out in maps if out.ndim == maps[-1].ndim]  # tokens, not the image they came from
            return Forward(
                entrances,
                logits,
                weights_of(net),
                [(m, out) for m, out, _ in units],
                maps,
                recorder.relu,
                recorder.all,
            )

    @cached_property
    def _loss_gradients(self) -> tuple[list[Tensor], list[Tensor]]:
        """Gradients of the loss with respect to weights and, if wanted, to outputs of units."""
        forward = self.forward
        outputs = [out for _, out in forward.units]
        loss = loss_of(forward.logits, self.batch)
        with sdpa_kernel(SDPBackend.MATH):
            found = gradients_of(loss, [*forward.weights, *outputs], create_graph="curvature" in self.wanted)
        return found[: len(forward.weights)], found[len(forward.weights) :]

    @cached_property
    def gradient(self) -> Flow:
        """Weights and gradients of the mean cross-entropy of the batch."""
        return _pairs(named_weights(self._net), [g.detach() for g in self._loss_gradients[0]])

    @cached_property
    def units(self) -> list[tuple[nn.Module, Tensor, Tensor]]:
        """Layers with weights, their outputs and the gradients of the loss with respect to them."""
        pairs = zip(self.forward.units, self._loss_gradients[1], strict=True)
        return [(module, out.detach(), gradient.detach()) for (module, out), gradient in pairs]

    @cached_property
    def curvature(self) -> Flow:
        r"""Weights and :math:`H g`: the Hessian of the loss times its gradient."""
        gradients, weights = self._loss_gradients[0], self.forward.weights
        product = torch.stack([(g.detach() * g).sum() for g in gradients]).sum()
        with sdpa_kernel(SDPBackend.MATH):
            return _pairs(named_weights(self._net), gradients_of(product, weights))

    @cached_property
    def jacobian(self) -> Tensor:
        r"""Rows :math:`\partial \sum_{i c} y_{ic} / \partial x_i`, ``(b, inputs)``; of tokens to their embeddings.

        Raises:
            NotApplicableError: the examples are nodes of one graph, or there is one example.
        """
        if self.batch.is_graph:
            raise NotApplicableError("nodes of a graph are no independent examples")
        if len(self.batch.labels) < 2:
            raise NotApplicableError("it compares examples: expected a batch of two or more, got one")
        found = gradients_of(self.forward.logits.sum(), self.forward.entrances)
        return torch.cat([gradient.reshape(len(gradient), -1) for gradient in found], dim=1)

    @cached_property
    def block_gradients(self) -> list[tuple[Tensor, Tensor]]:
        """For each block after the first, random signs at its output and what they become at the block before."""
        generator = torch.Generator().manual_seed(self.seed)
        found = []
        blocks = self.forward.blocks
        for before, after in pairwise(blocks):
            signs = torch.randint(2, after.shape, generator=generator).to(after) * 2 - 1
            found.append((signs, gradients_of(after, [before], signs)[0]))
        return found

    @cached_property
    def entropies(self) -> list[float]:
        """Entropy of the normalised spectrum of each block's features.

        Raises:
            NotApplicableError: fewer than two blocks were found.
            UndefinedError: features are constant.
        """
        if len(self.forward.blocks) < 2:
            raise NotApplicableError(f"it compares blocks: expected two or more, found {len(self.forward.blocks)}")
        return [spectral_entropy(block.detach()) for block in self.forward.blocks]

    @cached_property
    def second_gradient(self) -> Flow:
        """As :attr:`gradient` on the second batch.

        Raises:
            NotApplicableError: there is none.
        """
        second = self.batch.second
        if second is None:
            raise NotApplicableError("it compares the gradients of two batches, and there is only one")
        forward = self._forward(second, frozenset())
        return _pairs(named_weights(self._net), gradients_of(loss_of(forward.logits, second), forward.weights))


def without_inplace(net: nn.Module) -> nn.Module:
    """Switch in-place activations off: what was recorded must stay what it was."""
    for module in net.modules():
        if module.__dict__.get("inplace") is True:
            module.__dict__["inplace"] = False
    return net


def _absolute(tensor: Tensor) -> Tensor:
    return tensor.to(torch.float64, copy=True).abs_() if tensor.is_floating_point() else tensor


def _ones(tensor: Tensor) -> Tensor:
    return torch.ones_like(tensor, dtype=torch.float64)


def _unchanged(x: Tensor, *_: Tensor) -> Tensor:
    return x.clone()


def _first(rows: Tensor | None, count: int) -> Tensor:
    return torch.arange(count) if rows is None else rows[:count]


def _pairs(weights: list[tuple[str, Tensor]], gradients: list[Tensor]) -> Flow:
    return Flow([name for name, _ in weights], [w.detach() for _, w in weights], gradients)
