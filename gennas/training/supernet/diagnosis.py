"""How far a trained supernet can be trusted: its ranking beside networks trained alone, and its discretisation gap."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gennas.errors import CheckpointError, ConfigError, reason_of, shown
from gennas.eval.base import FULL_FIDELITY, Fidelity
from gennas.eval.correlation import Interval
from gennas.graph import Architecture
from gennas.runtime.files import write_atomically
from gennas.runtime.seeds import seeded
from gennas.spaces.base import Space
from gennas.training.fidelity import scale_space, scale_spec
from gennas.training.recipe import TrainConfig
from gennas.training.scoring import score_batches
from gennas.training.state import load_state
from gennas.training.supernet.base import Supernet
from gennas.training.supernet.diagnostics import (
    DiscretisationGap,
    InheritedRanking,
    discretisation_gap,
    rank_inherited,
)
from gennas.training.supernet.evaluator import SupernetEvaluator
from gennas.training.supernet.methods import ENAS, AlternatingStep, Route, discretise, make_step
from gennas.training.supernet.norms import set_batch_norm
from gennas.training.supernet.records import read_record
from gennas.training.task import Task
from gennas.training.trainer import Trainer

__all__ = ["DIAGNOSIS_FILE", "Diagnosis", "diagnose", "read_diagnosis"]

DIAGNOSIS_FILE = "diagnosis.json"
LEAST = 3  # architectures that can be ranked
_COLUMNS = ("inherited", "alone", "parameters")


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Args:
        metric: that inherited and stand-alone networks were scored by, on the validation part.
        ranking: of inherited against stand-alone scores, beside the number of parameters.
        gap: between mixture and discretised path; None where the method relaxes nothing.
        texts: the architectures.
        inherited: their inherited scores.
        alone: their scores after a training alone.
        parameters: their numbers of parameters.
        seconds: that the stand-alone trainings and the scoring took; no search is charged with them.
        digest: of the supernet's weights that were looked at; empty where it was not noted.
    """

    metric: str
    ranking: InheritedRanking
    gap: DiscretisationGap | None
    texts: Sequence[str]
    inherited: Sequence[float]
    alone: Sequence[float]
    parameters: Sequence[float]
    seconds: float
    digest: str = ""

    @property
    def lines(self) -> list[str]:
        """The figures, for a person."""
        found = [
            f"Inherited against stand-alone {self.metric}: {self.ranking}; {self.seconds:.1f} s of stand-alone training"
        ]
        if self.gap is not None:
            gap = self.gap
            found.append(
                f"Discretisation gap {gap.gap:.4g}: mixture {gap.relaxed:.4g}, its best path {gap.discrete:.4g}"
            )
        return found

    @property
    def figures(self) -> dict[str, float]:
        """The figures, for trackers."""
        found = {"tau_inherited": self.ranking.tau.value, "diagnosis_seconds": self.seconds}
        if self.ranking.tau_parameters is not None:
            found["tau_params"] = self.ranking.tau_parameters.value
        return found | ({} if self.gap is None else {"discretisation_gap": self.gap.gap})


