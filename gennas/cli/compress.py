"""``gennas compress``: make a trained network smaller, block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gennas.workbench.compress import CompressSettings

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from gennas.training.blocks import Assembled
    from gennas.workbench.compress import Compressed

__all__ = ["SETTINGS", "run"]

SETTINGS = CompressSettings


def run(settings: CompressSettings) -> int:
    """Run the verb."""
    from rich.console import Console

    from gennas.workbench.compress import compress

    console = Console()
    with console.status("reading the network") as status:
        done = compress(settings, status.update)
    print_compressed(done, console)
    return 0


def print_compressed(done: Compressed, console: Console) -> None:
    """What was chosen, what it was compared with, what it cost."""
    from gennas.workbench.compress import BLOCKS_FILE, WEIGHTS_FILE

    console.print(done.parent.described, soft_wrap=True, highlight=False)
    console.print(f"bounds: {' · '.join(map(str, done.bounds))}", highlight=False)
    for layer, blocks in enumerate(done.library.layers):
        block = blocks[done.comparison.chosen.choice[layer]]
        mark = " (as it was)" if block.is_own else ""
        console.print(f"  layer {layer + 1}: {block.text}{mark}", highlight=False)
    console.print(_table(done))
    _print_findings(done, console)
    console.print(
        f"Saved: {done.directory} ({BLOCKS_FILE}: the score of every block)\n"
        f"  gennas train --from {done.directory} --weights {done.directory / WEIGHTS_FILE}",
        soft_wrap=True,
        highlight=False,
    )


def _table(done: Compressed) -> Table:
    """Networks in rows; test scores, which nothing was selected by."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from gennas.cli.terminal import format_value

    compared = done.comparison
    primary = next((s.name for s in done.parent.task.score_classes if s.name != "loss"), "loss")
    costs = list(dict.fromkeys(["params", *(bound.metric for bound in done.bounds)]))
    tuned = bool(compared.chosen.tuned_test)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("network")
    heads = [*costs, "val loss", "test loss", *([f"test {primary}"] if primary != "loss" else [])]
    for head in [*(head.removesuffix("_ms") for head in heads), *([f"tuned {primary}"] if tuned else [])]:
        table.add_column(head, justify="right")

    def cells(network: Assembled) -> list[str]:
        parent = compared.parent.costs
        found = [f"{network.costs[cost] / parent[cost]:.3f}x" for cost in costs]
        found += [format_value(network.validation["loss"]), format_value(network.test["loss"])]
        found += [format_value(network.test[primary])] if primary != "loss" else []
        return found + ([format_value(network.tuned_test[primary]) if network.tuned_test else "–"] if tuned else [])

    for network in compared.networks[: 3 if compared.uniform else 2]:
        table.add_row(network.name, *cells(network), style="bold" if network is compared.chosen else "")
    for network in sorted(compared.random, key=lambda n: n.validation["loss"])[:3]:
        table.add_row(network.name, *cells(network))
    return table


def _print_findings(done: Compressed, console: Console) -> None:
    from gennas.cli.terminal import format_value

    compared, found = done.comparison, done.comparison.additivity
    losses = sorted(network.validation["loss"] for network in compared.random)
    notes = []
    if losses:
        better = sum(loss < compared.chosen.validation["loss"] for loss in losses)
        notes.append(f"{better} of {len(losses)} random feasible choices have a lower validation loss")
    if compared.uniform is None:
        notes.append("no choice of one block for all layers keeps the bounds")
    else:
        notes.append(f"uniform is the best by validation of {compared.num_uniform} that keep the bounds")
    chosen = compared.chosen
    notes.append(
        f"single scores add up to {format_value(chosen.predicted)}, measured {format_value(chosen.measured)} "
        f"({done.metric}); over the random ones tau {format_value(found.tau)}, off by "
        f"{format_value(found.mean_absolute_error)}"
    )
    if any(done.library.stack.only_last(g) for g in range(done.library.stack.num_groups)):
        notes.append("of some groups of layers this space can leave out the last ones only")
    for bound in done.bounds:
        limit = bound.limit(compared.parent.costs[bound.metric])
        if compared.chosen.costs[bound.metric] > limit:
            notes.append(f"[yellow]measured, {bound.metric} is above the bound: its parts do not add up[/yellow]")
    for note in notes:
        console.print(f"· {note}", highlight=False)
    spent = " · ".join(f"{name} {value:.1f} s" for name, value in done.seconds.items() if value)
    console.print(f"· spent: {spent} (the parent's own training is not known here)", highlight=False)
