"""``gennas latency``: what architectures cost on this machine, or what a predictor says that they cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gennas.runtime.files import draft
from gennas.workbench.measure import LatencySettings, Measured

__all__ = ["SETTINGS", "run"]

SETTINGS = LatencySettings

_SHOWN = 20
_HEADERS = {
    "median_ms": "median ms",
    "iqr_ms": "IQR ms",
    "cpu_ms": "CPU ms",
    "throughput": "examples/s",
    "peak_mb": "peak MB",
    "energy_mj": "energy mJ",
    "int8_ms": "INT8 ms",
    "float32_compiled_ms": "FP32 compiled ms",
    "val_accuracy": "val accuracy",
    "int8_val_accuracy": "INT8 val accuracy",
    "predicted": "predicted",
    "std": "std",
}


def run(settings: LatencySettings) -> int:
    """Run the verb."""
    from gennas.workbench.measure import measure

    found = measure(settings)
    if settings.out is not None:
        _write(settings.out, found.rows)
    _print_rows(found.rows, found.conditions)
    _print_quality(settings, found)
    return 0


def _print_quality(settings: LatencySettings, found: Measured) -> None:
    from rich.console import Console

    if found.quality is None:
        return
    n, quality, console = len(found.rows), found.quality, Console()
    console.print(
        f"{settings.fit}: on {quality.n} held-out architectures {quality.within_5:.0%} within 5 %, "
        f"{quality.within_10:.0%} within 10 %, tau {quality.tau:.3f} (fitted on {n - n // 5})",
        soft_wrap=True,
        highlight=False,
    )
    if settings.save is not None:
        console.print(f"Saved: {settings.save} (fitted on all {n})", soft_wrap=True, highlight=False)


def _write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    import pandas as pd

    with draft(path) as place:
        pd.DataFrame(rows).to_csv(place, index=False)


def _print_rows(rows: Sequence[dict[str, Any]], footer: str) -> None:
    from rich.console import Console
    from rich.table import Table

    from gennas.cli.terminal import format_value

    console = Console()
    table = Table()
    shown = [name for name in _HEADERS if name in rows[0]]
    for name in shown:
        table.add_column(_HEADERS[name], justify="right")
    table.add_column("architecture", overflow="fold")
    for row in rows[:_SHOWN]:
        noisy = "[yellow]noisy[/yellow] " if row.get("noisy") or row.get("int8_noisy") else ""
        table.add_row(*(format_value(row[name]) for name in shown), noisy + row["arch"])
    console.print(table)
    console.print(footer, soft_wrap=True, highlight=False)
    if len(rows) > _SHOWN:
        console.print(f"The first {_SHOWN} of {len(rows)} are shown; --out writes all.", highlight=False)
