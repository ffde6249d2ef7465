"""A small finished run on nasbench201, with every kind of trial."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
import pytest

from gennas.graph import Architecture
from gennas.report.comparison import Comparison
from gennas.report.data import RunData
from gennas.report.statistics import Measure, describe, significance
from gennas.search.objectives import Objective, Objectives
from gennas.search.trial import Origin, Proposal, Status, Trial
from gennas.spaces.nasbench201.space import NASBench201

SPACE = NASBench201()
TRIALS: list[tuple[str, str, Status, float, float, str]] = [
    # operation on the first edge, source, status, accuracy, latency, error
    ("none", "random", "ok", 0.50, 1.0, ""),
    ("skip_connect", "random", "failed", 0.0, 0.0, "ValueError: <script>alert('gotcha')</script> & more"),
    ("nor_conv_1x1", "mutation", "ok", 0.70, 3.0, ""),
    ("avg_pool_3x3", "mutation", "ok", 0.60, 2.0, ""),
    ("nor_conv_3x3", "diffusion", "ok", 0.90, 6.0, ""),
    ("skip_connect", "diffusion", "timeout", 0.0, 0.0, "took longer than 3 s"),
]


def arch_of(operation: str) -> Architecture:
    return SPACE.from_text(f"|{operation}~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|")


def trial_of(i: int, operation: str, source: str, status: Status, accuracy: float, latency: float, error: str) -> Trial:
    metrics = {"val": accuracy, "test": accuracy - 0.01, "latency": latency} if status == "ok" else {}
    proposal = Proposal(arch_of(operation), Origin(source), id=i)
    return Trial(proposal, status, metrics, {"seconds": 2.0, "joules": 5.0}, error)


def with_origin(trial: Trial, **changes: object) -> Trial:
    origin = replace(trial.proposal.origin, **changes)  # type: ignore[arg-type]
    return replace(trial, proposal=replace(trial.proposal, origin=origin))


@pytest.fixture
def in_round() -> Callable[..., Trial]:
    """A trial as if proposed in a round, with further changes of its origin."""
    return lambda trial, number, **changes: with_origin(trial, round=number, **changes)


@pytest.fixture(scope="session")
def many_trials() -> Callable[[int], list[Trial]]:
    """``n`` random trials whose accuracy depends on the last edge most, on the first a little, on no other."""

    def make(n: int) -> list[Trial]:
        archs = SPACE.sample(n, np.random.default_rng(0))
        values = archs.decisions[:, 5] + 0.3 * archs.decisions[:, 0] + 1e-3 * np.random.default_rng(1).normal(size=n)
        latency = archs.decisions.sum(1) + 0.0
        return [
            Trial(
                Proposal(archs[i], Origin("random" if i < 8 else "mutation", (), i // 8 or None), id=i),
                "failed" if i % 50 == 49 else "ok",
                {} if i % 50 == 49 else {"val": float(values[i]), "latency": float(latency[i])},
                {"seconds": 0.25},
                "ValueError: out of luck" if i % 50 == 49 else "",
            )
            for i in range(n)
        ]

    return make


@pytest.fixture
def make_run() -> Callable[..., RunData]:
    def make(**changes: object) -> RunData:
        values: dict[str, object] = {
            "config": {"space": "nasbench201", "strategy": {"name": "generative", "width": 64}, "seed": 7},
            "trials": [trial_of(i, *row) for i, row in enumerate(TRIALS)],
            "objectives": Objectives((Objective("val"),)),
            "report_metric": "test",
            "rounds": [
                {"n_evals": 4, "round": 0, "validity": 0.9, "novelty": 1.0, "fit_s": 1.5, "sample_s": 0.5},
                {"n_evals": 6, "round": 1, "validity": 1.0, "novelty": 0.8, "surrogate_tau": -0.1, "fit_s": 1.5},
            ],
            "optimum": 0.95,
            "texts": SPACE.to_text,
            "wall_s": 20.0,
            "version": "1.2.3",
        }
        return RunData(**(values | changes))  # type: ignore[arg-type]

    return make


@pytest.fixture
def make_comparison() -> Callable[..., Comparison]:
    """Three strategies, three seeds: the second and the third are equally good, and found 0.8 once."""

    def make(
        names: Sequence[str] = ("random", "x", "y"),
        direction: Literal["max", "min"] = "max",
        optimum_share: Sequence[float] = (0.0, 1 / 3, 1 / 3),
        **changes: object,
    ) -> Comparison:
        last = [[0.5, 0.7, 0.75], [0.6, 0.75, 0.7], [0.7, 0.8, 0.8]]
        spent = [[11.0, 11.0, 11.0], [11.0, 11.0, 11.0], [11.0, 5.0, 5.0]]
        measures = [
            Measure("val_acc", pd.DataFrame(last, columns=list(names)), direction),
            Measure("evaluations", pd.DataFrame(spent, columns=list(names)), "min"),
        ]
        rows = [
            (name, seed, n, value - 0.1 * (n == 1), value - 0.2, 0.5 * n)
            for i, name in enumerate(names)
            for seed, value in enumerate(row[i] for row in last)
            for n in (1, 10)
        ]
        columns = ["strategy", "seed", "n_evals", "objective", "report", "seconds"]
        values: dict[str, object] = {
            "title": "space · table",
            "objective": Objective("val_acc", direction),
            "budget": 10,
            "seeds": 3,
            "summary": pd.DataFrame(
                {
                    "strategy": list(names),
                    "report_mean": [0.4, 0.55, 0.55],
                    "report_std": [0.1, 0.05, 0.05],
                    "optimum_share": list(optimum_share),
                    "wall_s": [1.0, 2.0, 3.0],
                }
            ),
            "curves": pd.DataFrame(rows, columns=columns),
            "statistics": describe(measures),
            "tests": significance(measures),
            "findings": ["found something"],
            "notes": ["watch out"],
            "optimum": 0.8,
            "report": "test",
            "config": {"budget": 10},
            "version": "1.2.3",
        }
        return Comparison(**(values | changes))  # type: ignore[arg-type]

    return make
