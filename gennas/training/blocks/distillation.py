"""Training candidate blocks to put out what the parent's blocks do."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch
from torch import Tensor

from gennas.errors import ConfigError, EvaluationError
from gennas.runtime.seeds import seeded
from gennas.runtime.threads import cpu_threads
from gennas.training.blocks.library import Block, BlockLibrary
from gennas.training.data import Batch

__all__ = ["normalised_error", "train_blocks"]


def normalised_error(output: Tensor, target: Tensor) -> Tensor:
    r"""Squared error of a block's output, divided by that of no output: ``|y - t|^2 / |t|^2``.

    The loss of Bercovich et al. 2024, arXiv 2411.19146, section 2.

    Example:
        >>> float(normalised_error(torch.tensor([3.0, 0.0]), torch.tensor([3.0, 4.0])))
        0.6399999856948853
    """
    return (output - target).square().sum() / target.square().sum()


def train_blocks(library: BlockLibrary, steps: int = 50, lr: float = 1e-3, seed: int = 0) -> float:
    """Train every candidate that is not the parent's own, each alone on what the parent's layer gets and gives.

    All see the same batches of the training part, which the frozen parent runs once for all of them. Adam with a
    cosine down to 0. Every second is added to ``seconds`` of the blocks, the parent's in equal parts.

    Args:
        library: whose blocks learn.
        steps: of each; 0 leaves what was inherited.
        lr: learning rate.
        seed: of the order of batches.

    Returns:
        Seconds.

    Raises:
        ConfigError: a number is out of range.
        EvaluationError: a block's error is not finite.
    """
    if steps < 0 or not lr > 0:
        raise ConfigError(f"Expected steps of at least 0 and a positive lr, got steps={steps} and lr={lr:g}.")
    learners = [
        (layer, block, torch.optim.Adam(block.module.requires_grad_(True).parameters(), lr))
        for layer, blocks in enumerate(library.layers)
        for block in blocks
        if block.can_learn
    ]
    if not (steps and learners):
        return 0.0
    start = time.perf_counter()
    with seeded(seed, library.device), cpu_threads(library.config.threads):
        for step, batch in zip(range(steps), _batches(library, seed), strict=False):
            seen = library.seen(batch)
            rate = lr * 0.5 * (1 + float(torch.cos(torch.tensor(torch.pi * step / steps))))
            for layer, block, optimizer in learners:
                begun = time.perf_counter()
                optimizer.param_groups[0]["lr"] = rate
                loss = normalised_error(block.module(*seen[layer].inputs), seen[layer].output)
                _require_finite(loss, layer, block)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                block.steps += 1
                block.seconds += time.perf_counter() - begun
    for _, block, _ in learners:
        block.module.requires_grad_(False).eval()
    total = time.perf_counter() - start
    apart = total - sum(block.seconds for _, block, _ in learners)
    for _, block, _ in learners:
        block.seconds += apart / len(learners)
    return total


def _batches(library: BlockLibrary, seed: int) -> Iterator[Batch]:
    """Batches of the training part, without end."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield from library.data.batches("train", library.config.batch_size, generator=generator)


def _require_finite(loss: Tensor, layer: int, block: Block) -> None:
    if not torch.isfinite(loss):
        raise EvaluationError(
            f"The error of the block {block.text} in layer {layer + 1} became {float(loss)}: try a smaller lr."
        )
