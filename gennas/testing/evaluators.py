"""Evaluators for tests: a synthetic benchmark on any space, one that fails on purpose, and the contract of all."""

from __future__ import annotations

import math
import os
import pickle
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from gennas.eval.base import CheapEvaluator, Evaluator, Fidelity, Metric
from gennas.graph import Architecture, GraphSchema
from gennas.spaces import NASBench201, Space

__all__ = ["EvaluatorContract", "FailingEvaluator", "NotingEvaluator", "SyntheticEvaluator"]

Failure = Literal["raise", "nan", "missing", "memory", "die", "hang"]


class SyntheticEvaluator:
    r"""A deterministic benchmark on any space: independent effects of decisions and of pairs of them.

    .. math:: f(a) = \sum_t w_{t, a_t} + \frac{1}{2} \sum_{t < u} v_{t, u, a_t, a_u}

    with standard normal ``w`` and ``v``. ``test_score`` adds independent noise to ``score``, so that
    selecting on it would be noticed.

    Args:
        schema: schema of the architectures.
        seed: seed of the effects.
        delay_s: seconds that each evaluation takes.
    """

    cost_class: Literal["cheap", "expensive"] = "expensive"

    def __init__(self, schema: GraphSchema, seed: int = 0, delay_s: float = 0.0) -> None:
        rng = np.random.default_rng(seed)
        d, width = schema.num_decisions, schema.num_symbols
        self._single = rng.normal(size=(d, width))
        self._pair = np.triu(rng.normal(size=(width, width, d, d)), 1)
        self._delay_s = delay_s
        self.protocol = f"synthetic-{schema.fingerprint}-{seed}"
        self.metrics: Mapping[str, Metric] = {
            "score": Metric("score", "max", "", "what is searched"),
            "test_score": Metric("test_score", "max", "", "what is reported"),
            "size": Metric("size", "min", "", "sum of the labels", (0, float("inf"))),
        }

    def evaluate(self, arch: Architecture, fidelity: Fidelity, seed: int) -> Mapping[str, float]:
        """Return the three metrics; ``seed`` changes nothing."""
        time.sleep(self._delay_s)
        D = arch.decisions.astype(np.intp)
        t = np.arange(len(D))
        score = self._single[t, D].sum() + 0.5 * self._pair[D[:, None], D[None], t[:, None], t[None]].sum()
        noise = np.random.default_rng(int(arch.key, 16)).normal(scale=0.5)
        return {"score": float(score), "test_score": float(score + noise), "size": float(D.sum())}


class NotingEvaluator(SyntheticEvaluator):
    """Notes in a file in which process it evaluates, wherever that is.

    Args:
        schema: schema of the architectures.
        note: the file.
        delay_s: seconds that each evaluation takes, after the note.
    """

    def __init__(self, schema: GraphSchema, note: Path, delay_s: float = 0.0) -> None:
        super().__init__(schema, delay_s=delay_s)
        self.note = note

    def evaluate(self, arch: Architecture, fidelity: Fidelity, seed: int) -> Mapping[str, float]:
        """Note the ids of this process and of its parent, and the first of its GPUs (-1: none), then evaluate."""
        with self.note.open("a") as file:
            file.write(f"{os.getpid()} {os.getppid()} {os.environ.get('CUDA_VISIBLE_DEVICES') or -1}\n")
        return super().evaluate(arch, fidelity, seed)

    def noted(self, count: int = 1, within_s: float = 60.0) -> list[list[int]]:
        """The notes, once there are ``count``.

        Raises:
            TimeoutError: there are fewer by then.
        """
        end = time.monotonic() + within_s
        while not self.note.exists() or len(self.note.read_text().splitlines()) < count:
            if time.monotonic() > end:
                raise TimeoutError(f"Expected {count} evaluations to begin within {within_s:g} s: {self.note}.")
            time.sleep(0.02)
        return [[int(word) for word in line.split()] for line in self.note.read_text().splitlines()]


