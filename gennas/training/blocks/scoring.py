"""Scores of candidate blocks: alone against the parent's block, and inside the whole parent."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from gennas.errors import UnknownNameError
from gennas.eval.base import Direction
from gennas.eval.hardware import Timing, measure_latencies
from gennas.runtime.threads import cpu_threads
from gennas.training.blocks.library import BlockLibrary
from gennas.training.data import Batch, Part
from gennas.training.scoring import score_batches
from gennas.training.task import Task

__all__ = ["increases", "measure_latencies_of", "network_scores", "require_metric", "score_blocks"]

OnBlock = Callable[[int, int], None]
ERROR = "error"


def network_scores(library: BlockLibrary, network: torch.nn.Module, part: Part) -> dict[str, float]:
    """Loss and scores of a network on a part, by name."""
    batches = library.data.batches(part, library.config.eval_batch_size)
    return score_batches(network.eval(), batches, library.task, library.spec)


def score_blocks(library: BlockLibrary, on_block: OnBlock | None = None) -> float:
    """Score every candidate on the validation part, with no other change to the parent.

    ``error`` is the normalised squared error of its output, ``scores`` are loss and scores of the whole network.

    Args:
        library: whose blocks are scored.
        on_block: called with the number of blocks that are scored, and of all.

    Returns:
        Seconds.
    """
    start, done = time.perf_counter(), 0
    total = sum(len(blocks) for blocks in library.layers)
    with cpu_threads(library.config.threads):
        _score_outputs(library)
        for layer, blocks in enumerate(library.layers):
            for block in blocks:
                with library.swapped(layer, block) as network:
                    block.scores = network_scores(library, network, "validation")
                done += 1
                if on_block is not None:
                    on_block(done, total)
    return time.perf_counter() - start


def _score_outputs(library: BlockLibrary) -> None:
    """Normalised squared errors over the whole validation part."""
    sizes = [len(blocks) for blocks in library.layers]
    wrong, scale = [np.zeros(size) for size in sizes], np.zeros(len(sizes))
    with torch.no_grad():
        for batch in library.data.batches("validation", library.config.eval_batch_size):
            for layer, seen in enumerate(library.seen(batch)):
                scale[layer] += float(seen.output.double().square().sum())
                for k, block in enumerate(library.layers[layer]):
                    made = block.module(*seen.inputs)
                    wrong[layer][k] += float((made - seen.output).double().square().sum())
    for blocks, errors, norm in zip(library.layers, wrong, scale, strict=True):
        for block, error in zip(blocks, errors, strict=True):
            block.error = float(error / norm)


def require_metric(task: Task, metric: str) -> Direction:
    """Which way a metric of blocks is better.

    Raises:
        UnknownNameError: no such metric.
    """
    directions: dict[str, Direction] = {
        "loss": "min",
        **{s.name: s.direction for s in task.score_classes},
        ERROR: "min",
    }
    if metric not in directions:
        raise UnknownNameError("metric", metric, directions)
    return directions[metric]


def increases(library: BlockLibrary, metric: str = "loss") -> list[NDArray[np.float64]]:
    """By how much each block makes the parent worse, ``(k,)`` per layer; 0 for the parent's own.

    Args:
        library: whose blocks were scored.
        metric: ``loss`` or another score of the task, by whole networks; ``error`` of the block's output alone.

    Raises:
        UnknownNameError: no such metric.
        EvaluationError: blocks were not scored.
    """
    library.require_scores()
    sign = 1.0 if require_metric(library.task, metric) == "min" else -1.0
    values = [np.array([b.error if metric == ERROR else b.scores[metric] for b in blocks]) for blocks in library.layers]
    return [sign * (found - found[0]) for found in values]


def measure_latencies_of(library: BlockLibrary, seconds: float = 0.2) -> float:
    """Measure ``latency_ms`` of every block and of the parent, for one example, on one thread.

    The blocks of a layer are timed in turn. Latencies add up only roughly: what is measured of the whole network is
    the truth, what is predicted is the parent's less its blocks plus the chosen ones.

    Args:
        library: whose blocks are timed.
        seconds: of timed calls, for each layer.

    Returns:
        Seconds.
    """
    start, timing = time.perf_counter(), Timing(str(library.device), min_run_time=seconds)
    seen = library.seen(Batch(library.example, None, torch.empty(0)))
    for blocks, inputs in zip(library.layers, (s.inputs for s in seen), strict=True):
        for block, latency in zip(blocks, measure_latencies([b.module for b in blocks], inputs, timing), strict=True):
            block.latency_ms = 0.0 if block.values is None else latency.median_ms
    library.parent_costs["latency_ms"] = measure_latencies([library.parent], library.example, timing)[0].median_ms
    return time.perf_counter() - start
