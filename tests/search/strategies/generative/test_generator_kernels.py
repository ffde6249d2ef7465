"""Generators as kernels: children of the parents, as the archive has taught, and one generator for all that use it."""

from __future__ import annotations

import numpy as np
import pytest

from gennas.errors import ConfigError
from gennas.execution import SerialExecutor
from gennas.graph import Population
from gennas.search import Archive, Objective, Objectives, Origin, Proposal, Search, Strategy, Trial
from gennas.search.packing import pack_state, unpack_state
from gennas.search.strategies import BayesianSearch, GenerativeSearch
from gennas.search.strategies.generative.generator_kernels import GeneratorKernel
from gennas.search.strategies.sources import Evidence
from gennas.spaces import MacroChain, NASBench201, Space
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
    "shares": {"evolve": 1.0},
}
KERNELS = {"mutation": 0.4, "renoise": 0.3, "complete": 0.3}


class TestKernels(StrategyContract):
    budget = 24

    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        return GenerativeSearch(space, objectives, seed, kernels=KERNELS, **SMALL)


def prepared(name: str, space: Space, **options) -> tuple[GeneratorKernel, Evidence]:
    """A kernel whose generator saw 60 architectures, the better the more of their decisions are the first label."""
    strategy = GenerativeSearch(space, GOALS, 0, **{**SMALL, "kernels": {name: 1.0}, **options})
    archs = space.sample(60, np.random.default_rng(0)).unique()
    low = space.schema.decision_mask.argmax(1)
    strategy.tell(
        [Trial(Proposal(a, Origin("test")), "ok", {"score": float((a.decisions == low).sum())}) for a in archs]
    )
    known, outcomes = strategy._archive()
    evidence = strategy._evidence(known, outcomes, None)
    strategy._update_sources(evidence)
    kernel = strategy.sources["evolve"].kernels[name]
    assert isinstance(kernel, GeneratorKernel)
    return kernel, evidence


def changed(parents: Population, children: Population) -> float:
    """Decisions in which a child differs from the nearest parent, on average."""
    return float((children.decisions[:, None] != parents.decisions[None]).sum(2).min(1).mean())


@pytest.mark.parametrize("space", [NASBench201(), MacroChain(max_depth=4)], ids=lambda s: s.name)
@pytest.mark.parametrize("name", ["renoise", "complete"])
def test_children_are_valid_canonical_by_the_rng_and_nearer_later(name: str, space: Space) -> None:
    kernel, known = prepared(name, space)
    parents = known.archs[known.best[:1]]
    early, again = (kernel.vary(parents, 200, known, 0.0, np.random.default_rng(3)) for _ in range(2))
    assert early.keys == again.keys == space.canonical(early).keys and space.is_valid(early).all()
    late = kernel.vary(parents, 200, known, 1.0, np.random.default_rng(3))
    assert 0 < changed(parents, late) < changed(parents, early) < space.schema.num_decisions / 2


@pytest.mark.parametrize(("name", "steps"), [("renoise", 80), ("complete", 300)])
def test_what_is_redrawn_is_what_the_archive_taught(name: str, steps: int) -> None:
    """More of the label that made architectures good than random edits of the same number would give."""
    space = NASBench201()
    kernel, known = prepared(name, space, pretrain_steps=40, refit_steps=steps)
    worst = np.argsort(known.outcomes.utility, kind="stable")[:10]
    children = kernel.vary(known.archs[worst], 400, known, 0.0, np.random.default_rng(0))
    edited = space.mutate(known.archs[np.random.default_rng(0).choice(worst, size=400)], np.random.default_rng(1))
    better = (children.decisions == 0).mean() - (known.archs[worst].decisions == 0).mean()
    blind = (edited.decisions == 0).mean() - (known.archs[worst].decisions == 0).mean()
    assert better > blind + 0.02


def test_a_generator_that_is_both_source_and_kernel_is_one() -> None:
    shares, kernels = {"evolve": 0.5, "diffusion": 0.5}, {"renoise": 0.5, "mutation": 0.5}
    strategy = GenerativeSearch(NASBench201(), GOALS, 0, **{**SMALL, "shares": shares, "kernels": kernels})
    assert strategy.sources["evolve"].kernels["renoise"].source is strategy.sources["diffusion"]
    assert list(strategy.generator_sources) == ["diffusion"] and "generators" in strategy.state_dict()
    assert strategy.state_dict()["generators"] == {}


def test_a_generator_that_is_only_a_kernel_is_saved_and_named() -> None:
    strategy = GenerativeSearch(NASBench201(), GOALS, 0, kernels={"renoise": 1.0}, **SMALL)
    archive = Archive(":memory:", NASBench201())
    executor = SerialExecutor(SyntheticEvaluator(NASBench201().schema, 0))
    Search(strategy, executor, archive, GOALS, 16, 0).run()
    assert strategy.generator is not None and archive.rounds()[-1]["elbo_gap"] is not None
    assert [r["refits"] for r in archive.rounds()] == [1, 2]
    assert archive.rounds()[-1]["kernel_renoise"] == 1.0 and archive.rounds()[-1]["share_evolve"] == 1.0
    twin = GenerativeSearch(NASBench201(), GOALS, 0, kernels={"renoise": 1.0}, **SMALL)
    twin.load_state_dict(unpack_state(pack_state(strategy.state_dict())))
    assert twin.generator is not None
    assert twin.generator.sample(9, seed=1).keys == strategy.generator.sample(9, seed=1).keys


def test_a_strategy_without_generators_refuses() -> None:
    with pytest.raises(ConfigError, match="renoise needs a generator"):
        BayesianSearch(NASBench201(), GOALS, shares={"evolve": 1.0}, kernels={"renoise": 1.0})
