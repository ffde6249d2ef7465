"""Functions and classes of the user's as evaluators."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

from gennas.errors import ConfigError, EvaluationError
from gennas.eval.base import Evaluator, Fidelity, Metric
from gennas.eval.own import OwnEvaluator, own_evaluator
from gennas.spaces import NASBench201

SPACE = NASBench201(num_cells=1)
ARCH = SPACE.sample(1, np.random.default_rng(0))[0]


def total(arch: Any, factor: float = 1.0) -> float:
    """Sum of the labels."""
    return factor * float(arch.decisions.sum())


def everything(arch: Any, fidelity: Fidelity, seed: int, space: Any) -> dict[str, float]:
    return {"epochs": fidelity.epochs or 0, "seed": seed, "letters": len(space.to_text(arch)), "more": 1}


def test_a_function_that_returns_a_number() -> None:
    evaluator = own_evaluator(total, {"factor": 2}, SPACE, {})
    assert isinstance(evaluator, Evaluator) and evaluator.cost_class == "expensive"
    assert evaluator.evaluate(ARCH, Fidelity(), 0) == {"score": 2.0 * ARCH.decisions.sum()}
    assert list(evaluator.metrics.values()) == [Metric("score", "max")]
    assert "factor=2" in evaluator.protocol and SPACE.identity in evaluator.protocol


def test_a_function_gets_what_it_names_and_returns_what_is_wanted() -> None:
    wanted = {name: Metric(name, "min") for name in ("epochs", "seed", "letters")}
    evaluator = own_evaluator(everything, {}, SPACE, wanted)
    found = evaluator.evaluate(ARCH, Fidelity(epochs=3), 7)
    assert found == {"epochs": 3.0, "seed": 7.0, "letters": float(len(SPACE.to_text(ARCH)))}


def test_other_options_are_another_protocol() -> None:
    one, other = (own_evaluator(total, {"factor": f}, SPACE, {}).protocol for f in (1, 2))
    assert one != other


def test_declared_metrics_come_before_wanted_ones() -> None:
    def both(arch: Any) -> dict[str, float]:
        return {"a": 1.0, "b": 2.0}

    both.metrics = {"a": "max", "b": Metric("b", "min", "ms")}  # type: ignore[attr-defined]
    evaluator = own_evaluator(both, {}, SPACE, {"c": Metric("c", "max")})
    assert evaluator.evaluate(ARCH, Fidelity(), 0) == {"a": 1.0, "b": 2.0}
    assert evaluator.metrics["b"].unit == "ms" and evaluator.metrics["a"].direction == "max"


@pytest.mark.parametrize(
    ("returned", "complaint"),
    [({"b": 1.0}, "return a, got b"), ({}, "got nothing"), (1.0, "mapping of a, c, got float")],
)
def test_what_a_function_returns_is_checked(returned: Any, complaint: str) -> None:
    metrics = {"a": Metric("a", "max")} | ({"c": Metric("c", "max")} if returned == 1.0 else {})
    with pytest.raises(EvaluationError, match=complaint):
        OwnEvaluator(lambda arch: returned, metrics, SPACE).evaluate(ARCH, Fidelity(), 0)


class Judge:
    """Not quite an evaluator: it names metrics in short and has no protocol."""

    metrics: ClassVar = {"accuracy": "max"}

    def __init__(self, space: Any, task: Any = None, weight: float = 1.0) -> None:
        self.space, self.task, self.weight = space, task, weight

    def evaluate(self, arch: Any, fidelity: Fidelity, seed: int) -> dict[str, float]:
        return {"accuracy": self.weight}


def make(weight: float = 3.0) -> Judge:
    """A maker of evaluators."""
    return Judge(None, weight=weight)


@pytest.mark.parametrize(
    ("part", "options", "value"), [(Judge, {"weight": 2}, 2.0), (make, {}, 3.0), (Judge(None), {}, 1.0)]
)
def test_classes_makers_and_objects(part: Any, options: dict[str, Any], value: float) -> None:
    evaluator = own_evaluator(part, options, SPACE, {}, task="the task")
    assert evaluator.evaluate(ARCH, Fidelity(), 0) == {"accuracy": value}
    assert evaluator.metrics == {"accuracy": Metric("accuracy", "max")}
    assert all(f"{name}={given!r}" in evaluator.protocol for name, given in options.items())


def test_a_class_is_told_of_space_and_task() -> None:
    made: list[Judge] = []

    class Noting(Judge):
        def __init__(self, space: Any, task: Any) -> None:
            super().__init__(space, task)
            made.append(self)

    own_evaluator(Noting, {}, SPACE, {}, task="the task")
    assert made[0].space is SPACE and made[0].task == "the task"


@pytest.mark.parametrize(
    ("part", "options", "complaint"),
    [
        (total, {"facto": 1}, "Did you mean factor"),
        (total, {"factor": "big"}, "valid number"),
        (Judge, {"wight": 1}, "Did you mean weight"),
        (Judge(None), {"weight": 1}, "made already"),
        (5, {}, "function of an architecture"),
        (dict, {}, "wrap it in a function"),
    ],
)
def test_what_will_not_do(part: Any, options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        own_evaluator(part, options, SPACE, {})


def test_wrong_metrics() -> None:
    class Odd(Judge):
        metrics: ClassVar = {"accuracy": "up"}

    with pytest.raises(ConfigError, match="'max'"):
        own_evaluator(Odd, {}, SPACE, {})
