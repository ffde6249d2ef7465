"""``gennas llm audit``: what a language model knows of a table beforehand, and whether it listens."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from gennas.errors import ConfigError, UnknownNameError, shown
from gennas.eval.tables import Table, open_table
from gennas.graph import IntArray, Population
from gennas.models.base import FloatArray
from gennas.models.llm import Backend, Decisions, Recorder, Transcript, listed_decisions
from gennas.models.llm.audit import CONDITIONS, Audit, audit
from gennas.models.llm.connect import Connection, model_of, model_settings
from gennas.runtime.files import write_atomically
from gennas.workbench.problem import space_from
from gennas.workbench.settings import NO_OPTIONS, Count, OptionMap, Part, Seed, SpaceSettings, Steps, Texts
from gennas.workbench.values import load_yaml

__all__ = ["AuditSettings", "audit_model"]


@dataclass(frozen=True)
class AuditSettings(SpaceSettings):
    """Ask what a language model owes to names that it knows, and what to feedback.

    At equal budget and seeds the model proposes architectures with their own names; with neither names nor an order of
    symbols to recognise (anonymised); with descriptions of the operations instead (semantics); with the values of the
    history shuffled; told to find the worst (inverted); and without any history (recall). Beside this it is asked which
    of five values a table holds for an architecture.

    gennas llm audit --space nasbench201 --table nb201.csv.gz --metric c10_val_200 --model vllm:NAME
    """

    parts: ClassVar[tuple[str, ...]] = ("model",)

    table: str = ""
    """The table: a name from `gennas list tables`, or a file."""
    metric: str | None = None
    """The column that is searched (default: the first validation accuracy, or column)."""
    subject: str | None = None
    """What is named beside the space where names are shown (default: the table's name)."""
    model: Part | None = None
    """Language model: SERVER or SERVER:MODEL (llama.cpp, vllm, openai:NAME, …), `local:FOLDER`, or `file.py:Class`."""
    model_option: OptionMap = NO_OPTIONS
    """Arguments of its backend, as KEY=VALUE: url=…, key_variable=NAME, parameters={temperature: 0.7}."""
    ask: Literal["auto", "choices", "texts"] = "auto"
    """How: for probabilities of options, for texts, or for whichever the model can give."""
    seeds: Count = 10
    """Searches in each condition, two or more."""
    first_seed: Seed = 0
    """Seed of the first of them."""
    budget: Count = 20
    """Proposals of each search."""
    batch: Count = 5
    """Proposals before the next feedback."""
    start: Count = 10
    """Random architectures that the history begins with."""
    questions: Steps = 40
    """Questions about single values; 0: none."""
    conditions: Texts = tuple(CONDITIONS)
    """What is run; repeat it for several (default: all)."""
    meanings: Path | None = None
    """A YAML file that describes operations by their names, for the condition `semantics`."""
    transcript: Path | None = None
    """A file that keeps every answer: what it holds is not asked (nor paid) again."""
    out: Path | None = None
    """A JSON file for all figures."""

    def check(self) -> None:
        """Refuse what is missing."""
        if not self.table or self.model is None:
            raise ConfigError(
                "Expected a table and a model, as in: gennas llm audit --table TABLE --model SERVER:MODEL."
            )


def audit_model(settings: AuditSettings, on_search: Callable[[str, int], None] = lambda condition, seed: None) -> Audit:
    """Run the audit that settings ask for, and write its figures if they name a file.

    Raises:
        GennasError: no such table, column or model, or the model cannot be asked.
    """
    space = space_from(settings)
    table = open_table(settings.table, space)
    metric = _metric(table, settings.metric)
    decisions, values = _decisions(table), _values(table, metric)
    backend, asked = _backend(settings)
    found = audit(
        decisions,
        backend,
        values,
        table.columns[metric],
        metric=metric,
        maximise=table.metrics[metric].direction == "max",
        subject=Path(settings.table).name.split(".")[0] if settings.subject is None else settings.subject,
        seeds=settings.seeds,
        first_seed=settings.first_seed,
        budget=settings.budget,
        batch=settings.batch,
        start=settings.start,
        asked=asked,
        conditions=settings.conditions,
        meanings=_meanings(settings.meanings),
        questions=settings.questions,
        on_search=on_search,
    )
    if settings.out is not None:
        content = {"table": table.name, "protocol": table.protocol, "metric": metric, "asked": asked, **found.to_dict()}
        write_atomically(settings.out, json.dumps(content, indent=1) + "\n")
    return found


def _metric(table: Table, wanted: str | None) -> str:
    if wanted is not None and wanted not in table.metrics:
        raise UnknownNameError("metric", wanted, table.metrics)
    accuracies = [name for name in table.metrics if "val" in name and "acc" in name]
    return wanted or (accuracies or list(table.metrics))[0]


def _decisions(table: Table) -> Decisions:
    """Those of the rows of a table that does not cover its space, else of the space."""
    space = table.space
    if table.archs is not None and (table.coverage or 0.0) < 1:
        return listed_decisions(space.schema, table.archs.decisions)
    return Decisions(space.schema, space.legal, space.completions)


def _values(table: Table, metric: str) -> Callable[[IntArray], FloatArray]:
    space = table.space

    def values(D: IntArray) -> FloatArray:
        archs = space.canonical(Population.from_decisions(space.schema, D))
        return np.asarray(table.lookup_population(archs)[metric], dtype=np.float64)

    return values


def _backend(settings: AuditSettings) -> tuple[Backend, Literal["choices", "texts"]]:
    """The model, which is reached when it is first asked, and how it is asked."""
    given: Any = settings.model
    model = model_of(model_settings(given, settings.model_option) if isinstance(given, str) else given)
    backend: Backend = Connection(model)
    if settings.transcript is not None:
        backend = Recorder(backend, Transcript(settings.transcript))
    if settings.ask == "auto":
        return backend, "choices" if model.gives_probabilities else "texts"
    return backend, settings.ask


def _meanings(path: Path | None) -> Mapping[str, str] | None:
    if path is None:
        return None
    content = load_yaml(path)
    wrong = [name for name, text in content.items() if not isinstance(name, str) or not isinstance(text, str)]
    if wrong:
        raise ConfigError(f"{path}: expected a description of each operation, got {shown(content[wrong[0]])}.")
    return {name: text.strip() for name, text in content.items()}
