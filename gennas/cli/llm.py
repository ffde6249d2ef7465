"""``gennas llm probe``, ``show`` and ``export``; ``gennas llm audit`` is a verb of its own."""

from __future__ import annotations

import json
from typing import Any

from gennas.workbench.language import LanguageSettings

__all__ = ["SETTINGS", "run"]

SETTINGS = LanguageSettings


def run(settings: LanguageSettings) -> int:
    """Run the verb."""
    {"probe": _probe, "show": _show, "export": _export}[settings.action](settings)
    return 0


def _probe(settings: LanguageSettings) -> None:
    from gennas.workbench.language import probe_model

    found = probe_model(settings)
    usage, proposals = found.proposals.usage, found.proposals
    asked = "probabilities of options" if not found.fields else "texts"
    rows = [("model", found.name), ("asked for", asked), *((f"field {k}", v) for k, v in found.fields.items())]
    rows += [
        ("outcomes", ", ".join(f"{n} {name}" for name, n in proposals.outcomes.items())),
        ("valid before repair", f"{proposals.valid_before_repair:.0%}"),
        ("tokens", f"{usage.input_tokens:,} in, {usage.output_tokens:,} out"),
        ("US dollars", "no prices given" if found.usd is None else f"{found.usd:.6f}"),
    ]
    _print(rows)
    for text in found.texts:
        print(text)


def _show(settings: LanguageSettings) -> None:
    from gennas.errors import ConfigError
    from gennas.workbench.language import summary_of_run, transcript_of

    if settings.call is not None:
        calls = transcript_of(settings)
        if not 0 <= settings.call < len(calls):
            raise ConfigError(f"Expected a call from 0 to {len(calls) - 1}, got {settings.call}.")
        print(json.dumps(calls[settings.call], indent=2, ensure_ascii=True))  # what a model said moves no cursor
        return
    summary = summary_of_run(settings)
    _print(summary.rows)
    rows: list[tuple[Any, ...]] = [("prompt", "version", "calls", "tokens in", "out", "s", "US dollars", "outcomes")]
    for p in summary.prompts:
        outcomes = ", ".join(f"{n} {name}" for name, n in p.outcomes.items())
        usd = "–" if p.usd is None else f"{p.usd:.4f}"
        numbers = (f"{p.calls:,}", f"{p.input_tokens:,}", f"{p.output_tokens:,}", f"{p.seconds:.1f}")
        rows.append((p.prompt, p.version, *numbers, usd, outcomes))
    _print(rows[1:], rows[0])


def _export(settings: LanguageSettings) -> None:
    from gennas.workbench.language import export_transcript

    print(f"{export_transcript(settings):,} calls in {settings.out}")


def _print(rows: Any, header: tuple[str, ...] = ()) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=bool(header), padding=(0, 2))
    for title in header or ("", ""):
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text("".join(c if c.isprintable() else " " for c in str(cell))) for cell in row))
    Console().print(table)
