"""The command line: ``gennas VERB …``, also ``python -m gennas VERB …``."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro

from gennas.cli.export import ExportConfig, run_export
from gennas.cli.generator import SampleConfig, run_sample, run_train_generator
from gennas.cli.latency import LatencyConfig, run_latency
from gennas.cli.proxies import ProxiesConfig, run_proxies
from gennas.cli.train import TrainVerbConfig, run_train
from gennas.cli.transfer import TransferConfig, run_transfer
from gennas.errors import ConfigError, GennasError, UnknownNameError
from gennas.workbench.config import CompareConfig, ProblemConfig, SearchConfig, load_yaml
from gennas.workbench.train_generator import TrainGeneratorConfig

__all__ = ["main"]


@dataclass(frozen=True)
class ReportConfig:
    """Write the report of a run again, from its archive alone."""

    run: Path = Path("runs/search")
    """Directory of the run."""
    track: Literal["none", "wandb"] = "none"
    """Replay the archive into a tracker."""
    export: Path | None = None
    """Also write all trials to this .csv, .jsonl or .parquet file."""


@dataclass(frozen=True)
class ListConfig:
    """List what can be named on the command line."""

    kind: Literal["spaces", "tasks", "strategies", "tables", "metrics"] = "spaces"
    """What to list."""


@dataclass(frozen=True)
class ShowConfig:
    """Show one architecture: operations, parameters, and a drawing."""

    arch: str = ""
    """The architecture's text, or a summary.json, whose best architecture is taken."""
    space: str = "nasbench201"
    """Search space that the text belongs to."""
    space_option: tuple[str, ...] = ()
    """Arguments of the space, as KEY=VALUE."""
    task: str = ""
    """Task whose input and number of classes are used to count parameters and FLOPs (default: one that fits)."""
    out: Path | None = None
    """Write the drawing to this .svg or .png file."""


@dataclass(frozen=True)
class _Verb:
    settings: type
    run: Callable[[Any], int]
    summary: str
    example: str
    positional: str | None = None


def _search(config: SearchConfig) -> int:
    from gennas.cli.terminal import SearchDisplay
    from gennas.workbench.run import run_search

    with SearchDisplay(config) as display:
        run = run_search(config, [display], on_problem=display.begin)
    display.summarize(run)
    return 0


def _compare(config: CompareConfig) -> int:
    from gennas.cli.terminal import CompareDisplay
    from gennas.workbench.compare import compare

    with CompareDisplay(config) as display:
        summary = compare(config, display.on_run)
    display.summarize(summary)
    return 0


def _report(config: ReportConfig) -> int:
    from gennas.cli.terminal import print_run
    from gennas.report import write_report
    from gennas.workbench.run import open_run, replay_run, run_data

    run, archive = open_run(config.run)
    try:
        write_report(run_data(run, archive), config.run / "report.html")
        if config.export is not None:
            archive.export(config.export)
        if config.track == "wandb":
            replay_run(run, archive)
    finally:
        archive.close()
    print_run(run)
    return 0


def _list(config: ListConfig) -> int:
    from gennas.cli.terminal import print_listing

    print_listing(config.kind)
    return 0


def _show(config: ShowConfig) -> int:
    from gennas.cli.terminal import print_architecture
    from gennas.spaces import make_space
    from gennas.workbench.config import parse_options
    from gennas.workbench.problem import load_architecture

    space = make_space(config.space, **parse_options(config.space_option))
    print_architecture(space, load_architecture(config.arch, space), config.task, config.out)
    return 0


