"""Early stopping: the written rule, and the decisions of Optuna's pruners."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gennas.errors import ConfigError
from gennas.eval.stopping import EarlyStopping, StoppedEarlyError, falls_short

CURVES = [(0.1, 0.4, 0.5), (0.2, 0.5, 0.9), (0.3, 0.6, 0.7), (0.4, 0.3)]


def test_bars_are_the_medians_at_each_epoch() -> None:
    assert EarlyStopping(startup=4).bars(CURVES) == pytest.approx((0.25, 0.45, 0.7))
    assert EarlyStopping(startup=5).bars(CURVES) == ()
    assert EarlyStopping(startup=1).bars([]) == ()


def test_a_percentile_says_how_many_may_go_on() -> None:
    curves = [(value,) for value in np.linspace(0, 1, 101)]
    assert EarlyStopping(percentile=25, startup=1).bars(curves) == pytest.approx((0.75,))
    assert EarlyStopping(percentile=90, startup=1).bars(curves) == pytest.approx((0.1,))


def test_epochs_of_the_warmup_and_between_intervals_are_not_judged() -> None:
    bars = EarlyStopping(startup=1, warmup=2, interval=3).bars([tuple(np.arange(9) / 10)])
    assert [not math.isnan(bar) for bar in bars] == [e in (3, 6, 9) for e in range(1, 10)]


def test_the_best_so_far_is_what_counts() -> None:
    bars = (0.2, math.nan, 0.5)
    assert not falls_short([0.6, 0.1, 0.1], bars) and falls_short([0.2, 0.4, 0.1], bars)
    assert falls_short([0.1], bars) and not falls_short([0.2], bars)
    assert not falls_short([0.1, 0.1], bars) and not falls_short([0.1, 0.1, 0.1, 0.1], bars)


def test_values_that_are_not_finite_are_no_bar() -> None:
    bars = EarlyStopping(startup=2).bars([(math.nan, 0.4), (math.nan, math.inf), (math.nan, 0.6)])
    assert math.isnan(bars[0]) and bars[1] == pytest.approx(0.5)


@pytest.mark.parametrize("percentile", [50.0, 25.0, 80.0])
@pytest.mark.parametrize(("startup", "warmup", "interval"), [(1, 0, 1), (5, 0, 1), (3, 2, 2)])
def test_decisions_are_those_of_optuna(percentile: float, startup: int, warmup: int, interval: int) -> None:
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = optuna.pruners.PercentilePruner(percentile, startup, warmup, interval)
    if percentile == 50:
        pruner = optuna.pruners.MedianPruner(startup, warmup, interval)
    study = optuna.create_study(direction="maximize", pruner=pruner)
    rule, rng = EarlyStopping(percentile, startup, warmup, interval), np.random.default_rng(0)
    finished: list[list[float]] = []
    ended = 0
    for _ in range(40):
        trial, curve, stops = study.ask(), list[float](), False
        for epoch in range(1, 8):
            curve.append(float(rng.random() + epoch / 10))
            trial.report(curve[-1], epoch - 1)  # Optuna's steps begin at 0
            stops = trial.should_prune()
            assert stops == falls_short(curve, rule.bars(finished)), (len(finished), epoch)
            if stops:
                break
        state = optuna.trial.TrialState.PRUNED if stops else optuna.trial.TrialState.COMPLETE
        study.tell(trial, None if stops else curve[-1], state=state)
        ended += stops
        finished += [] if stops else [curve]
    assert 0 < ended < 40


@pytest.mark.parametrize(
    "wrong", [{"percentile": 0}, {"percentile": 100}, {"startup": 0}, {"warmup": -1}, {"interval": 0}]
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="Expected"):
        EarlyStopping(**wrong)


def test_the_end_of_a_training_says_what_was_measured() -> None:
    ended = StoppedEarlyError("val_accuracy", {"val_accuracy": [0.3, 0.25]}, 0.41, 10)
    assert str(ended) == (
        "stopped after epoch 2 of 10: best val_accuracy 0.3, below the 0.41 that former trainings had"
    )
