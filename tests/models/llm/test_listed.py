from __future__ import annotations

import numpy as np
import pytest

from gennas.errors import ConfigError
from gennas.models.llm import listed_decisions
from gennas.spaces import SPACES


def test_exactly_the_rows_each_once(rng: np.random.Generator) -> None:
    space = SPACES.get("nasbench101")()
    rows = space.sample(300, rng).decisions
    decisions = listed_decisions(space.schema, np.concatenate([rows, rows[:50]]))
    distinct = np.unique(rows, axis=0)
    assert decisions.count() == len(distinct)
    np.testing.assert_array_equal(decisions.unrank(range(len(distinct))), distinct)
    assert decisions.is_legal(rows).all()
    assert not decisions.is_legal(space.sample(300, rng).decisions).all()


def test_counts_add_up_at_every_prefix(rng: np.random.Generator) -> None:
    space = SPACES.get("nasbench201")()
    rows = np.unique(space.sample(200, rng).decisions, axis=0)
    decisions = listed_decisions(space.schema, rows)
    assert decisions.completions is not None
    for t in range(6):
        counts = decisions.completions(rows, t)
        expected = [[((rows[:, : t + 1] == [*row[:t], label]).all(1)).sum() for label in range(5)] for row in rows[:20]]
        np.testing.assert_array_equal(counts[:20], expected)


def test_bad_rows_are_refused() -> None:
    schema = SPACES.get("nasbench201")().schema
    with pytest.raises(ConfigError, match=r"expected rows of 6 decisions, got \(0, 6\)"):
        listed_decisions(schema, np.zeros((0, 6), dtype=int))
    with pytest.raises(ConfigError, match="labels that the schema does not allow"):
        listed_decisions(schema, np.full((1, 6), 5))
