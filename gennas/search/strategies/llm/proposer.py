"""A language model inside a search: what it is shown, what it suggests, what that costs, what is kept of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from gennas.errors import ArchiveError, ConfigError, shown
from gennas.graph import Population
from gennas.models.llm import Decisions, Recorder, Spent, Transcript
from gennas.models.llm.connect import model_of
from gennas.models.llm.methods import METHODS, Method, Result, Situation, Suggestions
from gennas.models.llm.methods.prompt import Ours
from gennas.registry import configured
from gennas.search.columns import CheapFeatures
from gennas.search.objectives import Objectives
from gennas.search.strategies.llm.told import Told
from gennas.search.transcript import SUGGESTION, ArchiveTranscript
from gennas.search.trial import Trial
from gennas.spaces.base import Space

if TYPE_CHECKING:
    from gennas.models.llm.methods.situation import SharedState
    from gennas.search.kept_records import KeptRecords

__all__ = ["Figures", "LanguageProposer", "Suggested", "situation_of"]

_LONGEST = 300  # letters of a failure's reason that are kept


@dataclass(frozen=True, eq=False)
class Suggested:
    """What a model suggested that was never proposed before.

    Args:
        archs: valid, canonical, different ones, in the order in which they came.
        parents: for each, the keys of what it was made of.
    """

    archs: Population
    parents: Sequence[tuple[str, ...]] = ()


@dataclass
class Figures:
    """Counts over a search's suggestions, kept with its state."""

    counts: dict[str, float] = field(default_factory=dict)

    def add(self, **values: float) -> None:
        """Add to some of them."""
        for name, value in values.items():
            self.counts[name] = self.counts.get(name, 0.0) + value

    @property
    def record(self) -> dict[str, float]:
        """What a round's record says of the search up to now."""
        c = Counter(self.counts)
        made = max(1.0, c["suggested"])
        return {
            "llm_calls": c["calls"],
            "llm_tokens": c["tokens"],
            "llm_usd": c["usd"],
            "llm_suggested": c["suggested"],
            "llm_valid": 1 - c["repaired"] / made,
            "llm_duplicates": c["duplicates"] / made,
            "llm_novel": c["novel"] / made,
        }


