from __future__ import annotations

import numpy as np
import pytest

from gennas.eval.proxies.combine import Expression
from gennas.eval.proxies.combine.expression import BINARY, UNARY

A, B = Expression("a"), Expression("b")
TREE = Expression("+", (Expression("log", (A,)), Expression("max", (B, Expression(0.5)))))
COLUMNS = {"a": np.array([0.2, 1.0, 0.0]), "b": np.array([0.1, 0.9, 0.5])}


def test_values_and_text() -> None:
    assert str(TREE) == "(log(a) + max(b, 0.5))" and TREE.size == 6 and TREE.depth == 3
    assert TREE.columns == {"a", "b"}
    expected = np.log(COLUMNS["a"] + 1e-6) + np.maximum(COLUMNS["b"], 0.5)
    assert TREE(COLUMNS) == pytest.approx(expected)


def test_replace_counts_places_as_walk_does() -> None:
    subtrees = list(TREE.walk())
    assert [str(e) for e in subtrees] == [str(TREE), "log(a)", "a", "max(b, 0.5)", "b", "0.5"]
    for place, old in enumerate(subtrees):
        changed = TREE.replace(place, Expression("c"))
        assert changed.size == TREE.size - old.size + 1 and list(changed.walk())[place] == Expression("c")
    assert str(TREE.replace(4, A)) == "(log(a) + max(a, 0.5))"


@pytest.mark.parametrize("name", [*UNARY, *BINARY])
def test_every_operator_has_values_everywhere(name: str) -> None:
    values = {"a": np.array([-1e300, -1.0, 0.0, 1e-300, 1e6]), "b": np.array([0.0, 1e300, 0.0, -3.0, 1e6])}
    e = Expression(name, (A,) if name in UNARY else (A, B))
    with np.errstate(over="ignore"):
        assert np.isfinite(e(values)).all()
