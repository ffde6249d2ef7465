"""The sources and kernels that were tried against the engine do what their names say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gennas.graph import Population
from gennas.search import Objective, Objectives, Origin, Proposal, Trial
from gennas.search.strategies import GenerativeSearch
from gennas.search.strategies.kernels import Kernel
from gennas.search.strategies.sources import Evidence
from gennas.spaces import MacroChain

SCRIPTS = Path(__file__).parents[2] / "scripts"
SPACE = MacroChain(max_depth=4)


def prepared(name: str) -> tuple[Kernel, Evidence]:
    """The kernel inside a strategy that knows 40 architectures."""
    kernel = f"{SCRIPTS}/generator_variants.py:{name}"
    small = {"unlabelled": 100, "pretrain_steps": 20, "refit_steps": 5, "shares": {"evolve": 1.0}}
    strategy = GenerativeSearch(SPACE, Objectives((Objective("score"),)), 0, kernels={kernel: 1.0}, **small)
    archs = SPACE.sample(40, np.random.default_rng(0)).unique()
    strategy.tell([Trial(Proposal(a, Origin("test")), "ok", {"score": float(a.decisions.sum())}) for a in archs])
    known, outcomes = strategy._archive()
    evidence = replace(
        strategy._evidence(known, outcomes, None), acquisition=lambda p: -1.0 * (p.decisions == 0).sum(1)
    )
    strategy._update_sources(evidence)
    return strategy.sources["evolve"].kernels[kernel], evidence


def distance(parents: Population, children: Population) -> float:
    return float((children.decisions[:, None] != parents.decisions[None]).sum(2).min(1).mean())


def test_noise_and_what_it_changes() -> None:
    found = {}
    for name in ("SteadyKernel", "FarKernel", "SampleKernel"):
        kernel, known = prepared(name)
        parents = known.archs[known.best[:1]]
        early, late = (kernel.vary(parents, 100, known, p, np.random.default_rng(0)) for p in (0.0, 1.0))
        assert SPACE.is_valid(late).all() and (early.keys == late.keys) == (name != "FarKernel")
        found[name] = distance(parents, late)
    assert 0 < found["SteadyKernel"] < found["FarKernel"] < found["SampleKernel"]


def test_the_distilled_model_moves_to_what_survived() -> None:
    kernel, known = prepared("DistilledKernel")
    survivors = known.archs[[0]]
    before = kernel.generator.elbo(survivors).mean()
    kernel.vary(survivors, 10, known, 0.0, np.random.default_rng(0))
    assert kernel.generator.elbo(survivors).mean() == pytest.approx(before)  # nothing has survived yet
    for progress in (0.25, 0.5, 0.75, 1.0):
        kernel.vary(survivors, 10, known, progress, np.random.default_rng(0))
    assert kernel.generator.elbo(survivors).mean() < before - 1


def test_walks_keep_the_cheap_constraints() -> None:
    kernel, known = prepared("FeasibleKernel")
    few = replace(known, cheap=lambda p: (p.decisions == p.decisions.max(1, keepdims=True)).sum(1) < 5)
    starts = known.archs[few.keeps(known.archs)]
    walks = kernel._walks(starts, few, np.random.default_rng(0))
    assert len(walks) == 2000 and few.keeps(walks).all() and len(set(walks.keys) - set(starts.keys)) > 500


def test_blind_edits_are_geometric() -> None:
    source = GenerativeSearch(
        SPACE, Objectives((Objective("score"),)), shares={f"{SCRIPTS}/blind_sources.py:GeometricSource": 1.0}
    )
    (source,) = source.sources.values()
    _, known = prepared("SteadyKernel")
    parents = replace(known, elites=1)
    drawn = source.draw(2000, parents, np.random.default_rng(0))
    moved = (drawn.decisions != known.archs[known.best[0]].decisions).sum(1)
    assert SPACE.is_valid(drawn).all() and (moved > 3).mean() > 0.03 and (moved <= 1).mean() > 0.3


def test_the_blind_kernel_changes_as_much_as_noise_masks() -> None:
    (kernel,) = (
        GenerativeSearch(
            SPACE,
            Objectives((Objective("score"),)),
            shares={"evolve": 1.0},
            kernels={f"{SCRIPTS}/blind_sources.py:BlindKernel": 1.0},
        )
        .sources["evolve"]
        .kernels.values()
    )
    _, known = prepared("SteadyKernel")
    parents = known.archs[[0]]
    early, late = (distance(parents, kernel.vary(parents, 500, known, p, np.random.default_rng(0))) for p in (0.0, 1.0))
    assert 1 < late < early < SPACE.schema.num_decisions / 2
