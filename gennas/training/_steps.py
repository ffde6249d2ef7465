"""What the fits of small networks share: one thread, and a learning rate that warms up and falls."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

__all__ = ["one_thread", "warm_cosine"]


def one_thread(steps: range) -> Iterator[int]:
    """The steps, computed by one CPU thread.

    On batches this small more threads hardly help, and where the cores are shared they wait for
    each other (a fit was seen to take 30 times as long); with one thread the weights do not depend
    on the number of cores either.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield from steps
    finally:
        torch.set_num_threads(threads)


def warm_cosine(i: int, steps: int) -> float:
    warm = max(1, steps // 10)
    return min((i + 1) / warm, 0.5 * (1 + float(np.cos(np.pi * i / steps))) + 0.02)
