from __future__ import annotations

import itertools

import numpy as np
import pytest

from gennas.errors import ConfigError
from gennas.graph import GraphSchema, Population
from gennas.models.llm import Decisions, within_bound
from gennas.spaces import SPACES, TaskSpec


def test_exactly_what_is_inside_the_bound(mixed: GraphSchema) -> None:
    """Costs that grow with every label: nothing inside is left out, nothing outside is let in."""

    def cost(D: np.ndarray) -> np.ndarray:
        return D[:, 0] * 2 + D[:, 1] * D[:, 2] + D[:, 3]

    decisions = Decisions(mixed, constraint=within_bound(mixed, cost, 5))
    rows = np.array(list(itertools.product((1, 2), (0, 1, 2), (0, 1, 2), (0, 1, 2))), dtype=np.int16)
    np.testing.assert_array_equal(decisions.is_legal(rows), cost(rows) <= 5)


def test_there_is_always_a_way_on_and_it_ends_inside(rng: np.random.Generator) -> None:
    space, spec = SPACES.get("macro-chain")(), TaskSpec("image", (3, 32, 32), 10)

    def parameters(D: np.ndarray) -> np.ndarray:
        return np.asarray(space.count_parameters(Population.from_decisions(space.schema, D), spec))

    constraint = within_bound(space.schema, parameters, 20_000, space.legal)
    decisions = Decisions(space.schema, space.legal, space.completions, constraint)
    D = np.zeros((8, len(decisions)), dtype=np.int16)
    for t in range(len(decisions)):
        options = decisions.options(D, t)
        D[:, t] = [rng.choice(np.flatnonzero(row)) for row in options]
    assert (parameters(D) <= 20_000).all() and len({*decisions.write(D)}) == 8
    assert (parameters(space.sample(50, rng).decisions) > 20_000).mean() > 0.9  # so the bound is a hard one


def test_a_bound_below_everything_is_refused(mixed: GraphSchema) -> None:
    with pytest.raises(ConfigError, match="mixed: expected a bound of at least 1, the least there is; got 0"):
        within_bound(mixed, lambda D: D.sum(1), 0)


def test_an_order_of_the_labels(mixed: GraphSchema) -> None:
    def cost(D: np.ndarray) -> np.ndarray:
        return 10 - D.sum(1)  # the higher the cheaper

    tight = within_bound(mixed, cost, 2, cheapest=-np.arange(3)[None].repeat(4, 0))
    assert tight(np.zeros((1, 4), dtype=np.int16), 0).tolist() == [[False, False, True]]
    with pytest.raises(ConfigError, match="at least 9"):
        within_bound(mixed, cost, 2)
