"""Calling a network and differentiating through it, under a seed and with clear errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from gennas.errors import EvaluationError, GennasError
from gennas.eval.proxies.batch import IGNORED, ProxyBatch
from gennas.runtime.seeds import seeded


def gradients_of(
    value: Tensor,
    tensors: Sequence[Tensor],
    signs: Tensor | None = None,
    create_graph: bool = False,
    keep_graph: bool = True,
) -> list[Tensor]:
    """Gradients, zero where ``value`` does not depend on a tensor."""
    if not value.requires_grad:
        return [torch.zeros_like(t) for t in tensors]
    found = torch.autograd.grad(value, tensors, signs, keep_graph, create_graph, allow_unused=True)
    return [torch.zeros_like(t) if g is None else g for t, g in zip(tensors, found, strict=True)]


def loss_of(logits: Tensor, batch: ProxyBatch) -> Tensor:
    """Mean cross-entropy of the labelled rows, or mean squared error where labels are numbers.

    Raises:
        EvaluationError: labels out of range, or another number of rows than of labels.
    """
    batch.check(logits.shape[1])
    rows = logits if batch.rows is None else logits[batch.rows]
    labels = batch.labels
    if labels.is_floating_point():
        return functional.mse_loss(rows, labels.view(rows.shape))
    if labels.numel() != len(rows):
        raise EvaluationError(f"Expected logits for {labels.numel()} labels, got {len(rows)} rows.")
    return functional.cross_entropy(rows, labels.flatten(), ignore_index=IGNORED)


def logits_of(net: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
    """Call the network; logits of tokens ``(b, t, k)`` and of pixels ``(b, k, h, w)`` become rows of a matrix.

    Raises:
        EvaluationError: it does not return one tensor of logits.
    """
    out = cast(object, net(*inputs))
    if isinstance(out, Tensor) and out.ndim == 3 and not inputs[0].is_floating_point():
        return out.flatten(0, 1)
    if isinstance(out, Tensor) and out.ndim == 4:
        return out.movedim(1, -1).flatten(0, 2)
    if not isinstance(out, Tensor) or out.ndim != 2:
        got = f"shape {tuple(out.shape)}" if isinstance(out, Tensor) else f"a {type(out).__name__}"
        raise EvaluationError(
            f"Expected a network that returns logits (examples, classes), got {got}; wrap it in a module that returns "
            "its logits alone."
        )
    return out


@contextmanager
def running(net: nn.Module, seed: int, device: torch.device) -> Iterator[None]:
    """Run a network with gradients, under a seed, with attention that can be differentiated twice.

    Raises:
        EvaluationError: the network raised.
    """
    try:
        with seeded(seed, device), sdpa_kernel(SDPBackend.MATH), torch.enable_grad():
            yield
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        if isinstance(error, GennasError):
            raise
        text = " ".join(str(error).split())[:300]
        raise EvaluationError(f"{type(net).__name__} cannot be run on this batch: {text}") from error
