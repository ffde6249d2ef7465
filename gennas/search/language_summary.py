"""What a search's language model was asked, what came of it, and what it cost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from gennas.errors import ArchiveError, reason_of
from gennas.search.kept_records import KeptRecords
from gennas.search.transcript import SUGGESTION, ArchiveTranscript
from gennas.search.trial import Trial

__all__ = ["CallSummary", "LanguageSummary", "language_record", "summarize_language"]


@dataclass(frozen=True)
class CallSummary:
    """Calls under one prompt.

    Args:
        prompt: its name.
        version: its hash.
        calls: how many.
        input_tokens: of all of them.
        output_tokens: of all of them.
        seconds: how long the answers took, in all.
        usd: US dollars; None where no prices were given.
        outcomes: how many answers came out how.
    """

    prompt: str
    version: str
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    usd: float | None = None
    outcomes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class LanguageSummary:
    """The language model's part in a search.

    Args:
        models: names.
        prompts: calls by prompt, in the order of their first.
        suggested: architectures that it suggested.
        repaired: those of them that were not legal until they were repaired.
        duplicates: those that one request brought twice.
        known: those that had been evaluated or proposed before.
        evaluated: those that were evaluated.
        improvements: how many of these became the incumbent.
    """

    models: Sequence[str]
    prompts: Sequence[CallSummary]
    suggested: int = 0
    repaired: int = 0
    duplicates: int = 0
    known: int = 0
    evaluated: int = 0
    improvements: int = 0

    @property
    def calls(self) -> int:
        """All calls."""
        return sum(prompt.calls for prompt in self.prompts)

    @property
    def tokens(self) -> int:
        """Tokens of input and output."""
        return sum(prompt.input_tokens + prompt.output_tokens for prompt in self.prompts)

    @property
    def usd(self) -> float | None:
        """US dollars; None where no prices were given."""
        known = [prompt.usd for prompt in self.prompts if prompt.usd is not None]
        return sum(known) if known else None

    @property
    def rows(self) -> list[tuple[str, str]]:
        """The figures in words, for tables."""
        made = max(1, self.suggested)
        usd = "no prices given" if self.usd is None else f"{self.usd:.4f}"
        return [
            ("model", ", ".join(self.models)),
            ("calls", f"{self.calls:,}"),
            ("tokens", f"{self.tokens:,}"),
            ("US dollars", usd),
            ("suggested", f"{self.suggested:,}"),
            ("valid before repair", f"{1 - self.repaired / made:.1%}"),
            ("twice in a request", f"{self.duplicates / made:.1%}"),
            ("known before", f"{self.known / made:.1%}"),
            ("evaluated", f"{self.evaluated:,}"),
            ("became the best so far", f"{self.improvements:,}"),
        ]


def summarize_language(
    archive: KeptRecords, trials: Sequence[Trial] = (), incumbents: Sequence[Trial] = ()
) -> LanguageSummary | None:
    """The language model's part; None where the search asked none.

    Args:
        archive: with the transcript.
        trials: all of them.
        incumbents: each trial that became the incumbent.

    Raises:
        ArchiveError: a record is damaged.
    """
    found: dict[tuple[str, str], CallSummary] = {}
    models: dict[str, None] = {}
    for record in ArchiveTranscript(archive):
        models[str(record["model"])] = None
        key = str(record.get("prompt_name", "")), str(record.get("prompt", ""))
        found[key] = _with(found.get(key, CallSummary(*key)), record)
    if not found:
        return None
    counts = _suggestions(archive)
    own = [t for t in trials if t.proposal.origin.source == "llm"]
    best = sum(t.proposal.origin.source == "llm" for t in incumbents)
    return LanguageSummary(list(models), list(found.values()), **counts, evaluated=len(own), improvements=best)


def language_record(archive: KeptRecords) -> dict[str, Any]:
    """What a tracker is told: ``llm_prompts``, a row of plain values for each prompt; nothing where there is none."""
    found = summarize_language(archive)
    if found is None:
        return {}
    rows = [{**asdict(prompt), "outcomes": json.dumps(dict(prompt.outcomes))} for prompt in found.prompts]
    return {"llm_prompts": rows}


def _with(summary: CallSummary, record: Mapping[str, Any]) -> CallSummary:
    """A summary with one more call."""
    kept = record.get("reply") or record["answer"]
    usage, usd = kept["usage"], record.get("usd")
    outcomes = Counter(summary.outcomes)
    outcomes[str(kept["outcome"])] += 1
    return CallSummary(
        summary.prompt,
        summary.version,
        summary.calls + 1,
        summary.input_tokens + usage["input_tokens"],
        summary.output_tokens + usage["output_tokens"],
        summary.seconds + float(record.get("seconds", 0.0)),
        summary.usd if usd is None else (summary.usd or 0.0) + float(usd),
        dict(outcomes),
    )


def _suggestions(archive: KeptRecords) -> dict[str, int]:
    found: Counter[str] = Counter()
    for _, text in archive.records(SUGGESTION):
        try:
            record = json.loads(text)
            found.update(
                suggested=1,
                repaired=int(record["repaired"] > 0),
                duplicates=int(record["duplicate"]),
                known=int(not record["novel"]),
            )
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ArchiveError(f"A language model's suggestion cannot be read ({reason_of(error)}).") from error
    return {name: found[name] for name in ("suggested", "repaired", "duplicates", "known")}
