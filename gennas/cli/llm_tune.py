"""``gennas llm tune``: a language model of yours, fine-tuned on what a run measured."""

from __future__ import annotations

import math

from gennas.workbench.llm_tune import TuneSettings

__all__ = ["SETTINGS", "run"]

SETTINGS = TuneSettings


def run(settings: TuneSettings) -> int:
    """Run the verb."""
    from rich.console import Console
    from rich.progress import Progress

    from gennas.workbench.llm_tune import tune_model

    console = Console()
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("Tuning", total=settings.steps)
        tuned = tune_model(settings, lambda done, total: progress.update(bar, completed=done))
    first, last = (float(part.mean()) for part in (tuned.losses[:10], tuned.losses[-10:]))
    console.print(f"{settings.method}: {tuned.learned} architectures, loss {first:.3f} to {last:.3f}", highlight=False)
    judged = (
        "none of them of different quality"
        if math.isnan(tuned.after)
        else (
            f"pairs in the right order: {tuned.before:.0%} by the model before, {tuned.after:.0%} by the likelihood "
            "ratio of after and before"
        )
    )
    console.print(f"{tuned.held_out} held out, {judged}", soft_wrap=True, highlight=False)
    asked = f"{{ask: texts, prompt: {settings.out / 'prompt.j2'}}}"
    console.print(
        f"Saved: {settings.out}\n  --strategy llm --model local:{settings.out} --strategy-option "
        f"'method_option={asked}'",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )
    return 0
