"""Reinforcement learning of the diffusion model: its contract, what it learns, what holds it."""

from __future__ import annotations

import numpy as np
import pytest

from gennas.errors import ConfigError
from gennas.eval.base import FULL_FIDELITY
from gennas.execution import SerialExecutor
from gennas.generators.weights import pack_weights
from gennas.search import Archive, Objective, Objectives, Search, Strategy, Trial
from gennas.search.strategies import DiffusionRL
from gennas.spaces import NASBench201, Space
from gennas.testing import StrategyContract, SyntheticEvaluator

GOALS = Objectives((Objective("score"),))
SMALL = {
    "replay": "archive",
    "warm_start": 6,
    "round_size": 3,
    "samples": 16,
    "num_steps": 4,
    "updates": 3,
    "unlabelled": 60,
    "pretrain_steps": 5,
}


class TestDiffusionRL(StrategyContract):
    budget = 15

    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        return DiffusionRL(space, objectives, seed, ranker="implicit", **SMALL)


class TestLastRoundOnly(TestDiffusionRL):
    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        return DiffusionRL(space, objectives, seed, **{**SMALL, "replay": "none", "ranker": "none"})


def run(budget: int, seed: int = 0, **options) -> tuple[DiffusionRL, list[Trial], list[dict]]:
    space = NASBench201()
    strategy = DiffusionRL(space, GOALS, seed, **{**SMALL, **options})
    archive = Archive(":memory:", space)
    executor = SerialExecutor(SyntheticEvaluator(space.schema, seed))
    return strategy, list(Search(strategy, executor, archive, GOALS, budget, seed).run().trials), archive.rounds()


def mean_score(archs) -> float:
    evaluator = SyntheticEvaluator(NASBench201().schema, 0)
    return float(np.mean([evaluator.evaluate(a, FULL_FIDELITY, 0)["score"] for a in archs]))


def test_rounds_and_their_figures() -> None:
    _, trials, rounds = run(18)
    assert [t.proposal.origin.source for t in trials[:6]] == ["random"] * 6
    assert {t.proposal.origin.source for t in trials[6:]} == {"diffusion"}
    assert [r["refits"] for r in rounds] == [1, 2, 3, 4]
    assert all(r["validity"] == 1 and r["anchor"] > 0 for r in rounds)


@pytest.mark.parametrize("replay", ["archive", "none"])
def test_the_policy_moves_towards_reward(replay: str) -> None:
    strategy, _, _ = run(48, replay=replay, updates=12, warm_start=12, round_size=6, pretrain_steps=40)
    before, after = (mean_score(g.sample(200, seed=1)) for g in (strategy.reference, strategy.generator))
    assert after > before + (1.0 if replay == "archive" else 0.0)


def head_bias(generator) -> np.ndarray:
    (bias,) = [array for name, array in pack_weights(generator).items() if name.endswith("head.bias")]
    return bias


def test_a_firm_anchor_holds_the_policy() -> None:
    """What moves with a weak anchor hardly does with a strong one; the reference never does."""

    def moved(anchor: float) -> float:
        strategy, _, _ = run(18, anchor=anchor, novelty=0.0, updates=20)
        reference, policy = (head_bias(g) for g in (strategy.reference, strategy.generator))
        return float(np.abs(policy - reference).mean())

    assert moved(100.0) < moved(0.0)


def test_too_few_new_samples_tighten_the_anchor() -> None:
    strategy, _, _ = run(6, anchor=0.2, novelty=0.5)
    for novelty, want in ((0.4, 0.4), (0.3, 0.8), (0.6, 0.4), (0.6, 0.2), (0.6, 0.2)):
        strategy._adapt(novelty)
        assert strategy._anchor == pytest.approx(want)
    for _ in range(20):
        strategy._adapt(0.0)
    assert strategy._anchor == pytest.approx(200.0)


def test_trajectories_of_the_last_round_are_kept_from_noise_to_architecture() -> None:
    strategy, trials, _ = run(12)
    last = {t.arch.key: t.arch.decisions for t in trials[-3:]}
    assert set(strategy._paths) == set(last)
    for key, path in strategy._paths.items():
        assert path.shape == (5, 6) and (path[0] == 5).all()  # all absorbed: five operations
        assert (path[-1] == last[key]).all()


@pytest.mark.parametrize(
    "options",
    [{"epochs": 0}, {"lr": 0.0}, {"clip": -0.1}, {"anchor": -1.0}, {"replay": "all"}, {"ranker": "luck"}],
)
def test_bad_settings(options: dict) -> None:
    with pytest.raises(ConfigError, match="Expected"):
        DiffusionRL(NASBench201(), GOALS, **options)
