"""What strategies in rounds do when they have nothing of their own to propose."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gennas.search import Objective, Objectives, Trial
from gennas.search.strategies import CrossEntropy, GenerativeEvolution, Tiny
from gennas.spaces import MacroChain

GOALS = Objectives((Objective("score"),))


@pytest.mark.parametrize(
    ("made", "options"),
    [
        (CrossEntropy, {"warm_start": 4, "smoothing": 1.0, "explore": 0.0}),
        (Tiny, {"pool_size": 1, "elites": 1, "near": 0.0, "samples": 0.0, "steps": 1}),
        (GenerativeEvolution, {"warm_start": 4, "unlabelled": 8, "pretrain_steps": 1}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_random_ones_in_place_of_a_round_are_all_proposed(made: Any, options: dict[str, Any]) -> None:
    """Asked for one at a time, too: those of a round that wait are not taken for seen, and the space is exhausted."""
    space = MacroChain(max_depth=2, min_depth=1, widths=(4,), kernels=(3,))
    strategy, found = made(space, GOALS, 0, **options), []
    while proposals := strategy.ask(1):
        found += proposals
        score = float(proposals[0].arch.decisions.sum())
        strategy.tell([Trial(proposals[0], "ok", {"score": score})])
    keys = [p.arch.key for p in found]
    assert len(set(keys)) == len(keys) == space.size
    assert np.mean([p.origin.source == "random" for p in found[4:]]) > 0
