"""Discretisation against enumeration."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
import torch

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.spaces import SPACES, NASBench201
from gennas.training.supernet.methods import PCDARTS, discretise


def random_weights(space, seed=0):
    mask = space.schema.decision_mask
    w = np.random.default_rng(seed).random(mask.shape) ** 3 * mask
    return w / w.sum(1, keepdims=True)


def test_independent_decisions_give_all_architectures_in_order():
    space = NASBench201()
    w = random_weights(space)
    archs, values = discretise(w, space, n=300)
    D = np.array(list(product(range(5), repeat=6)))
    everything = np.log(w[np.arange(6), D]).sum(1)
    assert np.allclose(values, np.sort(everything)[::-1][:300], atol=1e-12)
    assert (archs[0].decisions == w.argmax(1)).all() and len(set(archs.keys)) == 300


def test_darts_keeps_the_two_strongest_edges_of_every_node():
    """By hand: an edge is worth its best operation that is not none; a node keeps its two best edges."""
    space = SPACES.get("darts")(num_cells=3)
    for seed in range(5):
        w = random_weights(space, seed)
        w[:, 0] *= 50  # none outweighs everything, and does not count
        w /= w.sum(1, keepdims=True)
        arch = discretise(w, space)[0][0]
        expected = np.zeros(28, dtype=int)
        targets = np.array([slot.target for slot in space.schema.slots])
        for node in np.unique(targets):
            edges = np.flatnonzero(targets == node)
            best = sorted(edges, key=lambda t: -w[t, 1:].max())[:2]
            for t in best:
                expected[t] = 1 + w[t, 1:].argmax()
        assert arch.decisions.tolist() == expected.tolist()


def test_the_next_best_darts_networks_are_exact():
    """Every node contributes its own list of ways; the best sums of them, by enumeration of the best of each."""
    space = SPACES.get("darts")(num_cells=3)
    w = random_weights(space, 7)
    archs, values = discretise(w, space, n=30)
    targets = np.array([slot.target for slot in space.schema.slots])
    sums = np.zeros(1)
    for node in np.unique(targets):
        edges = np.flatnonzero(targets == node)
        ways = [np.log(w[a, 1:])[:, None] + np.log(w[b, 1:])[None] for a, b in combinations(edges, 2)]
        ranked = np.sort(np.concatenate([x.ravel() for x in ways]))[::-1][:30]
        sums = np.sort((sums[:, None] + ranked).ravel())[::-1][:30]
    assert np.allclose(values, sums, atol=1e-9) and len(archs) == 30
    assert space.is_valid(archs).all()


@pytest.mark.parametrize("name", ["autoformer-tiny", "nasbench-graph", "gpt-s"])
def test_dependent_decisions_stay_legal_and_ordered(name):
    space = SPACES.get(name)()
    archs, values = discretise(random_weights(space), space, n=20)
    assert space.is_valid(archs).all() and (np.diff(values) <= 0).all() and len(set(archs.keys)) == len(archs)
    sampled = space.sample(2000, np.random.default_rng(0))
    w = random_weights(space)
    with np.errstate(divide="ignore"):
        theirs = np.log(w[np.arange(w.shape[0]), sampled.decisions]).sum(1)
    if not any(not s.is_node for s in space.schema.slots):
        assert values[0] >= theirs.max()


def test_leaving_an_edge_out_counts_where_it_is_a_choice():
    space = NASBench201()
    w = np.full((6, 5), 0.1)
    w[:, 0] = 0.6
    assert (discretise(w, space)[0][0].decisions == 0).all()
    ignored = discretise(w, space, absent="ignore")[0][0]
    assert (ignored.decisions == 0).all()  # leaving out costs nothing, so that it is best


def test_pc_darts_chooses_edges_by_both_parameters():
    space = SPACES.get("darts")(num_cells=3)
    pc = PCDARTS(space)
    with torch.no_grad():
        pc.alpha.zero_()
        pc.alpha[:, 4] = 1.0
        pc.beta.zero_()
        first = [t for t, s in enumerate(space.schema.slots) if s.target == 5]
        pc.beta[first[3]] = pc.beta[first[1]] = 2.0
    arch = discretise(pc.strengths(), space)[0][0]
    assert [t for t in first if arch.decisions[t]] == [first[1], first[3]]


def test_bad_weights_are_refused():
    space = NASBench201()
    for w in (np.ones((5, 5)), np.full((6, 5), np.nan), -np.ones((6, 5))):
        with pytest.raises(ConfigError, match="finite weights"):
            discretise(w, space)
    with pytest.raises(ConfigError, match="No legal architecture"):
        discretise(np.zeros((6, 5)), space)
    few, _ = discretise(np.eye(6, 5) + np.eye(6, 5, -1), space, n=99)
    assert isinstance(few, Population) and len(few) == 2**4
