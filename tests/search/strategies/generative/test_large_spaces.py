"""Strategies with models on 1,128 binary decisions: a dozen evaluations within a minute of one core."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from gennas.graph import Architecture, GraphSchema
from gennas.search.strategies.rounds import bounded
from gennas.spaces import NASBench201, Space, TaskSpec
from gennas.workbench.run import search


class FreeEdges(Space):
    """Any directed acyclic graph of ``n`` ordered nodes."""

    name = "free-edges"

    def __init__(self, n: int = 48) -> None:
        edges = np.zeros((n, n, 2), dtype=bool)
        edges[..., 0] = True
        edges[np.triu_indices(n, 1)] = True
        self.schema = GraphSchema(self.name, ("op",), ("none", "edge"), np.ones((n, 1), dtype=bool), edges)

    def build(self, arch: Architecture, spec: TaskSpec) -> None:
        raise NotImplementedError


def test_work_is_bounded_in_large_spaces_alone() -> None:
    large = FreeEdges()
    assert large.schema.num_decisions == 1128
    assert bounded(350, large, 131_072) == 116 and bounded(50, large, 131_072) == 50 and bounded(3, large, 1) == 1
    assert bounded(350, NASBench201(), 10) == 350
    assert bounded(350, FreeEdges(23), 10) == 350  # 253 decisions


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["bayesian", "generative", "generative-evolution", "diffusion-rl"])
def test_a_dozen_evaluations_take_no_more_than_a_minute(strategy: str, tmp_path: Path) -> None:
    def share(arch: Architecture) -> float:
        return float(arch.decisions[::3].sum() - arch.decisions[1::3].sum())

    before = time.process_time()
    run = search(space=FreeEdges(), evaluator=share, strategy=strategy, budget=12, out=tmp_path, report=False)
    assert run.result.n_evals == 12 and all(t.ok for t in run.result.trials)
    assert time.process_time() - before < 60
