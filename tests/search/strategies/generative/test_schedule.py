from __future__ import annotations

import pytest

from gennas.search.strategies.generative.schedule import refit_interval


@pytest.mark.parametrize("every", [2, 8, 50])
def test_small_searches_refit_as_often_as_they_are_told(every: int) -> None:
    assert all(refit_interval(every, labels) == every for labels in range(400))


@pytest.mark.parametrize("round_size", [2, 50])
def test_the_number_of_refits_grows_with_the_logarithm_of_labels(round_size: int) -> None:
    refitted = [1000]
    for labels in range(1000, 10_000, round_size):
        if labels - refitted[-1] >= refit_interval(8, labels):
            refitted.append(labels)
    assert 15 < len(refitted) < 30


def test_from_zero_to_ten_thousand_in_batches_of_fifty() -> None:
    refits, last = 0, 0
    for labels in range(50, 10_000, 50):
        if labels - last >= refit_interval(8, labels):
            refits, last = refits + 1, labels
    assert refits < 45
