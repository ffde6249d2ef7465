"""The verbs ``gennas train-generator`` and ``gennas sample``."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gennas.errors import ConfigError
from gennas.workbench.train_generator import TrainGeneratorConfig

if TYPE_CHECKING:
    from rich.console import Console

    from gennas.generators.trained import TrainedGenerator
    from gennas.workbench.train_generator import Drawn

__all__ = ["SampleConfig", "run_sample", "run_train_generator"]


@dataclass(frozen=True)
class SampleConfig:
    """Draw architectures from a space, or from a trained generator, and print their text, one on each line.

    A generator may be the folder that `gennas train-generator` wrote, RUN/generator/round-… of a generative
    search, or RUN itself, which means its last one. What it can be asked for is said at the end, on stderr.

    More examples:
      gennas sample --generator gen/ab --n 10 --condition "val_accuracy>=0.9q"            (best tenth of the archive)
      gennas sample --generator gen/ab --n 10 --condition "val_accuracy>=0.9q, latency_s<=0.002"    (and that quick)
      gennas sample --generator gen/ab --n 10 --condition "latency_s<=0.1q"              (as its fastest tenth)
      gennas sample --generator runs/cora --n 1000 --unique --out samples.jsonl
    """

    space: str | None = None
    """Search space, as for `gennas search`; default: the generator's own, or nasbench201."""
    space_option: tuple[str, ...] = ()
    """Arguments of the space, as KEY=VALUE."""
    n: int = 5
    """How many."""
    seed: int = 0
    """Seed of the draw."""
    generator: Path | None = None
    """Folder of a saved generator; without it, the space's own uniform sampling."""
    condition: str = ""
    """Wishes such as "accuracy>=0.9q, latency_ms<=5"; q: a quantile of the training archive's values. Default: none."""
    unique: bool = False
    """Print each architecture once, and draw on until there are enough."""
    out: Path | None = None
    """Write to this .txt or .jsonl file instead (jsonl: with keys and the quantiles asked for)."""


def run_sample(config: SampleConfig) -> int:
    """Draw, print or write, and say how good the draw was."""
    from rich.console import Console

    if config.out is not None and config.out.suffix not in (".txt", ".jsonl"):
        raise ConfigError(f"Expected --out to end in .txt or .jsonl, got {str(config.out)!r}.")
    if config.generator is None:
        return _sample_space(config)
    from gennas.workbench.train_generator import draw_architectures

    console = Console(stderr=True)
    trained = _load(config.generator, config)
    with console.status(f"Drawing {config.n:,} architectures"):
        drawn = draw_architectures(trained, config.n, config.condition, config.seed, config.unique)
    _write(_lines(config, trained, drawn), config.out)
    _print_drawn(console, trained, drawn, config)
    return 0


def _sample_space(config: SampleConfig) -> int:
    import numpy as np

    from gennas.spaces import make_space
    from gennas.workbench.config import parse_options

    if config.n < 1:
        raise ConfigError(f"Expected a positive number of architectures, got {config.n}.")
    if config.condition:
        raise ConfigError("--condition asks a generator: give --generator DIR too.")
    space = make_space(config.space or "nasbench201", **parse_options(config.space_option))
    archs = space.sample(config.n, np.random.default_rng(config.seed))
    if config.unique:
        archs = archs.unique()
    jsonl = config.out is not None and config.out.suffix == ".jsonl"
    lines = [json.dumps({"arch": space.to_text(a), "key": a.key}) if jsonl else space.to_text(a) for a in archs]
    _write(lines, config.out)
    return 0


def _load(folder: Path, config: SampleConfig) -> TrainedGenerator:
    from gennas.generators.trained import TrainedGenerator
    from gennas.spaces import make_space
    from gennas.workbench.config import parse_options

    space = None if config.space is None else make_space(config.space, **parse_options(config.space_option))
    return TrainedGenerator.from_pretrained(folder, space)


def _lines(config: SampleConfig, trained: TrainedGenerator, drawn: Drawn) -> list[str]:
    texts = [trained.space.to_text(arch) for arch in drawn.archs]
    if config.out is None or config.out.suffix == ".txt":
        return texts
    names = [scale.metric for scale in trained.scales]
    return [
        json.dumps(
            {
                "arch": text,
                "key": key,
                "known": key in trained.known,
                "asked": {n: round(q, 4) for n, q in zip(names, row, strict=True) if not math.isnan(q)},
            }
        )
        for text, key, row in zip(texts, drawn.archs.keys, drawn.conditions.tolist(), strict=True)
    ]


def _write(lines: Sequence[str], out: Path | None) -> None:
    if out is None:
        for line in lines:
            print(line)
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text("".join(f"{line}\n" for line in lines))
    except OSError as error:
        raise ConfigError(f"Cannot write {out}: {error.strerror}.") from error


def _print_drawn(console: Console, trained: TrainedGenerator, drawn: Drawn, config: SampleConfig) -> None:
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
    if config.unique and len(drawn.archs) < config.n:
        console.print(f"[yellow]Only {len(drawn.archs):,} different ones came up.[/yellow]")
    _print_scales(console, trained)
    if config.out is not None:
        console.print(f"Written: {config.out}", soft_wrap=True, highlight=False)


def _print_scales(console: Console, trained: TrainedGenerator) -> None:
    from gennas.cli.terminal import format_value

    for scale in trained.scales:
        span = ""
        if scale.values:
            low, middle, high = (scale.values[i] for i in (0, len(scale.values) // 2, -1))
            span = f", trained on {format_value(low)} … {format_value(middle)} … {format_value(high)}"
        console.print(f"  can be asked for: {scale.metric}{scale.better}…{span}", soft_wrap=True, highlight=False)


# ---------------------------------------------------------------------- training


def run_train_generator(config: TrainGeneratorConfig) -> int:
    """Train, show progress, and say how to go on."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from gennas.workbench.train_generator import train_generator

    console = Console()
    columns = (TextColumn("[bold]{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        tasks = {}

        def show(stage: str, done: int, total: int) -> None:
            if (stage, total) not in tasks:
                tasks[stage, total] = bar.add_task(stage, total=total)
            bar.update(tasks[stage, total], completed=done)

        trained = train_generator(config, show)
    _print_trained(console, trained, config.out)
    return 0


def _print_trained(console: Console, trained: TrainedGenerator, out: Path) -> None:
    from gennas.cli.terminal import format_value

    last = trained.history[-1]
    losses = ", ".join(f"{stage} {format_value(loss)}" for stage, loss in last["last_loss"].items())
    console.print(
        f"[bold]{trained.space.name}[/bold] · {trained.kind} · {last['unlabelled']:,} unlabelled and "
        f"{last['architectures']:,} measured architectures · loss: {losses or '–'} · {last['seconds']:.1f} s",
        soft_wrap=True,
        highlight=False,
    )
    _print_scales(console, trained)
    scale = trained.scales[0] if trained.scales else None
    quantile = "0.9q" if scale is not None and scale.direction == "max" else "0.1q"
    wish = "" if scale is None else f' --condition "{scale.metric}{scale.better}{quantile}"'
    console.print(f"Saved: {out}\n  gennas sample --generator {out} --n 10{wish}", soft_wrap=True, highlight=False)
