from __future__ import annotations

import pytest

from gennas.errors import ConfigError
from gennas.training.result import TrainResult

CURVES = {"train_loss": (2.0, 1.0, 0.5), "val_loss": (2.2, 1.5, 1.6), "val_accuracy": (0.3, 0.7, 0.6)}
RESULT = TrainResult(CURVES, 2, {"accuracy": 0.65}, 12.0, "finished", "cpu")


def test_accuracies_of_the_selected_the_best_and_the_last_epoch() -> None:
    assert (RESULT.selected_val_accuracy, RESULT.best_val_accuracy, RESULT.last_val_accuracy) == (0.7, 0.7, 0.6)
    assert RESULT.epochs == 3 and RESULT.resumed_epoch == 0
    assert RESULT.selected() == {"val_accuracy": 0.7, "test_accuracy": 0.65} and RESULT.test_accuracy == 0.65


def test_the_primary_score_in_its_direction() -> None:
    tested = {"loss": 1.7, "perplexity": 5.5}
    curves = {**CURVES, "val_perplexity": (9.0, 4.5, 5.0)}
    result = TrainResult(curves, 2, tested, 1.0, "finished", "cpu", primary="loss", direction="min")
    assert (result.selected_val_score, result.best_val_score, result.last_val_score) == (1.5, 1.5, 1.6)
    assert result.selected() == {"val_loss": 1.5, "test_loss": 1.7, "val_perplexity": 4.5, "test_perplexity": 5.5}
    assert result.test_score == 1.7
    with pytest.raises(ConfigError, match="scored by loss, not by accuracy"):
        _ = result.selected_val_accuracy
    with pytest.raises(ConfigError, match="read val_score or test_score"):
        _ = result.test_accuracy


def test_training_speed_is_the_sum_of_losses() -> None:
    assert RESULT.sotl == pytest.approx(3.5)
    assert [RESULT.sotl_e(n) for n in (1, 2, 3, 9)] == [pytest.approx(s) for s in (0.5, 1.5, 3.5, 3.5)]
