"""The generative strategy: its contract, its rounds, its figures, and that it beats random search."""

from __future__ import annotations

import numpy as np
import pytest
from pymoo.indicators.hv import Hypervolume
from scipy.stats import wilcoxon

from gennas.errors import ConfigError, UnknownNameError
from gennas.execution import SerialExecutor
from gennas.generators.trained import SpaceSource, TrainedGenerator
from gennas.search import Archive, Objective, Objectives, Search, Strategy
from gennas.search.strategies import GenerativeSearch, RandomSearch
from gennas.search.strategies.generative.generator_source import condition_scales
from gennas.spaces import NASBench201, Space
from gennas.testing import StrategyContract, SyntheticEvaluator

GOALS = Objectives((Objective("score"),))
SMALL = {
    "warm_start": 8,
    "round_size": 4,
    "pool_size": 60,
    "unlabelled": 100,
    "pretrain_steps": 10,
    "refit_steps": 5,
    "refit_every": 4,
}


class TestGenerative(StrategyContract):
    budget = 24

    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        return GenerativeSearch(space, objectives, seed, **SMALL)


class TestForest(TestGenerative):
    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        return GenerativeSearch(space, objectives, seed, surrogate="forest", **SMALL)


class TestBanditAndThompson(TestGenerative):
    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        return GenerativeSearch(space, objectives, seed, bandit=True, acquisition="thompson", **SMALL)


def run(budget: int = 32, seed: int = 0, **options) -> tuple[GenerativeSearch, Archive]:
    space = NASBench201()
    strategy = GenerativeSearch(space, GOALS, seed, **{**SMALL, **options})
    archive = Archive(":memory:", space)
    Search(strategy, SerialExecutor(SyntheticEvaluator(space.schema, seed)), archive, GOALS, budget, seed).run()
    return strategy, archive


def test_rounds_and_their_figures() -> None:
    _, archive = run()
    trials, rounds = archive.trials(), archive.rounds()
    assert [t.proposal.origin.source for t in trials[:8]] == ["random"] * 8
    assert [r["n_evals"] for r in rounds] == [12, 16, 20, 24, 28, 32]
    assert [t.proposal.origin.round for t in trials[8:]] == [i for i in range(1, 7) for _ in range(4)]
    assert {t.proposal.origin.source for t in trials} <= {"random", "evolve", "diffusion"}
    for record in rounds:
        assert record["validity"] == 1.0
        assert 0 < record["uniqueness"] <= 1 and 0 <= record["novelty"] <= 1 and 0 <= record["hit_rate"] <= 1
        assert -1 <= record["surrogate_tau"] <= 1 and 0 <= record["coverage_90"] <= 1
        assert record["fit_s"] > 0 and record["sample_s"] > 0 and record["rank_s"] > 0


@pytest.mark.parametrize("source", ["diffusion", "autoregressive", "mutation", "random"])
def test_each_source_alone(source: str) -> None:
    _, archive = run(24, shares={source: 1})
    assert {t.proposal.origin.source for t in archive.trials()[8:]} <= {source, "random"}
    assert any(t.proposal.origin.source == source for t in archive.trials()[8:])


def test_surrogate_off() -> None:
    _, archive = run(20, surrogate="none")
    assert len(archive.trials()) == 20


def test_without_its_share_the_generator_is_not_made() -> None:
    strategy, archive = run(20, shares={"mutation": 0.5, "random": 0.5})
    assert strategy.generator is None
    assert "validity" not in archive.rounds()[-1] and archive.rounds()[-1]["hit_rate"] >= 0


def test_samples_serve_until_the_next_refit() -> None:
    _, archive = run(24, refit_every=8, shares={"diffusion": 1}, pool_size=300)
    uniqueness = [r["uniqueness"] for r in archive.rounds()]
    assert uniqueness[0::2] == uniqueness[1::2] and len(set(uniqueness)) == 2


@pytest.mark.parametrize("options", [{"conditions": False}, {"pretrain_steps": 0}, {"design": "spread"}])
def test_parts_can_be_switched_off(options: dict) -> None:
    _, archive = run(16, **options)
    assert len({t.arch.key for t in archive.trials()}) == 16


def test_a_spread_design_is_farther_apart_than_a_random_one() -> None:
    def nearest(design: str) -> float:
        D = np.array([p.arch.decisions for p in GenerativeSearch(NASBench201(), GOALS, 0, design=design).ask(8)])
        distances = (D[:, None] != D[None]).sum(-1) + 99 * np.eye(8)
        return float(distances.min(1).mean())

    assert nearest("spread") > nearest("random")


