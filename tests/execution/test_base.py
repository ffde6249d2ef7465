"""How one trial ends, whatever the evaluator does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gennas.errors import EvaluationError
from gennas.eval.base import FULL_FIDELITY, Fidelity, Metric
from gennas.eval.stopping import StoppedEarlyError
from gennas.execution.base import TimeLimit, describe, run_trial
from gennas.graph import Architecture
from gennas.search import Archive
from gennas.search.trial import Origin, Proposal
from gennas.spaces import NASBench201

PROPOSAL = Proposal(NASBench201().sample(1, np.random.default_rng(0))[0], Origin("test"), FULL_FIDELITY, seed=7)


class Calls:
    """An evaluator of two metrics that calls a function."""

    metrics: Mapping[str, Metric] = {name: Metric(name, "max") for name in ("a", "b")}
    cost_class = "expensive"
    protocol = "calls"

    def __init__(self, function: Callable[[Architecture, Fidelity, int], Mapping[str, float]]) -> None:
        self.evaluate = function


def raises(error: BaseException) -> Callable[..., Mapping[str, float]]:
    def function(*_: object) -> Mapping[str, float]:
        raise error

    return function


def test_a_value_for_every_metric_is_ok() -> None:
    seen: list[tuple[Architecture, Fidelity, int]] = []

    def function(arch: Architecture, fidelity: Fidelity, seed: int) -> Mapping[str, float]:
        seen.append((arch, fidelity, seed))
        return {"a": np.float32(0.5), "b": 2, "extra": float("inf")}

    trial = run_trial(Calls(function), PROPOSAL)
    assert (trial.status, trial.error) == ("ok", "") and trial.proposal is PROPOSAL
    assert trial.metrics == {"a": 0.5, "b": 2.0, "extra": float("inf")}
    assert all(type(value) is float for value in trial.metrics.values())
    assert seen == [(PROPOSAL.arch, FULL_FIDELITY, 7)] and 0 <= trial.cost["seconds"] < 5


@pytest.mark.parametrize(
    ("values", "names"),
    [({"a": 1.0}, "b"), ({"a": float("nan"), "b": 1.0}, "a"), ({"a": float("inf"), "b": float("-inf")}, "a, b")],
)
def test_missing_and_infinite_values_fail_and_are_named(values: Mapping[str, float], names: str) -> None:
    trial = run_trial(Calls(lambda *_: values), PROPOSAL)
    assert (trial.status, trial.metrics) == ("failed", {}) and trial.error == f"no finite value for {names}"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (EvaluationError("too  deep\nby two"), "EvaluationError: too deep by two (at function, line "),
        (ZeroDivisionError(), "ZeroDivisionError:  (at function"),
        (MemoryError("3 GiB"), "out of memory: 3 GiB"),
    ],
)
def test_what_is_raised_ends_this_trial_in_one_line(error: Exception, text: str) -> None:
    trial = run_trial(Calls(raises(error)), PROPOSAL)
    assert trial.status == "failed" and trial.error.startswith(text) and "\n" not in trial.error


def test_values_that_are_no_numbers_fail() -> None:
    trial = run_trial(Calls(lambda *_: {"a": "much", "b": 1.0}), PROPOSAL)
    assert trial.status == "failed" and trial.error.startswith("ValueError: could not convert string to float: 'much'")


def test_an_interrupt_passes_through() -> None:
    with pytest.raises(KeyboardInterrupt):
        run_trial(Calls(raises(KeyboardInterrupt())), PROPOSAL)


def test_long_texts_are_cut_and_errors_that_were_never_raised_have_no_place() -> None:
    assert describe(ValueError("x" * 999)) == "ValueError: " + "x" * 500


class MuteError(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


class Custom(BaseException):
    pass


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("bad \ud800 end"), "RuntimeError: bad \\ud800 end"),
        (RuntimeError("a\0b"), "RuntimeError: a\\0b"),
        (RuntimeError("x" * 10**6), "RuntimeError: " + "x" * 500),
        (MemoryError("\udfff"), "out of memory: \\udfff"),
        (MuteError(), "MuteError: (its text cannot be had: ValueError)"),
        (SystemExit(3), "SystemExit: 3"),
        (Custom("own"), "Custom: own"),
        (RecursionError("deep"), "RecursionError: deep"),
    ],
)
def test_any_error_is_one_storable_line(error: BaseException, said: str, tmp_path: Path) -> None:
    trial = run_trial(Calls(raises(error)), PROPOSAL)
    assert trial.status == "failed" and trial.error.startswith(said) and len(trial.error) < 600
    archive = Archive(tmp_path / "a.sqlite", NASBench201())
    archive.add(replace(trial, proposal=replace(PROPOSAL, id=0)))
    archive.close()
    assert Archive(tmp_path / "a.sqlite", NASBench201()).trials()[0].error == trial.error


@pytest.mark.parametrize("passed", [KeyboardInterrupt(), TimeLimit()])
def test_interruptions_pass_through(passed: BaseException) -> None:
    with pytest.raises(type(passed)):
        run_trial(Calls(raises(passed)), PROPOSAL)


@pytest.mark.parametrize("found", [None, 0.5, [("a", 1.0)], {1: 2.0}, {"a": "x", "b": 1.0}, {"a": None, "b": 1.0}])
def test_an_answer_that_is_no_mapping_of_numbers_fails(found: object) -> None:
    trial = run_trial(Calls(lambda *_: found), PROPOSAL)  # type: ignore[arg-type,return-value]
    assert trial.status == "failed" and trial.error.startswith(
        ("TypeError: expected a mapping of metrics", "ValueError", "TypeError: float")
    )


def test_a_training_that_is_stopped_early_keeps_its_curves_and_cost() -> None:
    class Stoppable(Calls):
        stops_on = "a"

        def evaluate_until(
            self, arch: object, fidelity: object, seed: int, bars: tuple[float, ...]
        ) -> dict[str, float]:
            raise StoppedEarlyError("a", {"a": [0.1, 0.2]}, bars[1], 9, {"train_joules": 3.0})

    fine = Stoppable(lambda *_: {"a": 1.0, "b": 2.0})
    assert run_trial(fine, PROPOSAL).ok
    trial = run_trial(fine, replace(PROPOSAL, bars=(0.0, 0.5)))
    assert trial.status == "stopped" and not trial.ok and trial.metrics == {} and trial.curves == {"a": [0.1, 0.2]}
    assert trial.error == "stopped after epoch 2 of 9: best a 0.2, below the 0.5 that former trainings had"
    assert trial.cost["train_joules"] == 3.0 and trial.cost["seconds"] >= 0
    other = run_trial(Calls(lambda *_: {"a": 1.0, "b": 2.0}), replace(PROPOSAL, bars=(0.5,)))
    assert other.status == "failed" and "Expected an evaluator that can stop early" in other.error
