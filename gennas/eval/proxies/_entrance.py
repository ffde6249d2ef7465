"""Where real numbers enter a network: its inputs, or the outputs of the embedding of tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from gennas.eval.proxies.outcome import NotApplicableError

Change = Callable[[Tensor], Tensor]


class _Embeddings(TorchFunctionMode):
    """Changes what the embedding of ``tokens`` returns, wherever it is called, as ``change`` says."""

    def __init__(self, tokens: Tensor, change: Change) -> None:
        super().__init__()
        self.tokens, self.change, self.count = tokens, change, 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func is functional.embedding and self._is_of_tokens(args[0]):
            self.count += 1
            return self.change(out)
        return out

    def _is_of_tokens(self, given: Tensor) -> bool:
        return given is self.tokens or (given.shape == self.tokens.shape and torch.equal(given, self.tokens))


@contextmanager
def embeddings_changed(tokens: Tensor, change: Change) -> Iterator[None]:
    """Replace the outputs ``(b, t, d)`` of the embedding of ``tokens`` by what ``change`` makes of them.

    Raises:
        NotApplicableError: the network embedded no tokens by ``torch.nn.functional.embedding`` (``nn.Embedding``).
    """
    mode = _Embeddings(tokens, change)
    with mode:
        yield
    if not mode.count:
        raise NotApplicableError("the network has no nn.Embedding of its tokens whose outputs could be changed")


@contextmanager
def entering(inputs: tuple[Tensor, ...], wanted: bool = True) -> Iterator[tuple[tuple[Tensor, ...], list[Tensor]]]:
    """Inputs to call the network with, and the tensors of real numbers that enter it, which require gradients.

    These are the inputs themselves. Of tokens they are tensors of zeros that are added to the outputs of the
    embedding, so that a gradient to them is one to these outputs; the list is filled by the call.

    Args:
        inputs: arguments of the network.
        wanted: whether gradients to what enters are asked for; otherwise nothing is changed.
    """
    if not wanted:
        yield inputs, [t for t in inputs[:1] if t.is_floating_point()]
        return
    if inputs[0].is_floating_point():
        real = [t.is_floating_point() for t in inputs]
        given = tuple(t.detach().requires_grad_() if r else t for t, r in zip(inputs, real, strict=True))
        yield given, [t for t, r in zip(given, real, strict=True) if r]
        return
    found: list[Tensor] = []

    def added(out: Tensor) -> Tensor:
        found.append(torch.zeros_like(out).requires_grad_())
        return out + found[-1]

    with embeddings_changed(inputs[0], added):
        yield inputs, found


@contextmanager
def replacing(inputs: tuple[Tensor, ...], make: Change) -> Iterator[tuple[Tensor, ...]]:
    """Inputs to call the network with, whose real numbers are what ``make`` returns for each tensor that enters."""
    if inputs[0].is_floating_point():
        yield tuple(make(t) if t.is_floating_point() else t for t in inputs)
        return
    with embeddings_changed(inputs[0], make):
        yield inputs
