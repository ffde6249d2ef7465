"""What a person does with a language model beside a search: try it, and read what one said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gennas.errors import ConfigError, GennasError
from gennas.models.llm import Decisions, Proposals, by_choices, by_texts
from gennas.models.llm.connect import model_of, model_settings
from gennas.runtime.files import draft
from gennas.search.language_summary import LanguageSummary, summarize_language
from gennas.search.transcript import ArchiveTranscript
from gennas.workbench.problem import space_from
from gennas.workbench.run import read_run
from gennas.workbench.settings import NO_OPTIONS, Count, OptionMap, SpaceSettings, TrustSettings

__all__ = ["LanguageSettings", "Probed", "export_transcript", "probe_model", "summary_of_run", "transcript_of"]


@dataclass(frozen=True)
class LanguageSettings(TrustSettings, SpaceSettings):
    """Try a language model, or read what one said in a search.

    gennas llm probe --model vllm:NAME: reach it, find out what its server enforces, draw a few architectures.
    gennas llm show RUN: what a search's model was asked, what came of it, and what it cost.
    gennas llm export RUN --out FILE: the transcript as JSON lines, which replay:FILE reads.
    gennas llm audit: what a model knows of a benchmark beforehand (see its own --help).
    gennas llm tune: fine-tune a model on what a run measured (see its own --help).
    """

    action: Literal["probe", "show", "export"] = "show"
    """What to do."""
    run: Path | None = None
    """Run directory, of show and export."""
    model: str | None = None
    """Language model, of probe: SERVER or SERVER:MODEL, local:FOLDER, or file.py:Class."""
    model_option: OptionMap = NO_OPTIONS
    """Arguments of its backend, as KEY=VALUE: url=…, key_variable=NAME, parameters={temperature: 0.7}, prices=FILE."""
    n: Count = 4
    """Architectures that probe has it propose."""
    call: int | None = None
    """Number of a call, from 0, that show prints in full."""
    out: Path = Path("transcript.jsonl")
    """File that export writes."""


@dataclass(frozen=True)
class Probed:
    """What a model turned out to be.

    Args:
        name: its name in records.
        fields: what its server does with each field that may hold a grammar; empty where texts are not asked for.
        proposals: a few architectures.
        texts: the same as texts of the space.
        usd: US dollars that they cost; None where no prices were given.
    """

    name: str
    fields: Mapping[str, str]
    proposals: Proposals
    texts: list[str]
    usd: float | None = None


def probe_model(settings: LanguageSettings) -> Probed:
    """Reach a model and have it propose a few architectures.

    Raises:
        GennasError: no model, or it cannot be reached or asked.
    """
    if settings.model is None:
        raise ConfigError("Which model? Give --model SERVER:MODEL, local:FOLDER or file.py:Class.")
    model = model_of(model_settings(settings.model, settings.model_option))
    price, backend, space = model.price, model.backend(), space_from(settings)
    decisions = Decisions(space.schema, space.legal, space.completions)
    state = f"Propose a good architecture of the space {space.name}."
    if model.gives_probabilities:
        fields: Mapping[str, str] = {}
        found = by_choices(decisions, backend, state, settings.n)
    else:
        probe = getattr(backend, "probe", dict)
        fields, found = probe(), by_texts(decisions, backend, [{"role": "user", "content": state}], settings.n)
    texts = [space.to_text(space.architecture(row)) for row in found.D]
    return Probed(backend.name, fields, found, texts, None if price is None else price.of(found.usage))


def _run_of(settings: LanguageSettings) -> Path:
    if settings.run is None:
        raise ConfigError(f"Which run? gennas llm {settings.action} RUN.")
    return settings.run


def summary_of_run(settings: LanguageSettings) -> LanguageSummary:
    """The language model's part in a run.

    Raises:
        GennasError: it is no run, or asked no model.
    """
    run, archive = read_run(_run_of(settings), settings.trust)
    try:
        best, incumbents = None, []
        for trial in run.result.trials:
            leader = run.problem.objectives.best([t for t in (best, trial) if t is not None])
            if leader is trial:
                incumbents.append(trial)
            best = leader
        found = summarize_language(archive, run.result.trials, incumbents)
    finally:
        archive.close()
    if found is None:
        raise GennasError(f"{settings.run} asked no language model.")
    return found


def transcript_of(settings: LanguageSettings) -> list[dict[str, Any]]:
    """Every call of a run, in the order in which they were kept.

    Raises:
        GennasError: it is no run, or asked no model.
    """
    _, archive = read_run(_run_of(settings), settings.trust)
    try:
        found = list(ArchiveTranscript(archive))
    finally:
        archive.close()
    if not found:
        raise GennasError(f"{settings.run} asked no language model.")
    return found


def export_transcript(settings: LanguageSettings) -> int:
    """Write a run's transcript as JSON lines; how many calls it holds.

    Raises:
        GennasError: it is no run, asked no model, or the file cannot be written.
    """
    calls = transcript_of(settings)
    with draft(settings.out) as place:
        place.write_text("".join(json.dumps(call, ensure_ascii=True) + "\n" for call in calls), encoding="utf-8")
    return len(calls)