def test_latent_diffusion_as_source_survives_a_restart() -> None:
    strategy, _ = run(16, shares={"latent": 0.5, "random": 0.5})
    state = strategy.state_dict()
    twin = GenerativeSearch(NASBench201(), GOALS, 0, **{**SMALL, "shares": {"latent": 0.5, "random": 0.5}})
    twin.load_state_dict(state)
    ours, theirs = (s.generator.sample(20, np.full((1, 1), 0.9), seed=3) for s in (strategy, twin))
    assert ours.keys == theirs.keys


def test_weights_of_a_run_start_another(tmp_path) -> None:
    first, _ = run(16)
    trained = TrainedGenerator(
        first.generator, NASBench201(), SpaceSource("nasbench201"), tuple(condition_scales(GOALS))
    )
    trained.save_pretrained(tmp_path)
    second, archive = run(16, pretrained=str(tmp_path), refit_steps=0)
    before, after = (s.generator.sample(20, np.full((1, 1), 0.9), seed=3) for s in (first, second))
    assert before.keys == after.keys and len(archive.trials()) == 16
    with pytest.raises(ConfigError, match="Expected a generator of kind autoregressive"):
        run(16, pretrained=str(tmp_path), shares={"autoregressive": 1})


def test_two_objectives_improve_the_hypervolume_of_random_search() -> None:
    """Hypervolume by pymoo of (score, cheapness), the mean over four seeds."""
    goals = Objectives((Objective("score"), Objective("cost", "min")))

    def volume(strategy: Strategy, seed: int) -> float:
        archive = Archive(":memory:", NASBench201())
        executor = SerialExecutor(_Costed(NASBench201().schema, seed))
        Search(strategy, executor, archive, goals, 40, seed).run()
        values = np.array([[-t.metrics["score"], t.metrics["cost"]] for t in archive.trials()])
        return float(Hypervolume(ref_point=np.array([10.0, 10.0]))(values))

    options = {**SMALL, "shares": {"mutation": 0.5, "random": 0.5}, "pool_size": 200, "round_size": 2}
    gains = [
        volume(GenerativeSearch(NASBench201(), goals, seed, **options), seed)
        - volume(RandomSearch(NASBench201(), goals, seed), seed)
        for seed in range(4)
    ]
    assert np.mean(gains) > 0


class _Costed(SyntheticEvaluator):
    def evaluate(self, arch, fidelity, seed):
        return {**super().evaluate(arch, fidelity, seed), "cost": float((arch.decisions == 3).sum())}


def test_stack_of_surrogates() -> None:
    _, archive = run(16, surrogate="stack", round_size=2)
    assert len(archive.trials()) == 16


def test_the_generator_moves_towards_the_good() -> None:
    strategy, archive = run(60, refit_steps=60, pretrain_steps=60)
    assert archive.rounds()[-1]["elbo_gap"] > 1.0  # nats
    space, evaluator = NASBench201(), SyntheticEvaluator(NASBench201().schema, 0)

    def mean_score(archs) -> float:
        return float(np.mean([evaluator.evaluate(a, archive.trials()[0].proposal.fidelity, 0)["score"] for a in archs]))

    drawn = strategy.generator.sample(200, np.full((1, 1), 0.99), seed=1)
    assert mean_score(drawn) > mean_score(space.sample(200, np.random.default_rng(0))) + 1.0


def test_beats_random_search() -> None:
    settings = {**SMALL, "pool_size": 200, "unlabelled": 300, "pretrain_steps": 30, "refit_steps": 10}

    def best(strategy: Strategy, seed: int) -> float:
        space = NASBench201()
        executor = SerialExecutor(SyntheticEvaluator(space.schema, seed))
        return Search(strategy, executor, Archive(":memory:", space), GOALS, 40, seed).run().best.metrics["score"]

    gains = [
        best(GenerativeSearch(NASBench201(), GOALS, seed, **settings), seed)
        - best(RandomSearch(NASBench201(), GOALS, seed), seed)
        for seed in range(14)
    ]
    assert wilcoxon(np.array(gains), alternative="greater").pvalue < 0.02


@pytest.mark.parametrize(
    "options",
    [
        {"warm_start": 0},
        {"shares": {"diffusion": 0.5}},
        {"shares": {"diffusion": 0.9, "mutation": 0.9, "random": -0.8}},
        {"shares": {"magic": 1.0}},
        {"design": "none"},
        {"surrogate": "oracle"},
        {"acquisition": "luck"},
    ],
)
def test_bad_settings(options: dict) -> None:
    with pytest.raises((ConfigError, UnknownNameError), match=r"Expected|Unknown source"):
        GenerativeSearch(NASBench201(), GOALS, **options)
