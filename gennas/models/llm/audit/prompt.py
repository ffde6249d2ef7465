"""The prompts of an audit: the same words in every condition, with or without names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gennas.graph import IntArray
from gennas.models.llm.alphabet import plain
from gennas.models.llm.decisions import Decisions

__all__ = ["card", "goal", "history"]


def card(decisions: Decisions, names: bool, subject: str = "") -> str:
    """What an architecture is: its decisions and the symbols of their options.

    Args:
        decisions: under the names that are to be shown.
        names: whether to name the space and where decisions stand.
        subject: what is to be named, too, such as the table.
    """
    lines = [f"An architecture is written as {len(decisions)} symbols, one for each decision."]
    if names:
        of = f", measured in {plain(subject)}" if subject else ""
        lines.insert(0, f"Neural architectures of the search space {plain(decisions.schema.name)}{of}.")
        lines.append("Decisions stand for: " + ", ".join(decisions.name(t) for t in range(len(decisions))) + ".")
    groups: dict[str, list[int]] = {}
    for t in range(len(decisions)):
        pairs = (f"{decisions.symbols[t, s]} = {name}" for s, name in sorted_options(decisions, t))
        groups.setdefault("; ".join(pairs), []).append(t + 1)
    return "\n".join([*lines, *(f"Decisions {_places(ts)}: {legend}" for legend, ts in groups.items())])


def sorted_options(decisions: Decisions, t: int) -> list[tuple[int, str]]:
    """Labels and names at decision ``t`` in the order of their symbols."""
    return sorted(decisions.shown(t).items(), key=lambda pair: str(decisions.symbols[t, pair[0]]))


def _places(places: Sequence[int]) -> str:
    """``1 to 3, 5``."""
    runs: list[list[int]] = []
    for place in places:
        if runs and runs[-1][-1] == place - 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


def goal(maximise: bool, metric: str) -> str:
    """What is wanted."""
    verb = "Maximise" if maximise else "Minimise"
    return f"{verb} {plain(metric)}. Propose one architecture that was not evaluated before."


def history(decisions: Decisions, told: Mapping[bytes, float], maximise: bool, most: int = 20) -> str:
    """Evaluated architectures with their values, the best first; of more than ``most`` the best half and the last."""
    rows = [(np.frombuffer(row, dtype=np.int16), value) for row, value in told.items()]
    if not rows:
        return "Nothing was evaluated yet."
    order = sorted(range(len(rows)), key=lambda i: -rows[i][1] if maximise else rows[i][1])
    kept = set(order[: most // 2]) | set(range(len(rows) - (most - most // 2), len(rows)))
    D: IntArray = np.array([row for row, _ in rows], dtype=np.int16)
    texts = decisions.write(D)
    shown = [f"{texts[i]}: {rows[i][1]:.6g}" for i in order if i in kept]
    return f"{len(rows)} were evaluated, {len(shown)} of them:\n" + "\n".join(shown)
