"""What a budget means for a strategy: whether it gets to learn, and which options suit it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gennas.search import STRATEGIES, Strategy
from gennas.workbench.config import SearchConfig
from gennas.workbench.directory import kept_settings
from gennas.workbench.settings import Options
from gennas.workbench.trust import code_names, refuse_foreign_code

__all__ = ["options_for", "scaling_note", "warm_up_note"]


def warm_up_note(name: str, strategy: Strategy, budget: int) -> str:
    """A warning where a strategy cannot differ from random search within the budget; else empty."""
    initial = strategy.initial_evaluations
    if initial < budget:
        return ""
    suited = ", ".join(f"{key}={value}" for key, value in strategy.for_budget(budget).items())
    advice = f"give it {suited}" if suited else "shrink its start (population_size, warm_start)"
    return (
        f"{name} cannot differ from random search here: its first {initial} proposals are made before any outcome "
        f"matters, and the budget is {budget}. Raise the budget, or {advice}."
    )


def options_for(strategy: str, given: Mapping[str, Any], budget: int, runs: Sequence[Path]) -> Options:
    """The options of a comparison's runs of one strategy.

    Runs that were begun keep the options that they were begun with, so that every seed has the same ones and
    comparisons of earlier versions continue. Otherwise what the user left open is what suits the budget
    (:meth:`Strategy.for_budget`).

    Args:
        strategy: its name.
        given: the user's options.
        budget: evaluations of each run.
        runs: directories of the runs, begun or not.

    Raises:
        ConfigError: somebody else began one with options that name code.
    """
    for run in runs:
        found = kept_settings(run)
        begun = Options.of(None if found is None else found[0].get("strategy_option"))
        if found is not None and all(begun.get(name) == value for name, value in given.items()):
            if code_names({"option": begun}).keys() - code_names({"option": given}).keys():
                values, written, digest = found
                settings = SearchConfig.from_dict(values).to_dict()
                advice = f"name these options yourself ({strategy}@KEY=VALUE), or use another --out"
                refuse_foreign_code(settings, run, written, digest, advice=advice)
            return begun
    factory: Any = STRATEGIES.get(strategy)
    suited = factory.for_budget(budget) if isinstance(factory, type) and issubclass(factory, Strategy) else {}
    return Options({**{name: value for name, value in suited.items() if name not in given}, **given})


def scaling_note(name: str, given: Mapping[str, Any], used: Mapping[str, Any]) -> str:
    """What of a strategy's options was chosen for the budget; empty where nothing was."""
    chosen = ", ".join(f"{key}={value}" for key, value in used.items() if key not in given)
    return f"{name} runs with {chosen}, which suits a small budget; {name}@KEY=VALUE sets another." if chosen else ""
