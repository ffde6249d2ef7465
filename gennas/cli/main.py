"""The command line: ``gennas VERB …``, also ``python -m gennas VERB …``."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from gennas.cli.parse import Verb, parse
from gennas.errors import EvaluationError, GennasError, UnknownNameError

__all__ = ["VERBS", "command", "main", "named_verb"]

VERBS: dict[str, Verb] = {
    "search": Verb(
        "gennas.cli.search",
        "search a space",
        "gennas search --space nasbench-graph --task cora --budget 100 --out runs/cora",
    ),
    "compare": Verb(
        "gennas.cli.compare",
        "compare strategies at an equal budget over many seeds",
        "gennas compare --space nasbench-graph --task cora --strategies random,generative --seeds 20 --out runs/c",
    ),
    "sample": Verb(
        "gennas.cli.sample",
        "draw architectures from a space or a generator",
        "gennas sample --space nasbench101 --n 3",
    ),
    "train-generator": Verb(
        "gennas.cli.train_generator",
        "train a generator on a space, or on finished runs",
        "gennas train-generator --archive runs/cora --out runs/generator",
    ),
    "train-supernet": Verb(
        "gennas.cli.train_supernet",
        "train one network that holds the weights of a whole space",
        "gennas train-supernet --space nasbench201 --task digits --method spos --out runs/supernet",
    ),
    "train": Verb(
        "gennas.cli.train",
        "train one architecture",
        "gennas train --from runs/digits --save net.safetensors",
        ("arch",),
    ),
    "compress": Verb(
        "gennas.cli.compress",
        "make a trained network smaller, block by block",
        "gennas compress --from runs/digits --weights net.safetensors --constraint 'params<=0.6x' --out runs/smaller",
    ),
    "export": Verb(
        "gennas.cli.export",
        "write a network as ONNX, pt2, safetensors or source",
        "gennas export --from runs/digits --to source --weights net.safetensors --out net.py",
        ("arch",),
    ),
    "transfer": Verb(
        "gennas.cli.transfer",
        "train a run's best architectures on other tasks",
        "gennas transfer runs/digits --tasks digits,mnist --top 5 --seeds 3",
        ("run",),
    ),
    "report": Verb(
        "gennas.cli.report",
        "write a run's report again",
        "gennas report runs/cora",
        ("run",),
    ),
    "list": Verb(
        "gennas.cli.list",
        "list what can be named, or the options of one of them",
        "gennas list strategies generative",
        ("kind", "name"),
    ),
    "proxies": Verb(
        "gennas.cli.proxies",
        "list, compute or correlate zero-cost proxies",
        "gennas proxies score --n 5",
        ("action",),
    ),
    "latency": Verb(
        "gennas.cli.latency",
        "measure or predict what architectures cost",
        "gennas latency -n 3 --batch 8",
        ("arch",),
    ),
    "show": Verb(
        "gennas.cli.show",
        "show one architecture",
        "gennas show 0012:gat,gcn,fc,skip --space nasbench-graph",
        ("arch",),
    ),
    "llm": Verb(
        "gennas.cli.llm",
        "try a language model, or read what one said in a search",
        "gennas llm show runs/cora",
        ("action", "run"),
    ),
    "llm audit": Verb(
        "gennas.cli.llm_audit",
        "what a language model knows of a table beforehand, and whether it follows feedback",
        "gennas llm audit --table nb201.csv.gz --metric c10_val_200 --model vllm:NAME",
    ),
    "llm tune": Verb(
        "gennas.cli.llm_tune",
        "fine-tune a language model on what a run measured",
        "gennas llm tune --from runs/cora --model FOLDER --out runs/tuned",
    ),
    "table": Verb(
        "gennas.cli.table",
        "look architectures up in a table",
        "gennas table show nasbench-graph/cora --best 3 --space nasbench-graph",
        ("action", "table", "arch"),
    ),
    "convert-table": Verb(
        "gennas.cli.convert_table",
        "turn a benchmark's official file into a table",
        "gennas convert-table nasbench_only108.tfrecord nb101.parquet",
        ("source", "out"),
    ),
}


def command() -> int:
    """The installed command: :func:`main` with other libraries' warnings kept out of the terminal."""
    from gennas.cli.quiet import quieten

    quieten()
    signal.signal(signal.SIGTERM, _terminate)
    return main()


def named_verb(args: Sequence[str]) -> tuple[str, list[str]]:
    """The verb, of one word or two, and the words after it.

    Example:
        >>> named_verb(["llm", "audit", "--seeds", "3"]), named_verb(["llm", "show", "runs/cora"])
        (('llm audit', ['--seeds', '3']), ('llm', ['show', 'runs/cora']))
    """
    length = 2 if " ".join(args[:2]) in VERBS else 1
    return " ".join(args[:length]), list(args[length:])


class _Terminated(KeyboardInterrupt):
    """SIGTERM, which schedulers of clusters send: it ends like Ctrl-C."""


def _terminate(signum: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a second one does not wait
    raise _Terminated


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0; 1 when nothing could be evaluated; 2 for bad input; 130 when interrupted, 143 by SIGTERM.
    """
    args = list(sys.argv[1:] if argv is None else argv)
    if not args or args[0] in ("-h", "--help"):
        _print_overview()
        return 0
    if args[0] == "--version":
        import gennas

        print(f"gennas {gennas.__version__}")
        return 0
    try:
        name, words = named_verb(args)
        if name not in VERBS:
            raise UnknownNameError("verb", name, VERBS)
        verb = VERBS[name]
        return verb.run(parse(name, verb, words))
    except EvaluationError as error:
        print(f"gennas: {_one_line(str(error))}", file=sys.stderr)
        return 1
    except GennasError as error:
        print(f"gennas: {_one_line(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interruption:
        print(f"\nInterrupted; every finished trial is kept. Continue with:\n  gennas {_quoted(args)}", file=sys.stderr)
        return 143 if isinstance(interruption, _Terminated) else 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _one_line(message: str) -> str:
    """A message for a terminal: long words of the user's cut, nothing that moves the cursor, at most 1,200 letters."""
    words = (w if len(w) <= 300 else f"{w[:150]}…({len(w):,} letters)…{w[-30:]}" for w in message.split())
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in " ".join(words))
    return line if len(line) <= 1200 else f"{line[:1000]}…({len(line):,} letters)…{line[-100:]}"


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
