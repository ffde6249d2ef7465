"""``gennas llm tune``: a language model of yours, fine-tuned on what a run measured."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

import gennas
from gennas.errors import ConfigError
from gennas.graph import IntArray
from gennas.models.base import FloatArray
from gennas.models.llm import Decisions
from gennas.models.llm.tuning import Tuned, Tuning, tune
from gennas.runtime.files import draft_folder
from gennas.workbench.run import Run, read_run
from gennas.workbench.settings import Count, Positive, Seed, Share, Switch, TrustSettings

__all__ = ["TuneSettings", "tune_model"]


@dataclass(frozen=True)
class TuneSettings(TrustSettings):
    """Fine-tune a language model on a run's architectures, by matrices of low rank, and write it as a folder.

    The folder holds the model, its tokenizer, the prompt that it was tuned under (prompt.j2), and what was done
    (tuning.json). A search asks it so:
      gennas search … --strategy llm --model local:OUT
          --strategy-option "method_option={ask: texts, prompt: OUT/prompt.j2}"
    """

    source: Path | None = field(default=None, metadata={"flag": "from"})
    """Run directory to learn from."""
    model: str | None = None
    """Folder of a causal language model, or its name on the hub."""
    out: Path = Path("runs/tuned")
    """Folder of the tuned model; must be new."""
    method: Literal["preferences", "supervised"] = "preferences"
    """`preferences`: the better of two architectures becomes likelier (DPO); `supervised`: the best ones do."""
    best: Share = 0.25
    """Share of the architectures that `supervised` learns."""
    held_out: float = 0.2
    """Share of the architectures that is judged instead of learned."""
    steps: Count = 100
    """Optimiser steps."""
    batch: Count = 8
    """Architectures of a step."""
    lr: Positive = 2e-4
    """Peak learning rate."""
    beta: Positive = 0.1
    """How strongly `preferences` holds the model to what it was."""
    rank: Count = 8
    """Rank of the matrices that are learned."""
    prompt: str = ""
    """Text by which architectures are asked for (default: one sentence with the space's name)."""
    chat: Switch = True
    """Ask through the tokenizer's chat template."""
    device: str = "cpu"
    """Where it computes."""
    seed: Seed = 0
    """Seed of what is held out, of weights and batches."""

    @property
    def tuning(self) -> Tuning:
        """How to fine-tune."""
        return Tuning(
            self.method, self.best, self.held_out, self.steps, self.batch, self.lr, self.beta, self.rank, self.seed
        )


def tune_model(settings: TuneSettings, on_step: Callable[[int, int], None] | None = None) -> Tuned:
    """Fine-tune as the settings say and write the folder.

    Raises:
        GennasError: no run or model, nothing to learn, or a folder that holds something; nothing is written then.
    """
    if settings.source is None or settings.model is None:
        raise ConfigError("Which run and which model? Give --from RUN and --model FOLDER.")
    if settings.out.exists() and (not settings.out.is_dir() or any(settings.out.iterdir())):
        raise ConfigError(f"{settings.out} exists and is not empty; choose a new --out.")
    start, tuning = time.perf_counter(), settings.tuning
    from gennas.models.llm.local import LocalBackend

    run, archive = read_run(settings.source, settings.trust)
    archive.close()
    space = run.problem.space
    decisions = Decisions(space.schema, space.legal, space.completions)
    D, utility = _measured(run)
    if not len(D):
        raise ConfigError(f"{settings.source} holds no architecture to learn from.")
    prompt = settings.prompt.strip() or f"Propose a good architecture of the space {space.name}."
    if "{%" in prompt:
        raise ConfigError("Expected a prompt of plain text, got one with {%.")
    backend = LocalBackend.from_pretrained(settings.model, device=settings.device, chat=settings.chat)
    tuned = tune(backend, decisions, D, utility, prompt, tuning, on_step)
    record = _record(settings, len(D), tuned, time.perf_counter() - start)
    with draft_folder(settings.out) as place:
        tuned.model.save_pretrained(place)
        backend.tokenizer.save_pretrained(place)
        (place / "prompt.j2").write_text(f"{{% raw %}}{prompt}{{% endraw %}}\n", encoding="utf-8")
        (place / "tuning.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return tuned


def _measured(run: Run) -> tuple[IntArray, FloatArray]:
    """Different architectures ``(b, d)`` and how good each is ``(b,)``: the mean at full fidelity; else it failed."""
    trials = [t for t in run.result.trials if not t.ok or t.proposal.fidelity == run.problem.fidelity]
    values: dict[str, list[float]] = {}
    rows: dict[str, Any] = {}
    for trial, utility in zip(trials, run.problem.objectives.utilities(trials).tolist(), strict=True):
        rows.setdefault(trial.arch.key, trial.arch.decisions)
        values.setdefault(trial.arch.key, []).append(utility)
    means = [np.mean([v for v in found if np.isfinite(v)] or [-np.inf]) for found in values.values()]
    width = run.problem.space.schema.num_decisions
    return np.array(list(rows.values()), dtype=np.int16).reshape(-1, width), np.array(means, dtype=np.float64)


def _record(settings: TuneSettings, labels: int, tuned: Tuned, seconds: float) -> dict[str, Any]:
    """What was done and what it cost, for ``tuning.json``."""
    return {
        **settings.to_dict(),
        "labels": labels,
        "learned": tuned.learned,
        "held_out_architectures": tuned.held_out,
        "right_order_before": None if np.isnan(tuned.before) else tuned.before,
        "right_order_after": None if np.isnan(tuned.after) else tuned.after,
        "first_loss": float(tuned.losses[:10].mean()),
        "last_loss": float(tuned.losses[-10:].mean()),
        "seconds": round(seconds, 3),
        "version": gennas.__version__,
    }
