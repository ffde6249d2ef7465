"""``gennas proxies list``, ``score`` and ``correlate``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gennas.errors import ConfigError

if TYPE_CHECKING:
    from gennas.graph import Architecture
    from gennas.spaces import Space
    from gennas.workbench.score import PopulationScores

__all__ = ["ProxiesConfig", "run_proxies"]

_SHOWN = 20


@dataclass(frozen=True)
class ProxiesConfig:
    """List zero-cost proxies, score architectures with them without training, or correlate scores with accuracies."""

    action: Literal["list", "score", "correlate"] = "list"
    """`list` what there is, `score` architectures, or `correlate` scores with the accuracies of a table."""
    proxies: str = "params,synflow,logsynflow"
    """Proxies to score with, separated by commas."""
    space: str = "nasbench201"
    """Search space: a name from `gennas list spaces`, or `module:Class` / `file.py:Class`."""
    space_option: tuple[str, ...] = ()
    """Arguments of the space, as KEY=VALUE."""
    arch: tuple[str, ...] = ()
    """Architectures by their text (default: a sample of --n)."""
    n: int = 5
    """How many architectures to sample."""
    seed: int = 0
    """Seed of the sample."""
    task: str | None = None
    """Task that gives shapes and the batch (default: noise of 3x32x32, ten classes)."""
    task_option: tuple[str, ...] = ()
    """Arguments of the task, as KEY=VALUE."""
    protocol: tuple[str, ...] = ()
    """Protocol, as KEY=VALUE (batch=noise, batch_size=64, initialisation=kaiming, seed=0, …)."""
    executor: Literal["serial", "process"] = "serial"
    """Where networks are scored: in this process, or in worker processes."""
    workers: int = 2
    """Worker processes of the process executor."""
    cache: Path | None = None
    """SQLite file of known values, by architecture, proxy and protocol."""
    out: Path | None = None
    """Also write the values (or the correlations) to this CSV file."""
    table: Path | None = None
    """correlate: file with accuracies, by a column `arch`, `key` or `index`."""
    target: str = ""
    """correlate: column of the table that scores are compared with; in percent for nDCG."""
    direction: Literal["max", "min"] = "max"
    """correlate: whether more or less of the target is better."""
    scores: Path | None = None
    """correlate: file of scores, such as `proxies score --out` writes (default: --n of the table are scored)."""
    combine: tuple[str, ...] = ()
    """correlate: also show the log-rank of these columns, such as params+jacov+nwot."""
    resamples: int = 200
    """correlate: bootstrap resamples of the intervals."""


def run_proxies(config: ProxiesConfig) -> int:
    """Run the verb."""
    if config.action == "list":
        _print_proxies()
        return 0
    if config.action == "correlate":
        from gennas.cli.correlate import run_correlate

        return run_correlate(config)
    from gennas.spaces import make_space
    from gennas.workbench.config import parse_options

    space = make_space(config.space, **parse_options(config.space_option))
    archs = _architectures(config, space)
    scores = score_archs(config, space, archs, [name for name in config.proxies.split(",") if name.strip()], {})
    _print_scores(space, archs, scores)
    if config.out is not None:
        frame = scores.to_dataframe()
        frame.insert(0, "arch", [space.to_text(arch) for arch in archs])
        frame.assign(protocol=scores.protocol.identity).to_csv(config.out, index=False)
    return 0


def score_archs(
    config: ProxiesConfig, space: Space, archs: list[Architecture], names: list[str], protocol: dict[str, object]
) -> PopulationScores:
    """Score architectures as the settings say."""
    from gennas.workbench.config import parse_options
    from gennas.workbench.score import score_population

    task = None
    if config.task is not None:
        from gennas.training import make_task

        task = make_task(config.task, **parse_options(config.task_option))
    return score_population(
        space,
        archs,
        names,
        task,
        executor=config.executor,
        workers=config.workers,
        cache=config.cache,
        progress=True,
        **{**protocol, **parse_options(config.protocol)},
    )


def _architectures(config: ProxiesConfig, space: Space) -> list[Architecture]:
    import numpy as np

    if config.arch:
        return [space.from_text(text) for text in config.arch]
    if config.n < 1:
        raise ConfigError(f"Expected a positive number of architectures, got {config.n}.")
    return list(space.sample(config.n, np.random.default_rng(config.seed)))


def _print_proxies() -> None:
    from rich.console import Console
    from rich.table import Table

    from gennas.eval.proxies import PROXIES

    table = Table(box=None)
    for header in ("proxy", "better", "scale", "needs", "for", "what it computes"):
        table.add_column(header)
    for name in PROXIES:
        cls = PROXIES.get(name)
        summary = (cls.__doc__ or "").strip().partition("\n")[0]
        needs = ", ".join(sorted(cls.needs)) or "–"
        table.add_row(f"[bold]{name}[/bold]", cls.direction, cls.scale, needs, cls.domain, summary)
    Console().print(table)


def _print_scores(space: Space, archs: Sequence[Architecture], scores: PopulationScores) -> None:
    from rich.console import Console
    from rich.table import Table

    from gennas.cli.terminal import format_value

    console = Console()
    table = Table()
    for name in scores.columns:
        table.add_column(name, justify="right")
    table.add_column("architecture", overflow="fold")
    for i, arch in enumerate(archs[:_SHOWN]):
        table.add_row(*(format_value(float(c[i])) for c in scores.columns.values()), space.to_text(arch))
    console.print(table)
    more = f" · the first {_SHOWN} of {len(archs)} are shown" if len(archs) > _SHOWN else ""
    console.print(f"{scores.protocol.identity} · {scores.cached} from the cache{more}", soft_wrap=True, highlight=False)
    for i, error in list(scores.errors.items())[:5]:
        console.print(f"[yellow]{space.to_text(archs[i])}: {error}[/yellow]", soft_wrap=True)
