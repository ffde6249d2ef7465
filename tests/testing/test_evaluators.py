"""The synthetic benchmark, and failures as announced."""

from __future__ import annotations

import itertools
import math
from itertools import product
from typing import ClassVar

import numpy as np
import pytest

from gennas.eval.base import FULL_FIDELITY, Evaluator, Fidelity, Metric
from gennas.spaces import MacroChain, NASBench201, Space
from gennas.testing import EvaluatorContract, FailingEvaluator, SyntheticEvaluator

SPACE = NASBench201()
ARCHS = SPACE.sample(60, np.random.default_rng(0)).unique()
INNER = SyntheticEvaluator(SPACE.schema)


def score(decisions: list[int], evaluator: SyntheticEvaluator = INNER) -> float:
    return evaluator.evaluate(SPACE.architecture(decisions), FULL_FIDELITY, 0)["score"]


def test_it_is_an_evaluator_and_deterministic() -> None:
    assert isinstance(INNER, Evaluator) and set(INNER.metrics) == {"score", "test_score", "size"}
    for arch in ARCHS[:5]:
        first = INNER.evaluate(arch, FULL_FIDELITY, 0)
        assert first == INNER.evaluate(arch, Fidelity(epochs=3), 9)
        assert first == SyntheticEvaluator(SPACE.schema).evaluate(arch, FULL_FIDELITY, 0)
        assert first["size"] == arch.decisions.sum() and first["test_score"] != first["score"]


def test_effects_are_of_single_decisions_and_of_pairs() -> None:
    """A mixed difference of third order is zero for every three decisions; one of second order is not."""

    def difference(slots: tuple[int, ...]) -> float:
        total = 0.0
        for signs in product((0, 1), repeat=len(slots)):
            decisions = [1] * 6
            for slot, sign in zip(slots, signs, strict=True):
                decisions[slot] = 3 if sign else 0
            total += (-1) ** sum(signs) * score(decisions)
        return total

    assert [difference(s) for s in ((0, 1, 2), (0, 2, 5), (1, 3, 4))] == pytest.approx([0.0] * 3, abs=1e-9)
    assert all(abs(difference(s)) > 1e-6 for s in ((0, 1), (2, 5), (3, 4)))


def test_seeds_and_schemas_are_other_benchmarks() -> None:
    other = SyntheticEvaluator(SPACE.schema, seed=1)
    assert score([1] * 6, other) != score([1] * 6)
    assert len({INNER.protocol, other.protocol, SyntheticEvaluator(MacroChain().schema).protocol}) == 3


@pytest.mark.parametrize("every", [1, 2, 3, 10])
def test_one_in_so_many_fails_and_the_others_pass(every: int) -> None:
    evaluator = FailingEvaluator(INNER, every=every)
    failing = [arch for arch in ARCHS if evaluator.fails(arch)]
    assert len(failing) == sum(int(key, 16) % every == 0 for key in ARCHS.keys) > 0
    for arch in ARCHS:
        if evaluator.fails(arch):
            with pytest.raises(RuntimeError, match=f"failing on purpose for {arch.key}"):
                evaluator.evaluate(arch, FULL_FIDELITY, 0)
        else:
            assert evaluator.evaluate(arch, FULL_FIDELITY, 0) == INNER.evaluate(arch, FULL_FIDELITY, 0)


def test_each_kind_of_failure() -> None:
    def evaluate(failure) -> dict[str, float]:
        return dict(FailingEvaluator(INNER, failure, every=1).evaluate(ARCHS[0], FULL_FIDELITY, 0))

    whole = INNER.evaluate(ARCHS[0], FULL_FIDELITY, 0)
    nan = evaluate("nan")
    assert math.isnan(nan.pop("score")) and nan == {n: v for n, v in whole.items() if n != "score"}
    assert evaluate("missing") == nan
    with pytest.raises(MemoryError):
        evaluate("memory")
    assert FailingEvaluator(INNER).metrics == INNER.metrics and FailingEvaluator(INNER).protocol == INNER.protocol


class TestSynthetic(EvaluatorContract):
    def make(self, space: Space) -> Evaluator:
        return SyntheticEvaluator(space.schema)


class _Bad:
    """Counts its calls, misses a metric, and cannot be sent to a process."""

    cost_class = "expensive"
    cheap_metrics = ("size",)

    def __init__(self) -> None:
        self.metrics = {"score": Metric("score", "max"), "size": Metric("size", "min", bounds=(0, 1))}
        self.calls = itertools.count()
        self.protocol = f"bad {id(self)}"

    def evaluate(self, arch, fidelity: Fidelity, seed: int):
        return {"score": float(next(self.calls)), "size": 7.0}

    def cheap(self, arch, fidelity: Fidelity):
        return {"size": 8.0}


class _OfBad(EvaluatorContract):
    kept: ClassVar[list] = []

    def make(self, space: Space) -> Evaluator:
        self.kept.append(_Bad())
        return self.kept[-1]


@pytest.mark.parametrize("check", [name for name in vars(EvaluatorContract) if name.startswith("test_")])
def test_a_bad_evaluator_is_noticed(check: str) -> None:
    with pytest.raises((AssertionError, TypeError)):
        getattr(_OfBad(), check)()
