"""Numbers of edits."""

from __future__ import annotations

import numpy as np
import pytest

from gennas.errors import ConfigError
from gennas.search.strategies.evolution.variation import check_probability, edited
from gennas.testing.landscapes import ChoiceSpace


def test_one_edit_and_a_geometric_number_more() -> None:
    space, rng = ChoiceSpace(2000, 4), np.random.default_rng(0)  # two edits hardly ever meet
    parents = space.sample(1500, rng)
    changed = (edited(space, parents, rng, 0.5).decisions != parents.decisions).sum(1)
    shares = np.bincount(changed, minlength=5)[1:5] / len(changed)
    assert changed.min() == 1 and shares == pytest.approx([0.5, 0.25, 0.125, 0.0625], abs=0.04)
    assert ((edited(space, parents, rng).decisions != parents.decisions).sum(1) == 1).all()


def test_without_further_edits_nothing_else_is_drawn() -> None:
    space = ChoiceSpace(10, 3)
    parents = space.sample(20, np.random.default_rng(1))
    first, second = np.random.default_rng(2), np.random.default_rng(2)
    assert edited(space, parents, first).keys == space.mutate(parents, second).keys
    assert first.bit_generator.state == second.bit_generator.state


def test_probabilities() -> None:
    check_probability(crossover=1.0)
    with pytest.raises(ConfigError, match=r"further_edits in \[0, 1\), got 1"):
        check_probability(highest_excluded=True, further_edits=1.0)
    with pytest.raises(ConfigError, match=r"crossover in \[0, 1\], got -1"):
        check_probability(crossover=-1.0)
