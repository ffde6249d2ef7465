"""The best of other runs in turn, and what their labels predict."""

from __future__ import annotations

import numpy as np
from scipy.stats import spearmanr

from gennas.search.other_runs import OtherRun, PredictedColumns, best_in_turn
from gennas.spaces import NASBench201

SPACE = NASBench201()
ARCHS = SPACE.sample(120, np.random.default_rng(0)).unique()


def run(name: str, rows: slice, label: int = 3) -> OtherRun:
    archs = ARCHS[rows]
    return OtherRun(name, "score:max", archs, (archs.decisions == label).sum(1).astype(float))


def test_every_run_has_its_turn_best_first() -> None:
    a = OtherRun("a", "score:max", ARCHS[:3], np.array([1.0, 3.0, 2.0]))
    b = OtherRun("b", "score:max", ARCHS[2:4], np.array([5.0, 9.0]))
    found = [(ARCHS.keys.index(arch.key), name) for arch, name in best_in_turn([a, b], 10)]
    assert found == [(1, "a"), (3, "b"), (2, "a"), (0, "a")]  # 2 comes once, from the run whose turn it is first


def test_what_is_taken_or_does_not_fit_is_left_out() -> None:
    a = OtherRun("a", "score:max", ARCHS[:4], np.array([4.0, 3.0, 2.0, 1.0]))
    found = best_in_turn([a], 2, {ARCHS.keys[0]}, lambda arch: arch.key != ARCHS.keys[2])
    assert [arch.key for arch, _ in found] == [ARCHS.keys[1], ARCHS.keys[3]]
    assert best_in_turn([], 3) == []


def test_predictions_rank_what_the_other_run_never_saw() -> None:
    columns = PredictedColumns(run("a", slice(0, 60)))
    other = ARCHS[60:]
    assert spearmanr(columns(other)[:, 0], (other.decisions == 3).sum(1)).statistic > 0.7


def test_shared_columns_predict_as_single_ones() -> None:
    runs = [run("a", slice(0, 60)), run("b", slice(20, 80), label=1)]
    for shared, single in zip(PredictedColumns.of(runs), map(PredictedColumns, runs), strict=True):
        np.testing.assert_array_equal(shared(ARCHS), single(ARCHS))
        np.testing.assert_array_equal(shared(ARCHS[5:9]), single(ARCHS)[5:9])  # remembered, not predicted anew