def diagnose(
    directory: str | Path,
    space: Space,
    task: Task,
    n: int,
    config: TrainConfig | None = None,
    seed: int = 0,
    on_network: Callable[[int, Architecture, float], None] | None = None,
) -> Diagnosis:
    """Train architectures alone, on the supernet's task and fidelity, and compare; written to ``diagnosis.json``.

    Args:
        directory: of the supernet.
        space: that it is of.
        task: that it was trained for.
        n: architectures, drawn uniformly.
        config: how they are trained; by default as the task's recipe says.
        seed: of the draw and of the trainings.
        on_network: told of every network, its number from 1, its architecture, and its score.

    Raises:
        ConfigError: fewer than three architectures.
        CheckpointError: there is no such supernet.
    """
    if n < LEAST:
        raise ConfigError(f"Expected at least {LEAST} architectures to rank, got {n}.")
    evaluator, record = SupernetEvaluator(directory, space, task), read_record(directory)
    fidelity = Fidelity(**record.fidelity)
    scaled, spec = scale_space(space, fidelity.width, fidelity.depth), scale_spec(task.spec, fidelity)
    archs = space.sample(n, np.random.default_rng(seed)).unique()
    if len(archs) < LEAST:
        raise ConfigError(f"Expected at least {LEAST} different architectures to rank, got {len(archs)}.")
    score = task.score_classes[0]
    sign = 1.0 if score.direction == "max" else -1.0
    start, alone = time.perf_counter(), list[float]()
    found = [evaluator.evaluate(arch, FULL_FIDELITY, 0) for arch in archs]
    for number, arch in enumerate(archs, start=1):
        with seeded(seed):
            network = scaled.build(arch, spec)
        result = Trainer(task, config or task.config).fit(network, fidelity, seed)
        alone.append(float(result.curves[f"val_{score.name}"][-1]))
        if on_network is not None:
            on_network(number, arch, alone[-1])
    gap, seconds = _gap(Path(directory), evaluator, scaled, sign), time.perf_counter() - start
    inherited, parameters = [f[evaluator.primary] for f in found], [f["params"] for f in found]
    ranking = rank_inherited(sign * np.array(inherited), sign * np.array(alone), parameters, seed=seed)
    texts = [space.to_text(arch) for arch in archs]
    made = Diagnosis(score.name, ranking, gap, texts, inherited, alone, parameters, seconds, record.digest)
    try:
        write_atomically(Path(directory) / DIAGNOSIS_FILE, json.dumps(asdict(made), indent=2) + "\n")
    except OSError as error:
        raise CheckpointError(f"The diagnosis could not be written to {directory}: {reason_of(error)}.") from error
    return made


def read_diagnosis(directory: str | Path) -> Diagnosis | None:
    """What was found when the supernet of a directory was looked at; None where it was not.

    Raises:
        CheckpointError: the file is damaged.
    """
    path = Path(directory) / DIAGNOSIS_FILE
    try:
        found = json.loads(path.read_text())
        measured = {name: np.array(found[name], dtype=np.float64).tolist() for name in _COLUMNS}
        if len({len(found["texts"]), *map(len, measured.values())}) != 1:
            raise ValueError("its columns are of different lengths")
        return Diagnosis(
            str(found["metric"]),
            _ranking(found["ranking"]),
            None if found["gap"] is None else DiscretisationGap(**_numbers(found["gap"])),
            [str(text) for text in found["texts"]],
            **measured,
            seconds=float(found["seconds"]),
            digest=str(found.get("digest", "")),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{path} is damaged ({type(error).__name__}: {shown(str(error))}); remove it and diagnose again."
        ) from error


def _ranking(found: Mapping[str, Any]) -> InheritedRanking:
    intervals = {
        name: None if found[name] is None else Interval(**_numbers(found[name]))
        for name in ("tau", "rho", "tau_parameters", "tau_ceiling")
    }
    if intervals["tau"] is None or intervals["rho"] is None:
        raise ValueError("it has no rank correlation")
    return InheritedRanking(**intervals, n=int(found["n"]))  # type: ignore[arg-type]


def _numbers(found: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in found.items()}


def _gap(directory: Path, evaluator: SupernetEvaluator, space: Space, sign: float) -> DiscretisationGap | None:
    """The primary score of the mixture and of its discretised path, both with statistics of the batch."""
    record = read_record(directory)
    name, _, rest = record.method.partition("(")
    step = make_step(name, space, evaluator.supernet.spec, record.seed, **json.loads(rest.removesuffix(")") or "{}"))
    if not isinstance(step, AlternatingStep) or isinstance(step.relaxation, ENAS):
        return None
    step.load_state_dict(load_state(directory).part("step"))
    best, _ = discretise(step.relaxation.strengths(), space, 1)
    task, supernet = evaluator.task, evaluator.supernet
    set_batch_norm(supernet, "batch", [])

    def score(route: Route) -> float:
        with torch.no_grad():
            values = score_batches(_Along(supernet, route), evaluator._data[1], task, supernet.spec)
        return sign * values[task.score_classes[0].name]

    return discretisation_gap(score, step.evaluation_route(), supernet.route_of(best[0]))


class _Along(nn.Module):
    """A supernet along one route."""

    def __init__(self, supernet: Supernet, route: Route) -> None:
        super().__init__()
        self.supernet, self.route = supernet, route

    def forward(self, *inputs: Tensor) -> Any:
        return self.supernet(*inputs, route=self.route)
