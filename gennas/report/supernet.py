"""What a report says of the supernet behind a run: how it was trained, and whether its ranking was checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gennas.errors import CheckpointError, UnknownNameError

if TYPE_CHECKING:
    from gennas.training.supernet import Diagnosis, SupernetRecord

__all__ = ["RankedBy", "SupernetStory", "supernets_of"]

NUM_DIAGNOSED = 20  # architectures that the command asks for


@dataclass(frozen=True)
class RankedBy:
    """A row of the table of rank correlations with stand-alone scores: value and interval."""

    name: str
    tau: str
    interval: str


@dataclass(frozen=True)
class SupernetStory:
    """A supernet that a run scored by, or that its strategy trained.

    Args:
        directory: where it is, or was.
        batch_norm: which statistics batch norms used, for a person.
        record: what the directory says of it; None where it says nothing.
        missing: why there is no record, in a sentence.
        is_other: whether its weights are others than those that the run scored by.
        diagnosis: how its scores rank; None where that was not checked.
        undiagnosed: why there is no diagnosis, in a sentence, apart from nobody having asked for it.
        is_own: whether the run's strategy trained it.
    """

    directory: Path
    batch_norm: str
    record: SupernetRecord | None = None
    missing: str = ""
    is_other: bool = False
    diagnosis: Diagnosis | None = None
    undiagnosed: str = ""
    is_own: bool = False

    @property
    def command(self) -> str:
        """What checks its ranking, beside the settings that it was trained with."""
        method = "" if self.record is None else f" --method {self.record.method.partition('(')[0]}"
        return f"gennas train-supernet …{method} --out {self.directory} --diagnose {NUM_DIAGNOSED}"

    @property
    def ranked(self) -> list[RankedBy]:
        """Inherited scores beside the number of parameters, as predictors of stand-alone scores."""
        assert self.diagnosis is not None
        found = self.diagnosis.ranking
        rows = {"inherited scores": found.tau, "number of parameters": found.tau_parameters}
        rows |= {"scores of another seed": found.tau_ceiling}
        return [
            RankedBy(name, _shown(tau.value), f"{_shown(tau.low)} to {_shown(tau.high)}")
            for name, tau in rows.items()
            if tau is not None
        ]

    @property
    def verdict(self) -> str:
        """What the two rank correlations say, in a sentence."""
        assert self.diagnosis is not None
        found = self.diagnosis.ranking
        tau, sizes, n = found.tau, found.tau_parameters, found.n
        if tau.value != tau.value:
            return "Scores are all alike, so that there is no ranking to speak of."
        if sizes is None or sizes.value != sizes.value:
            return "What counting parameters would give is not known."
        if tau.low > sizes.high:
            return "Inherited scores rank them better than counting parameters does: the intervals do not overlap."
        if tau.high < sizes.low:
            return "Counting parameters ranks them better than inherited scores do: the intervals do not overlap."
        return (
            f"The intervals overlap: these {n} do not show that inherited scores rank better than counting parameters."
        )


def supernets_of(config: Mapping[str, Any], directory: Path, identity: str = "") -> tuple[SupernetStory, ...]:
    """The supernets of a run: of ``--evaluator supernet``, and of the strategy ``one-shot``; often none.

    One that has moved or is damaged is told of in a sentence: a report is written without it.

    Args:
        config: of the run.
        directory: of the run.
        identity: of the run's values, as its archive notes it, which names the weights that they are of.
    """
    found = []
    if config.get("evaluator") == "supernet" and config.get("supernet"):
        story = SupernetStory(Path(str(config["supernet"])), _norm_of_evaluator(config.get("evaluator_option") or {}))
        story = _filled(story)
        named = "weights " in identity and story.record is not None
        found.append(replace(story, is_other=named and f"weights {story.record.digest}" not in identity))  # type: ignore[union-attr]
    if config.get("strategy") == "one-shot":
        story = _filled(SupernetStory(directory / "one_shot", "", is_own=True))
        found.append(replace(story, batch_norm=_norm_of_strategy(config.get("strategy_option") or {}, story.record)))
    return tuple(found)


def _filled(story: SupernetStory) -> SupernetStory:
    """The story with what the directory says."""
    from gennas.training.supernet import read_diagnosis, read_record

    try:
        if not (story.directory / "supernet.json").exists():
            return replace(story, missing=f"There is no trained supernet in {story.directory} (any more).")
        record = read_record(story.directory)
    except (CheckpointError, OSError) as error:
        return replace(story, missing=f"What the supernet's directory says cannot be read. {error}")
    try:
        diagnosis = read_diagnosis(story.directory)
    except CheckpointError as error:
        return replace(story, record=record, undiagnosed=f"The diagnosis beside it cannot be read. {error}")
    if diagnosis is not None and diagnosis.digest not in ("", record.digest):
        return replace(story, record=record, undiagnosed="The diagnosis beside it is one of other weights.")
    return replace(story, record=record, diagnosis=diagnosis)


def _norm_of_evaluator(options: Mapping[str, Any]) -> str:
    from gennas.training.supernet import SupernetEvaluator

    given = {name: p.default for name, p in signature(SupernetEvaluator).parameters.items()} | dict(options)
    mode = str(given["batch_norm"])
    if mode != "recalibrate":
        return mode
    return f"{mode}, on {given['recalibration']} batches of {given['batch_size']} training examples"


def _norm_of_strategy(options: Mapping[str, Any], record: SupernetRecord | None) -> str:
    """The mode of the search on inherited scores; relaxed decisions are ranked by their strengths instead."""
    from gennas.search.strategies.one_shot import OneShot
    from gennas.training.supernet.methods import ENAS, METHODS, Relaxation

    given = {name: p.default for name, p in signature(OneShot).parameters.items()} | dict(options)
    try:
        method = METHODS.get(str(given["method"]) if record is None else record.method.partition("(")[0])
    except UnknownNameError:  # of a package that is not installed here
        return str(given["batch_norm"])
    if isinstance(method, type) and issubclass(method, Relaxation) and not issubclass(method, ENAS):
        return "none: candidates are ranked by the strengths of their decisions, and nothing is scored"
    return _norm_of_evaluator({"batch_norm": given["batch_norm"]})


def _shown(value: float) -> str:
    return "–" if value != value else f"{value:.2f}".replace("-", "−")