class LanguageProposer:
    """Asks a model by a method, for a strategy.

    Args:
        space: of the architectures.
        objectives: what is better.
        model: which model, see :func:`gennas.models.llm.connect.model_of`.
        method: name of the method, or ``file.py:Class``.
        options: of the method.

    Raises:
        ConfigError: no model, or an option that the method does not have.
        UnknownNameError: no such server or method.
    """

    def __init__(
        self, space: Space, objectives: Objectives, model: Any, method: str, options: Mapping[str, Any] | None = None
    ) -> None:
        if model is None:
            raise ConfigError(
                "Which language model? Give --model SERVER:MODEL, local:FOLDER, replay:RUN or file.py:Class "
                "(docs/llm.md has three lines for every server)."
            )
        self.space, self.objectives, self.model = space, objectives, model_of(model)
        self.decisions = Decisions(space.schema, space.legal, space.completions)
        made = configured(f"method {method!r}", METHODS.get(method), options or {}, self.decisions)
        if not isinstance(made, Method):
            raise ConfigError(f"Expected {shown(method)} to be a Method, got {type(made).__name__}.")
        self.method, self.figures, self.requests = made, Figures(), 0
        self._archive: KeptRecords | None = None
        self._recorder: Recorder | None = None
        self._told: Told | None = None
        self._pending: list[Spent] = []
        self._reasons: dict[str, str] = {}

    # ------------------------------------------------------------------ the model

    @property
    def recorder(self) -> Recorder:
        """The model, with its transcript."""
        if self._recorder is None:
            if self._told is None:
                self._told = Told(self.model)
            self._told.archive, known = self._archive, self._told.known
            transcript = ArchiveTranscript(self._archive, known) if self._archive is not None else known or Transcript()
            self._recorder = Recorder(self._told, transcript, self.model.price)
        return self._recorder

    def check(self) -> None:
        """Reach the model.

        Raises:
            GennasError: that does not work.
        """
        assert self.recorder is not None and self._told is not None
        self._told.reach(self.method.ask == "texts" or not self.model.gives_probabilities)

    def keep_in(self, archive: KeptRecords) -> None:
        """Keep the transcript in an archive, and refuse one that was begun with other prompts.

        Raises:
            ArchiveError: it was.
        """
        self._archive, self._recorder = archive, None
        kind, now = "llm prompts", json.dumps(self.method.versions, sort_keys=True)
        begun = archive.record(kind, self.method.prompt_name)
        if begun is None:
            archive.add_records(kind, [(self.method.prompt_name, now)])
        elif begun != now:
            raise ArchiveError(
                f"The prompts of this search have changed since it began (then {begun}, now {now}). Restore them, or "
                "use a new --out."
            )

    # ------------------------------------------------------------------ asking

    def note(self, trials: Sequence[Trial]) -> None:
        """Remember why some failed, which a strategy's own memory of trials leaves out."""
        self._reasons |= {t.arch.key: t.error[:_LONGEST] for t in trials if not t.ok and t.error}

    def suggest(
        self,
        trials: Sequence[Trial],
        n: int,
        known: Collection[str],
        seed: int,
        features: CheapFeatures | None = None,
        shared: SharedState | None = None,
    ) -> Suggested:
        """Ask for ``n`` architectures; those that are new come back, fewer perhaps.

        Args:
            trials: every trial, in order.
            n: how many.
            known: keys that were proposed before.
            seed: fixes everything that is random here.
            features: zero-cost scores; those of all trials are computed, where that was not done.
            shared: state of the strategy beside it.
        """
        situation = situation_of(
            self.space,
            self.objectives,
            self.decisions,
            trials,
            self.requests,
            _scores(self.space, trials, features),
            self._reasons,
            shared,
        )
        recorder, scope = self.recorder, str(self.requests)
        recorder.begin(scope)
        found = self.method.propose(situation, recorder, n, seed)
        self.requests += 1
        spent = recorder.take_spent()
        self._pending.append(spent)
        self.figures.add(calls=spent.calls, tokens=spent.usage.input_tokens + spent.usage.output_tokens, usd=spent.usd)
        return self._new(found, trials, known, scope)

    def _new(self, found: Suggestions, trials: Sequence[Trial], known: Collection[str], scope: str) -> Suggested:
        """What is different and not known; keeps a record of each suggestion, and counts."""
        drawn = Population.from_decisions(self.space.schema, found.proposals.D)
        archs = self.space.canonical(drawn) if len(drawn) else drawn
        keys, texts, kept = archs.keys, self.decisions.write(found.proposals.D), []
        before: set[str] = set()
        records = []
        for i, (key, text) in enumerate(zip(keys, texts, strict=True)):
            duplicate, novel = key in before, key not in known
            before.add(key)
            if novel and not duplicate:
                kept.append(i)
            repaired = int(found.proposals.repaired[i])
            record = {"key": key, "text": text, "repaired": repaired, "duplicate": duplicate, "novel": novel}
            records.append((f"{scope}.{i}", json.dumps(record)))
            self.figures.add(suggested=1, repaired=repaired > 0, duplicates=duplicate, novel=novel and not duplicate)
        if self._archive is not None and records:
            self._archive.add_records(SUGGESTION, records, replace=True)
        parents = [tuple(trials[p].arch.key for p in found.parents[i]) if found.parents else () for i in kept]
        return Suggested(archs[np.array(kept, dtype=np.intp)], parents)

    # ------------------------------------------------------------------ costs, state

    def spent(self) -> dict[str, float]:
        """Costs since this was asked last, by name; nothing where there are none."""
        found, self._pending = Spent.sum(self._pending), []
        if not found.calls:
            return {}
        tokens = float(found.usage.input_tokens + found.usage.output_tokens)
        usd = {"llm_usd": found.usd} if self.model.prices is not None or found.usd else {}
        return {"llm_calls": float(found.calls), "llm_tokens": tokens, "llm_seconds": found.seconds, **usd}

    def state_dict(self) -> dict[str, Any]:
        """Number of requests, what the method remembers, counts."""
        return {
            "requests": self.requests,
            "method": self.method.state_dict(),
            "figures": dict(self.figures.counts),
            "reasons": dict(self._reasons),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore it."""
        self.requests = int(state["requests"])
        self.method.load_state_dict(state["method"])
        self.figures = Figures(dict(state["figures"]))
        self._reasons = dict(state["reasons"])


def situation_of(
    space: Space,
    objectives: Objectives,
    decisions: Decisions,
    trials: Sequence[Trial],
    number: int = 0,
    scores: Mapping[str, Mapping[str, float]] | None = None,
    reasons: Mapping[str, str] | None = None,
    shared: SharedState | None = None,
) -> Situation:
    """What a model is shown of a search.

    Args:
        space: of the architectures.
        objectives: what is better.
        decisions: of the space.
        trials: every trial, in order.
        number: of this request.
        scores: what is known of architectures without an evaluation, by key.
        reasons: why some failed, by key.
        shared: state of the strategy beside the model.
    """
    D = np.array([t.arch.decisions for t in trials], dtype=np.int16).reshape(len(trials), len(decisions))
    results = [
        Result(
            Ours(text),
            {name: t.metrics[name] for name in objectives.metric_names} if t.ok else {},
            dict((scores or {}).get(t.arch.key, {})),
            "" if t.ok else (reasons or {}).get(t.arch.key) or t.status,
        )
        for t, text in zip(trials, decisions.write(D), strict=True)
    ]
    goals = [f"{o.metric}, {'more' if o.direction == 'max' else 'less'} is better" for o in objectives.objectives]
    utility = objectives.utilities(trials) if trials else np.zeros(0)
    bounds = [str(c) for c in objectives.constraints]
    return Situation(space.name, goals, bounds, results, utility, D, number, shared)


def _scores(space: Space, trials: Sequence[Trial], features: CheapFeatures | None) -> dict[str, dict[str, float]]:
    """Zero-cost scores of all trials, by key."""
    if features is None or features.paid is None or not trials:
        return {}
    archs = Population.of(space.schema, [t.arch for t in trials])
    features.paid.compute(archs)
    rows = zip(archs.keys, features.paid.raw(archs).tolist(), strict=True)
    return {
        key: {name: v for name, v in zip(features.paid.names, values, strict=True) if np.isfinite(v)}
        for key, values in rows
    }
