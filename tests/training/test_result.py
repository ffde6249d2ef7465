from __future__ import annotations

import pytest

from gennas.training.result import TrainResult

RESULT = TrainResult((2.0, 1.0, 0.5), (2.2, 1.5, 1.6), (0.3, 0.7, 0.6), 2, 0.65, 12.0, "finished", "cpu")


def test_accuracies_of_the_selected_the_best_and_the_last_epoch() -> None:
    assert (RESULT.selected_val_accuracy, RESULT.best_val_accuracy, RESULT.last_val_accuracy) == (0.7, 0.7, 0.6)
    assert RESULT.epochs == 3 and RESULT.resumed_epoch == 0


def test_training_speed_is_the_sum_of_losses() -> None:
    assert RESULT.sotl == pytest.approx(3.5)
    assert [RESULT.sotl_e(n) for n in (1, 2, 3, 9)] == [pytest.approx(s) for s in (0.5, 1.5, 3.5, 3.5)]
