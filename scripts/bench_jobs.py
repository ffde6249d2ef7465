"""What ``scripts/bench_engine`` runs: problems by name, strategies by their text, one search in a plain loop."""

from __future__ import annotations

import inspect
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gennas.errors import ConfigError, UnknownNameError
from gennas.eval.base import FULL_FIDELITY
from gennas.graph import Population
from gennas.search import STRATEGIES, Strategy, Trial
from gennas.testing.landscapes import LANDSCAPES, BoundedLandscape, make_landscape
from gennas.workbench.config import ProblemConfig
from gennas.workbench.problem import Problem, make_problem, make_strategy
from gennas.workbench.settings import Options

Columns = Callable[[Population], Mapping[str, np.ndarray]]

# Out of those in docs/LOG.md, which says where they lose; chosen on seeds from 2000 on, which no table shows.
TUNED = {
    "regularized-evolution-tuned": "regularized-evolution@crossover=0.5@further_edits=0.33",
    "local-search-tuned": "local-search@edits=2@tries=200",
    "genetic-tuned": "genetic@start=20@parents=50@selection=tournament@tournament=10@crossover=0.5@further_edits=0.33",
}

_CHAIN = {"proxy": "logsynflow,params", "objective": ("logsynflow:max",), "constraint": ("params<=1e5",)}
# Who makes candidates, under the same ranker: one source alone, or what joins edits and crossings inside ``evolve``.
# Paths are those from the root of the repository.
_INSIDE = "generative@shares={evolve: 0.9, random: 0.1}@kernels="
_WITH = _INSIDE + "{mutation: 0.4, crossover: 0.4, "
_BESIDE = "generative@shares={evolve: 0.45, random: 0.1, scripts/posterior_sources.py:"
ARMS = {
    "mutation-source": "generative@shares={mutation: 1}",
    "geometric-source": "generative@shares={scripts/blind_sources.py:GeometricSource: 1}",
    "crossover-source": "generative@shares={crossover: 1}",
    "diffusion-source": "generative@shares={diffusion: 1}",
    "evolved": _INSIDE + "{mutation: 0.5, crossover: 0.5}",
    "evolved+renoise": _WITH + "renoise: 0.2}",
    "evolved+blind": _WITH + "scripts/blind_sources.py:BlindKernel: 0.2}",
    "evolved+complete": _WITH + "complete: 0.2}",
    "evolved+steady": _WITH + "scripts/generator_variants.py:SteadyKernel: 0.2}",
    "evolved+far": _WITH + "scripts/generator_variants.py:FarKernel: 0.2}",
    "evolved+samples": _WITH + "scripts/generator_variants.py:SampleKernel: 0.2}",
    "evolved+distilled": _WITH + "scripts/generator_variants.py:DistilledKernel: 0.2}",
    "evolved+feasible": _WITH + "scripts/generator_variants.py:FeasibleKernel: 0.2}",
    "evolved+tilted": _BESIDE + "TiltedSource: 0.45}@kernels={mutation: 0.5, crossover: 0.5}",
    "evolved+fine-tuned": _BESIDE + "FineTunedSource: 0.45}@kernels={mutation: 0.5, crossover: 0.5}",
}

_SIZES = {"embeds": (16, 24, 32, 48)}
_REAL: dict[str, dict[str, Any]] = {
    "vit": {
        "space": "autoformer-tiny", "cheap": ("params",), **_CHAIN, "constraint": ("params<=6e4",),
        "space_option": {
            **_SIZES, "depths": (6, 8, 10, 12), "ratios": (1, 2, 3, 4), "heads": (1, 2, 3, 4), "head_dim": 8,
            "relative": False,
        },
    },
    "gpt": {
        "space": "gpt", "task": "stdlib", "cheap": ("params",), **_CHAIN, "constraint": ("params<=6e4",),
        "space_option": {**_SIZES, "depths": (4, 6, 8, 10), "mixers": ("attention", "conv")},
    },
    "real8": {"space": "macro-chain", "cheap": ("params",), **_CHAIN},
    "real12": {
        "space": "macro-chain", "space_option": {"max_depth": 12, "min_depth": 3}, "cheap": ("params",), **_CHAIN,
    },
    "nb101": {
        "space": "nasbench101", "table": f"{Path(__file__).parent / 'published_tables.py'}:nasbench101",
        "objective": ("test_mean:max",),
    },
    "nb201-c10": {"space": "nasbench201", "table": "nb201.csv.gz", "objective": ("c10_val_200:max",)},
    "nb201-c100": {"space": "nasbench201", "table": "nb201.csv.gz", "objective": ("c100_val_200:max",)},
}  # fmt: skip
_DEVICES = ("1080ti_1", "gold_6226", "pixel3", "raspi4", "eyeriss")
_BOUNDS = {f"nb201-{device}-{percent}": (device, percent) for device in _DEVICES for percent in (25, 50)}
_GRAPH = ("arxiv", "citeseer", "computers", "cora", "cs", "photo", "physics", "proteins", "pubmed")
PROBLEMS = (*LANDSCAPES, *_REAL, *_BOUNDS, *(f"graph-{name}" for name in _GRAPH))


