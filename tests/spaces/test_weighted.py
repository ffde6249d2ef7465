"""Random architectures that follow weights of labels."""

from __future__ import annotations

import numpy as np
import pytest

from gennas.errors import ConfigError
from gennas.spaces import MacroChain, NASBench201, NASBenchGraph
from gennas.spaces.base import Space
from gennas.spaces.weighted import weighted
from gennas.spaces.within import within


def ones(space: Space) -> np.ndarray:
    return np.ones(space.schema.decision_mask.shape)


def test_independent_decisions_have_the_probabilities_of_their_weights() -> None:
    space = NASBench201()
    weights = ones(space)
    weights[0] = [1, 2, 3, 4, 10]
    D = weighted(space, weights).sample(4000, np.random.default_rng(0)).decisions
    assert np.bincount(D[:, 0], minlength=5) / 4000 == pytest.approx(weights[0] / 20, abs=0.03)
    assert np.bincount(D[:, 1], minlength=5) / 4000 == pytest.approx(np.full(5, 0.2), abs=0.03)


@pytest.mark.parametrize("space", [NASBenchGraph(), MacroChain(max_depth=3, min_depth=1)])
def test_equal_weights_change_nothing_and_others_keep_to_the_space(space: Space) -> None:
    plain, same = (s.sample(1500, np.random.default_rng(0)).decisions for s in (space, weighted(space, ones(space))))
    for a, b in zip(plain.T, same.T, strict=True):
        shares = [np.bincount(column, minlength=space.schema.num_symbols) / 1500 for column in (a, b)]
        assert shares[0] == pytest.approx(shares[1], abs=0.06)
    weights = np.random.default_rng(1).uniform(0.1, 10, ones(space).shape)
    archs = weighted(space, weights).sample(200, np.random.default_rng(0))
    assert space.is_valid(archs).all() and archs.keys == space.canonical(archs).keys


def test_rows_of_a_table_are_drawn_by_the_product_of_their_weights() -> None:
    space = NASBench201()
    rows = space.sample(3, np.random.default_rng(0))
    weights = np.random.default_rng(1).uniform(0.5, 2, ones(space).shape)
    expected = np.array([np.prod(weights[np.arange(6), D]) for D in rows.decisions])
    drawn = within(space, rows, weights).sample(4000, np.random.default_rng(0)).keys
    found = np.array([drawn.count(key) for key in rows.keys]) / 4000
    assert found == pytest.approx(expected / expected.sum(), abs=0.03)


def test_mutation_is_as_before() -> None:
    space = NASBench201()
    archs, weights = space.sample(20, np.random.default_rng(0)), ones(space) * 5
    found = [s.mutate(archs, np.random.default_rng(2)).keys for s in (space, weighted(space, weights))]
    assert found[0] == found[1]


@pytest.mark.parametrize("bad", [0.0, -1.0, np.inf, np.nan])
def test_weights_are_positive(bad: float) -> None:
    space = NASBench201()
    weights = ones(space)
    weights[2, 1] = bad
    with pytest.raises(ConfigError, match="positive weights"):
        weighted(space, weights)
    with pytest.raises(ConfigError, match=r"\(6, 5\)"):
        weighted(space, weights[:2])
