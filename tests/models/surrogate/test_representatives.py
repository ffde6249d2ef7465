from __future__ import annotations

import numpy as np

from gennas.graph import Population
from gennas.models.surrogate import representatives
from gennas.testing.generators import toy_schema


def measured(b: int) -> tuple[Population, np.ndarray]:
    rng = np.random.default_rng(0)
    D = toy_schema().decision_mask.argmax(1) + rng.integers(2, size=(b, 8))
    return Population.from_decisions(toy_schema(), D), rng.normal(size=b)


def test_all_where_there_are_no_more() -> None:
    archs, scores = measured(20)
    assert representatives(archs, scores, 20).tolist() == list(range(20))


def test_half_are_the_best_and_two_fifths_the_latest_of_the_others() -> None:
    archs, scores = measured(200)
    rows = representatives(archs, scores, 40)
    assert len(set(rows.tolist())) == 40 and (np.diff(rows) > 0).all()
    best = set(np.argsort(-scores)[:20].tolist())
    assert best <= set(rows.tolist())
    others = [i for i in range(200) if i not in best]
    assert set(others[-16:]) <= set(rows.tolist()) and len(set(others[:-16]) & set(rows.tolist())) == 4


def test_a_tenth_lies_far_from_these() -> None:
    """Seventy copies of one architecture, and two that differ: those are kept, wherever they came."""
    D = np.repeat(toy_schema().decision_mask.argmax(1)[None], 72, axis=0)
    D[5, :4] += 1
    D[17, 4:] += 1
    rows = representatives(Population.from_decisions(toy_schema(), D), np.arange(72.0), 20)
    assert rows.tolist() == [5, 17, *range(54, 72)]


def test_scores_that_are_equal_and_many_labels() -> None:
    archs, _ = measured(5000)
    rows = representatives(archs, np.zeros(5000), 40)
    assert len(set(rows.tolist())) == 40
    assert rows.tolist() == representatives(archs, np.zeros(5000), 40).tolist()
