"""Kernels of evolved pools: valid canonical children, by the generator alone."""

from __future__ import annotations

import numpy as np
import pytest

from gennas.graph import Population
from gennas.search import Objective, Objectives, Origin, Proposal, Trial
from gennas.search.strategies.bayesian.beliefs import Outcomes
from gennas.search.strategies.kernels import KERNELS, Kernel
from gennas.search.strategies.sources import Evidence
from gennas.spaces import MacroChain, NASBench201, Space

SPACES = [NASBench201(), MacroChain(max_depth=3, widths=(8, 16))]


def evidence(space: Space) -> Evidence:
    archs = space.sample(20, np.random.default_rng(0)).unique()
    trials = [Trial(Proposal(a, Origin("random")), "ok", {"score": float(a.decisions.sum())}) for a in archs]
    return Evidence(archs, Outcomes(Objectives((Objective("score"),)), trials), 5)


def edits(space: Space, child: Population, parents: Population) -> np.ndarray:
    return (child.decisions[:, None] != parents.decisions[None]).sum(2).min(1)


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)
@pytest.mark.parametrize("name", ["crossover", "mutation"])
def test_children_are_valid_canonical_and_the_generator_s(name: str, space: Space) -> None:
    known = evidence(space)
    kernel = KERNELS.get(name)(space)
    parents = known.archs[known.best]
    one, other = (kernel.vary(parents, 60, known, 0.5, np.random.default_rng(7)) for _ in range(2))
    assert len(one) == 60 and space.is_valid(one).all()
    assert one.keys == other.keys == space.canonical(one).keys
    assert kernel.cost > 0 and len(kernel.vary(parents[:1], 3, known, 0.0, np.random.default_rng(0))) == 3


def test_mutants_have_one_to_three_edits_most_of_them_one() -> None:
    space = NASBench201()  # canonical forms of an edit differ from the parent in one decision or more
    known = evidence(space)
    parent = known.archs[:1]
    children = KERNELS.get("mutation")(space).vary(parent, 3000, known, 0.0, np.random.default_rng(0))
    exact = np.array(children.keys) == parent.keys[0]
    count = np.bincount(edits(space, children[~exact], parent), minlength=7) / 3000
    # One edit with 2/3; later ones may undo earlier ones.
    assert 0.6 < count[1] < 0.75 and 0.15 < count[2] < 0.3 and 0.03 < count[3] < 0.12 and count[4:].max() == 0


def test_children_of_a_crossing_are_between_two_parents() -> None:
    space = NASBench201()
    known = evidence(space)
    parents = known.archs[:2]
    children = KERNELS.get("crossover")(space).vary(parents, 90, known, 0.0, np.random.default_rng(0)).decisions
    a, b = parents.decisions
    assert all(((child == a) | (child == b)).all() for child in children)
    assert len(np.unique(children, axis=0)) > 2


def test_a_kernel_remembers_nothing_unless_it_says_so() -> None:
    class Copies(Kernel):
        """Copies."""

        def vary(self, parents, n, evidence, progress, rng):
            return parents[rng.integers(len(parents), size=n)]

    kernel = Copies(NASBench201())
    kernel.load_state_dict({})
    assert kernel.state_dict() == {} and kernel.cost == 1.0