@dataclass(frozen=True)
class Job:
    """One search; what is left None is the strategy's own."""

    problem: str
    strategy: str
    seed: int
    budget: int
    batch: int | None = None
    pool: int | None = None
    stop: bool = False

    @property
    def name(self) -> str:
        """The strategy's name in the registry."""
        return self._text[0]

    @property
    def _text(self) -> list[str]:
        name, *options = self.strategy.split("@")
        return [*(TUNED | ARMS).get(name, name).split("@"), *options]

    @property
    def options(self) -> Options:
        """The strategy's options: those of the text, then batch and pool where it has such options."""
        given = Options.of(self._text[1:])
        wanted = {"round_size": self.batch, "pool_size": self.pool}
        takes = inspect.signature(STRATEGIES.get(self.name)).parameters
        return Options({k: v for k, v in wanted.items() if v is not None and k in takes} | dict(given))

    @property
    def key(self) -> str:
        """What decides the outcome, as text."""
        settings = [self.problem, self.name, sorted(self.options.pairs()), self.seed, self.budget, self.stop]
        return json.dumps(settings)


def run(job: Job) -> dict[str, Any]:
    """Search, and return what the table needs.

    ``curve`` has ``[evaluations, best feasible value]`` whenever that rose, ``cpu`` has ``[evaluations, CPU seconds]``
    of the strategy alone, ``hit`` is the evaluation that found a known optimum, ``screened`` how many architectures
    had their cheap metrics looked up, ``kernels`` are the shares of children of ``evolve`` by kernel in the end.
    """
    torch.set_num_threads(1)
    problem, columns = _problem(job.problem, job.seed if job.problem in LANDSCAPES else 0)
    strategy = make_strategy(job.name, job.options, problem, job.seed)
    if job.problem in LANDSCAPES:
        strategy.screen = problem.evaluator.screen()
    optimum = getattr(problem.evaluator, "optimum", None) if problem.table is None else problem.optimum
    return {"key": job.key, "optimum": optimum, **_search(job, strategy, problem, columns, optimum)}


def _search(job: Job, strategy: Strategy, problem: Problem, columns: Columns, optimum: float | None) -> dict[str, Any]:
    goal, visible = problem.objectives.primary, problem.objectives.metric_names
    done, best, spent, hit = 0, -np.inf, 0.0, None
    curve: list[list[float]] = []
    cpu: list[list[float]] = []
    while done < job.budget and not (job.stop and hit):
        start = time.process_time()
        proposals = strategy.ask(min(strategy.batch_size, job.budget - done))
        spent += time.process_time() - start
        if not proposals:
            break
        found = columns(Population.of(problem.space.schema, [p.arch for p in proposals]))
        trials = [
            Trial(replace(p, id=done + i), "ok", {name: float(found[name][i]) for name in visible})
            for i, p in enumerate(proposals)
        ]
        for trial in trials:
            done += 1
            if problem.objectives.is_feasible(trial) and goal.signed(trial.metrics[goal.metric]) > best:
                best = goal.signed(trial.metrics[goal.metric])
                curve.append([done, trial.metrics[goal.metric]])
                if hit is None and optimum is not None and best >= goal.signed(optimum) - 1e-9:
                    hit = done
        start = time.process_time()
        strategy.tell(trials)
        spent += time.process_time() - start
        if not cpu or done == job.budget or done // (job.budget / 20) > cpu[-1][0] // (job.budget / 20):
            cpu.append([done, round(spent, 3)])
    shares = {k.removeprefix("kernel_"): v for k, v in strategy.records().items() if k.startswith("kernel_")}
    found = {"curve": curve, "cpu": cpu, "hit": hit, "evaluations": done, "direction": goal.direction}
    screened = {} if strategy.screen is None else {"screened": strategy.screen.count}
    return found | screened | ({"kernels": shares} if shares else {})


def _bounded(device: str, percent: int) -> dict[str, Any]:
    """NAS-Bench-201 on CIFAR-10 under a bound on the latency of a device, which is known for every candidate."""
    import pandas as pd

    latency = pd.read_csv(Path(os.environ["GENNAS_DATA"]) / "nb201_latency.csv.gz")[device]
    return {
        "space": "nasbench201", "table": f"{Path(__file__).parent / 'published_tables.py'}:nasbench201_latency",
        "objective": ("c10_val_200:max",), "cheap": (f"latency_{device}",),
        "constraint": (f"latency_{device}<={float(latency.quantile(percent / 100))!r}",),
    }  # fmt: skip


@lru_cache(maxsize=2)
def _problem(name: str, seed: int) -> tuple[Problem, Columns]:
    """A problem by name, and what scores whole populations."""
    if name in LANDSCAPES:
        landscape = make_landscape(name, seed)
        cheap = landscape.cheap_metrics if isinstance(landscape, BoundedLandscape) else ()
        goals = landscape.objectives
        return Problem(landscape.space, landscape, goals, None, FULL_FIDELITY, name, None, cheap), landscape.columns
    if name.startswith("graph-"):
        settings: dict[str, Any] = {"space": "nasbench-graph", "task": name.removeprefix("graph-")}
    elif name in _BOUNDS:
        settings = _bounded(*_BOUNDS[name])
    elif name in _REAL:
        settings = dict(_REAL[name])
    else:
        raise UnknownNameError("problem", name, PROBLEMS)
    if str(settings.get("table", "")).endswith(".gz"):
        if "GENNAS_DATA" not in os.environ:
            raise ConfigError(
                f"Expected GENNAS_DATA to be the folder of the published tables for {name}; it is not set."
            )
        settings["table"] = str(Path(os.environ["GENNAS_DATA"]) / settings["table"])
    problem = make_problem(ProblemConfig(**settings))

    def columns(population: Population) -> Mapping[str, np.ndarray]:
        rows = [problem.evaluator.evaluate(arch, FULL_FIDELITY, 0) for arch in population]
        return {metric: np.array([row[metric] for row in rows]) for metric in rows[0]}

    return problem, columns