class FailingEvaluator:
    """Fails on purpose for some architectures and passes the others on.

    Args:
        inner: evaluates what does not fail.
        failure: ``raise`` an error, return ``nan``, leave a metric ``missing``, run out of
            ``memory``, let the process ``die``, or ``hang`` for an hour.
        every: one in this many architectures fails, chosen by key; 1 means all.
        while_there: nothing fails any more when this file is gone.
    """

    cost_class: Literal["cheap", "expensive"] = "expensive"

    def __init__(
        self, inner: Evaluator, failure: Failure = "raise", every: int = 3, while_there: Path | None = None
    ) -> None:
        self.inner, self.failure, self.every, self.while_there = inner, failure, every, while_there
        self.metrics, self.protocol = inner.metrics, inner.protocol

    def fails(self, arch: Architecture) -> bool:
        """Whether this architecture is one that fails."""
        is_mended = self.while_there is not None and not self.while_there.exists()
        return not is_mended and int(arch.key, 16) % self.every == 0

    def evaluate(self, arch: Architecture, fidelity: Fidelity, seed: int) -> Mapping[str, float]:
        """Fail, or evaluate with ``inner``."""
        values = dict(self.inner.evaluate(arch, fidelity, seed))
        if not self.fails(arch):
            return values
        match self.failure:
            case "raise":
                raise RuntimeError(f"failing on purpose for {arch.key}")
            case "nan":
                return {**values, next(iter(values)): float("nan")}
            case "missing":
                return dict(list(values.items())[1:])
            case "memory":
                raise MemoryError("failing on purpose")
            case "die":
                os._exit(17)
            case "hang":
                time.sleep(3600)
        return values


class EvaluatorContract(ABC):
    """What every evaluator does; subclass it in a test module and give :meth:`make`.

    Example:
        >>> class TestMyEvaluator(EvaluatorContract):
        ...     def make(self, space):
        ...         return MyEvaluator(space)

    Attributes:
        tolerance: by how much two calls with one seed may differ, relatively; a latency is not exact.
        fidelity: of the evaluations.
    """

    tolerance = 0.0
    fidelity = Fidelity()

    @abstractmethod
    def make(self, space: Space) -> Evaluator:
        """Return the evaluator, the same at every call."""

    def make_space(self) -> Space:
        """The space whose architectures it scores."""
        return NASBench201(num_cells=1, width=4)

    def test_is_an_evaluator(self) -> None:
        """The object has what the protocol says, and two of a kind measure the same."""
        evaluator = self.make(self.make_space())
        assert isinstance(evaluator, Evaluator) and evaluator.cost_class in ("cheap", "expensive")
        assert evaluator.metrics and all(name == metric.name for name, metric in evaluator.metrics.items())
        assert evaluator.protocol and evaluator.protocol == self.make(self.make_space()).protocol

    def test_every_metric_is_a_finite_number_within_its_bounds(self) -> None:
        """On a few random architectures."""
        space = self.make_space()
        evaluator = self.make(space)
        for arch in space.sample(3, np.random.default_rng(0)):
            values = evaluator.evaluate(arch, self.fidelity, seed=0)
            assert set(values) == set(evaluator.metrics)
            for name, value in values.items():
                low, high = evaluator.metrics[name].bounds
                assert math.isfinite(value) and low <= value <= high

    def test_a_copy_in_another_process_would_say_the_same(self) -> None:
        """It pickles, and one seed gives one value."""
        space = self.make_space()
        evaluator = self.make(space)
        arch = space.sample(1, np.random.default_rng(1))[0]
        values = evaluator.evaluate(arch, self.fidelity, seed=3)
        again = pickle.loads(pickle.dumps(evaluator)).evaluate(arch, self.fidelity, seed=3)
        assert all(math.isclose(again[name], value, rel_tol=self.tolerance) for name, value in values.items())

    def test_cheap_metrics_are_those_of_an_evaluation(self) -> None:
        """Where it has any."""
        space = self.make_space()
        evaluator = self.make(space)
        if not isinstance(evaluator, CheapEvaluator):
            return
        arch = space.sample(1, np.random.default_rng(2))[0]
        cheap, values = evaluator.cheap(arch, self.fidelity), evaluator.evaluate(arch, self.fidelity, seed=0)
        assert set(evaluator.cheap_metrics) <= set(cheap)
        assert all(math.isclose(cheap[n], values[n], rel_tol=self.tolerance) for n in evaluator.cheap_metrics)
