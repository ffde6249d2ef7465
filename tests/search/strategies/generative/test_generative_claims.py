"""What the loop must be able to do if it learns: find the worst when asked to, and go beyond what it saw."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata

from gennas.eval.tables import open_table
from gennas.generators.diffusion import DiffusionGenerator
from gennas.search import Constraint, Objective, Objectives, Trial
from gennas.search.strategies import GenerativeSearch
from gennas.search.strategies.sources import Evidence
from gennas.search.trial import Origin, Proposal
from gennas.spaces import NASBenchGraph
from gennas.workbench.config import SearchConfig
from gennas.workbench.run import run_search

SPACE = NASBenchGraph()


@pytest.fixture(scope="module")
def arxiv():
    return open_table("nasbench-graph/arxiv", SPACE)


def test_rewarded_for_the_worst_it_finds_the_worst(arxiv, tmp_path) -> None:
    """Among the worst 26 of 26,206 architectures within 100 evaluations; random search gets there in 10 % of runs."""
    config = SearchConfig(
        space="nasbench-graph", task="arxiv", objective=("val_accuracy:min",), budget=100, out=tmp_path / "worst"
    )
    worst = run_search(config, report=False).best.metrics["val_accuracy"]
    assert (arxiv.columns["val_accuracy"] < worst).sum() < 26


def test_trained_below_the_median_it_proposes_above_the_95th_percentile(arxiv) -> None:
    accuracy = arxiv.columns["val_accuracy"]
    value = dict(zip(arxiv.keys, accuracy, strict=True))
    archs = SPACE.sample(1500, np.random.default_rng(0))
    scores = np.array([value[key] for key in archs.keys])
    low = np.flatnonzero(scores < np.median(accuracy))[:500]
    generator = DiffusionGenerator(SPACE.schema, SPACE.legal)
    quality = (rankdata(scores[low]) - 0.5) / len(low)
    generator.fit(archs[low], quality[:, None], steps=400, seed=0)
    drawn = SPACE.canonical(generator.sample(400, np.full((1, 1), 0.99), seed=1))
    reached = np.array([value[key] for key in drawn.keys]) > np.quantile(accuracy, 0.95)
    assert len(set(drawn[reached].keys)) >= 10


def test_one_model_keeps_any_bound_that_it_is_asked_for() -> None:
    """Conditions are quantiles of what was measured, so another bound needs another number, not another training."""
    space = SPACE
    goals = Objectives((Objective("score"),), (Constraint("cost", "<=", 2.0),))
    strategy = GenerativeSearch(space, goals, 0, shares={"diffusion": 1}, pretrain_steps=150, refit_steps=300)
    archs = space.sample(150, np.random.default_rng(1))
    cost = (archs.decisions == archs.decisions.max()).sum(1) + 0.0 + archs.decisions[:, 0]
    score = archs.decisions.sum(1) + 0.0
    strategy.tell(
        [
            Trial(Proposal(archs[i], Origin("test")), "ok", {"score": score[i], "cost": cost[i]})
            for i in range(len(archs))
        ]
    )
    seen, outcomes = strategy._archive()
    strategy._update_sources(Evidence(seen, outcomes, strategy.elites))
    generator, shares = strategy.generator, []
    for least in (0.5, 0.8):
        asked = np.column_stack([np.full(300, 0.5), least + (1 - least) * np.random.default_rng(2).random(300)])
        drawn = generator.sample(300, asked, seed=3)
        drawn_cost = (drawn.decisions == archs.decisions.max()).sum(1) + drawn.decisions[:, 0]
        shares.append((drawn_cost <= np.quantile(cost, 1 - least)).mean())
    assert shares[0] > 0.6 and shares[1] > 0.35
