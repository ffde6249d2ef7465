"""Evaluators for tests: a synthetic benchmark on any space, and one that fails on purpose."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from gennas.eval.base import Evaluator, Fidelity, Metric
from gennas.graph import Architecture, GraphSchema

__all__ = ["FailingEvaluator", "SyntheticEvaluator"]

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
