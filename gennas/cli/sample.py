"""``gennas sample``: draw architectures from a space or a generator."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gennas.runtime.files import write_atomically
from gennas.workbench.sample import SampleSettings

if TYPE_CHECKING:
    from rich.console import Console

    from gennas.generators.trained import TrainedGenerator
    from gennas.workbench.train_generator import Drawn

__all__ = ["SETTINGS", "run"]

SETTINGS = SampleSettings


def run(settings: SampleSettings) -> int:
    """Run the verb."""
    from rich.console import Console

    from gennas.workbench.sample import sample_generator, sample_space

    if settings.generator is None:
        space, archs = sample_space(settings)
        jsonl = settings.out is not None and settings.out.suffix == ".jsonl"
        texts = [space.to_text(a) for a in archs]
        _write(
            [json.dumps({"arch": t, "key": k}) if jsonl else t for t, k in zip(texts, archs.keys, strict=True)],
            settings.out,
        )
        return 0
    console = Console(stderr=True)
    with console.status(f"Drawing {settings.n:,} architectures"):
        trained, drawn = sample_generator(settings)
    _write(_lines(settings, trained, drawn), settings.out)
    _print_drawn(console, trained, drawn, settings)
    return 0


def _lines(settings: SampleSettings, trained: TrainedGenerator, drawn: Drawn) -> list[str]:
    texts = [trained.space.to_text(arch) for arch in drawn.archs]
    if settings.out is None or settings.out.suffix == ".txt":
        return texts
    names = [scale.metric for scale in trained.scales]
    return [
        json.dumps(
            {
                "arch": text,
                "key": key,
                "known": key in trained.known,
                "asked": {n: q for n, q in zip(names, row, strict=True) if not math.isnan(q)},
            }
        )
        for text, key, row in zip(texts, drawn.archs.keys, drawn.conditions.tolist(), strict=True)
    ]


def _write(lines: Sequence[str], out: Path | None) -> None:
    if out is None:
        for line in lines:
            print(line)
        return
    write_atomically(out, "".join(f"{line}\n" for line in lines))


def _print_drawn(console: Console, trained: TrainedGenerator, drawn: Drawn, settings: SampleSettings) -> None:
    from gennas.cli.terminal import print_scales

    """Validity, uniqueness, novelty, and what could be asked for."""
    from gennas.generators.conditions import describe

    figures = [
        f"{drawn.tried:,} drawn, {describe(drawn.asked, trained.scales)}",
        f"valid {drawn.valid / drawn.tried:.1%}",
        f"unique {drawn.distinct / max(1, drawn.valid):.1%} of these",
    ]
    if drawn.novel is not None:
        figures.append(f"novel {drawn.novel / max(1, drawn.distinct):.1%} of the unique")
    console.print(" · ".join(figures), soft_wrap=True, highlight=False)
    if settings.unique and len(drawn.archs) < settings.n:
        console.print(f"[yellow]Only {len(drawn.archs):,} different ones came up.[/yellow]")
    print_scales(console, trained)
    if settings.out is not None:
        console.print(f"Written: {settings.out}", soft_wrap=True, highlight=False)
