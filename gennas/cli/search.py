"""``gennas search``: search a space."""

from __future__ import annotations

from gennas.workbench.config import SearchConfig

__all__ = ["SETTINGS", "run"]

SETTINGS = SearchConfig


def run(config: SearchConfig) -> int:
    """Run the verb."""
    from gennas.cli.terminal import SearchDisplay, print_tracked
    from gennas.workbench.budgets import warm_up_note
    from gennas.workbench.equip import other_runs_note
    from gennas.workbench.problem import Problem, make_strategy
    from gennas.workbench.run import run_search

    def begin(problem: Problem) -> None:
        display.begin(problem)
        strategy = make_strategy(config.strategy, config.strategy_option, problem, config.seed)
        name = str(config.to_dict()["strategy"])
        for note in (
            "" if config.ingest else warm_up_note(name, strategy, config.budget),  # what is given counts for its start
            other_runs_note(name, strategy, config.warm_from),
        ):
            if note:
                display.console.print(note, style="yellow", soft_wrap=True, highlight=False, markup=False)

    with SearchDisplay(config) as display:
        run = run_search(config, [display], on_problem=begin)
    display.summarize(run)
    print_tracked(run.tracked)
    return 0 if any(t.ok for t in run.result.trials) else 1