VERBS = {
    "search": _Verb(
        SearchConfig,
        _search,
        "search a space",
        "gennas search --space nasbench-graph --task cora --budget 100 --out runs/cora",
    ),
    "compare": _Verb(
        CompareConfig,
        _compare,
        "compare strategies at an equal budget over many seeds",
        "gennas compare --space nasbench-graph --task cora --strategies random,generative --seeds 20 --out runs/c",
    ),
    "sample": _Verb(
        SampleConfig,
        run_sample,
        "draw architectures from a space or a generator",
        "gennas sample --space nasbench101 --n 3",
    ),
    "train-generator": _Verb(
        TrainGeneratorConfig,
        run_train_generator,
        "train a generator on a space, or on finished runs",
        "gennas train-generator --archive runs/cora --out runs/generator",
    ),
    "train": _Verb(
        TrainVerbConfig,
        run_train,
        "train one architecture",
        "gennas train --from runs/digits --task digits --save net.safetensors",
        "arch",
    ),
    "export": _Verb(
        ExportConfig,
        run_export,
        "write a network as ONNX, pt2, safetensors or source",
        "gennas export --from runs/digits --to source --weights net.safetensors --out net.py",
        "arch",
    ),
    "transfer": _Verb(
        TransferConfig,
        run_transfer,
        "train a run's best architectures on other tasks",
        "gennas transfer runs/digits --tasks digits,mnist --top 5 --seeds 3",
        "run",
    ),
    "report": _Verb(ReportConfig, _report, "write a run's report again", "gennas report runs/cora", "run"),
    "list": _Verb(
        ListConfig, _list, "list spaces, tasks, strategies, tables or metrics", "gennas list strategies", "kind"
    ),
    "proxies": _Verb(
        ProxiesConfig,
        run_proxies,
        "list, compute or correlate zero-cost proxies",
        "gennas proxies score --n 5",
        "action",
    ),
    "latency": _Verb(
        LatencyConfig,
        run_latency,
        "measure or predict what architectures cost",
        "gennas latency -n 3 --batch 8",
        "arch",
    ),
    "show": _Verb(
        ShowConfig, _show, "show one architecture", "gennas show 0012:gat,gcn,fc,skip --space nasbench-graph", "arch"
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 2 for bad input, 130 when interrupted."""
    args = list(sys.argv[1:] if argv is None else argv)
    if not args or args[0] in ("-h", "--help"):
        _print_overview()
        return 0
    if args[0] == "--version":
        import gennas

        print(f"gennas {gennas.__version__}")
        return 0
    try:
        if args[0] not in VERBS:
            raise UnknownNameError("verb", args[0], VERBS)
        verb = VERBS[args[0]]
        config = _parse(args[0], verb, args[1:])
        return verb.run(config)
    except GennasError as error:
        print(f"gennas: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nInterrupted; every finished trial is kept. Continue with:\n  gennas {_quoted(args)}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parse(name: str, verb: _Verb, args: list[str]) -> Any:
    """Read settings: a YAML file's values are defaults, flags override them."""
    default, args = _from_yaml(verb.settings, args)
    if verb.positional is not None and args and not args[0].startswith("-"):
        args = [f"--{verb.positional}", *args]
    return tyro.cli(
        verb.settings,
        prog=f"gennas {name}",
        description=f"{inspect.getdoc(verb.settings)}\n\nExample:\n  {verb.example}",
        args=args,
        default=default,
        config=(tyro.conf.UseAppendAction,),
    )


def _from_yaml(settings: type, args: list[str]) -> tuple[Any, list[str]]:
    """Take ``--config FILE`` out of the arguments and return the settings it holds."""
    for i, arg in enumerate(args):
        flag, equals, value = arg.partition("=")
        if flag != "--config":
            continue
        if not issubclass(settings, ProblemConfig):
            raise ConfigError("--config works with search and compare only.")
        rest = args[:i] + args[i + (1 if equals else 2) :]
        path = value if equals else (args[i + 1] if i + 1 < len(args) else "")
        values = load_yaml(Path(path))
        values.pop("version", None)
        return settings.from_dict(values), rest
    return settings(), args


def _quoted(args: Sequence[str]) -> str:
    import shlex

    return shlex.join(args)


def _print_overview() -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.print("[bold]gennas[/bold]: generative neural architecture search, with honest budgets\n")
    table = Table(box=None, show_header=False, padding=(0, 2))
    for name, verb in VERBS.items():
        table.add_row(f"[bold cyan]{name}[/bold cyan]", verb.summary)
    console.print(table)
    console.print("\n[bold]Examples[/bold]")
    for verb in VERBS.values():
        console.print(f"  {verb.example}", highlight=False, soft_wrap=True)
    console.print("\n`gennas VERB --help` explains every setting; search and compare also read --config FILE.yaml.")
