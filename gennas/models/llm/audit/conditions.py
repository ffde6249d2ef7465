"""The conditions of an audit, and one search in one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gennas.graph import IntArray
from gennas.models.base import FloatArray
from gennas.models.llm.audit.prompt import card, goal, history
from gennas.models.llm.audit.relabelled import Relabelled
from gennas.models.llm.backend import Backend, Usage
from gennas.models.llm.decisions import Decisions
from gennas.models.llm.propose import Proposals, by_choices, by_texts, completed

__all__ = ["CONDITIONS", "Asked", "Condition", "Outcome", "Values", "draw", "search", "under"]

Values = Callable[[IntArray], FloatArray]
"""``values(D (b, d)) -> (b,)``: what a table says of architectures, in its own unit."""

Asked = Literal["choices", "texts"]
"""How a model is asked: for the probabilities of options, or for texts under a grammar."""


@dataclass(frozen=True)
class Condition:
    """What a search shows to the model.

    Args:
        names: ``own`` names of the space and its operations, ``none``, or ``meanings`` of the operations only.
        feedback: values as they are, ``shuffled`` among what was evaluated, or ``none`` at all.
        inverted: ask for the worst.
    """

    names: Literal["own", "none", "meanings"] = "own"
    feedback: Literal["true", "shuffled", "none"] = "true"
    inverted: bool = False


CONDITIONS: Mapping[str, Condition] = {
    "named": Condition(),
    "anonymised": Condition(names="none"),
    "semantics": Condition(names="meanings"),
    "shuffled": Condition(feedback="shuffled"),
    "inverted": Condition(inverted=True),
    "recall": Condition(feedback="none"),
    "recall, anonymised": Condition(names="none", feedback="none"),
}
"""Conditions by name; ``recall`` is the probe without any feedback."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the model proposed in one search.

    Args:
        D: ``(budget, d)`` proposals, in order.
        values: theirs, ``(budget,)``.
        new: which were neither shown nor proposed before, ``(budget,)``.
        repaired: decisions that were not the model's own.
        usage: tokens.
    """

    D: IntArray
    values: FloatArray
    new: FloatArray
    repaired: int
    usage: Usage


def under(decisions: Decisions, condition: Condition, meanings: Mapping[str, str] | None, seed: int) -> Decisions:
    """The decisions as a condition shows them."""
    if condition.names == "own":
        return decisions
    return Relabelled(decisions, meanings if condition.names == "meanings" else None, seed)


def search(
    decisions: Decisions,
    backend: Backend,
    values: Values,
    condition: Condition,
    seed: int,
    *,
    metric: str,
    maximise: bool = True,
    subject: str = "",
    budget: int = 20,
    batch: int = 5,
    start: int = 10,
    asked: Asked = "choices",
    meanings: Mapping[str, str] | None = None,
) -> Outcome:
    """Show ``start`` random architectures, then ask for ``budget`` proposals, ``batch`` at a time with the history.

    The start, the seeds of the draws and the number of proposals are the same in every condition. A repeated proposal
    counts as one of the budget, and its value is shown once. The number of the search is in the prompt, so that a model
    without randomness is not asked the same in every search.
    """
    view = under(decisions, condition, meanings, seed)
    up = maximise != condition.inverted
    told = dict[bytes, float]()
    if condition.feedback != "none":
        D = completed(decisions, np.zeros((start, len(decisions)), np.int16), 0, np.random.default_rng(seed))
        told = dict(zip((row.tobytes() for row in D), values(D).tolist(), strict=True))
    rng, repaired, usage = np.random.default_rng([seed, 1]), 0, Usage()
    parts, new = list[tuple[IntArray, FloatArray]](), list[bool]()
    name = metric if condition.names == "own" else "the score"
    head = f"{card(view, condition.names == 'own', subject)}\n{goal(up, name)} This is search {seed + 1}."
    batch = batch if told else budget  # without feedback nothing changes between batches
    for first in range(0, budget, batch):
        made = draw(view, backend, _prompt(head, view, told, condition, up, rng), min(batch, budget - first),
                    seed * 1009 + first, asked)  # fmt: skip
        repaired, usage = repaired + int(made.repaired.sum()), usage + made.usage
        found = values(made.D)
        for row, value in zip(made.D, found.tolist(), strict=True):
            new.append(row.tobytes() not in told)
            told[row.tobytes()] = value
        parts.append((made.D, found))
    return Outcome(
        np.concatenate([D for D, _ in parts]),
        np.concatenate([found for _, found in parts]),
        np.array(new, dtype=np.float64),
        repaired,
        usage,
    )


def _prompt(
    head: str, view: Decisions, told: Mapping[bytes, float], condition: Condition, up: bool, rng: np.random.Generator
) -> str:
    """The card, the goal and the history as the condition shows it."""
    if condition.feedback == "none":
        return head
    if condition.feedback == "shuffled":
        told = dict(zip(told, rng.permutation(list(told.values())).tolist(), strict=True))
    return f"{head}\n{history(view, told, up)}"


def draw(view: Decisions, backend: Backend, prompt: str, n: int, seed: int, asked: Asked) -> Proposals:
    """``n`` proposals in the way that is asked for."""
    if asked == "choices":
        return by_choices(view, backend, prompt, n, seed)
    return by_texts(view, backend, [{"role": "user", "content": prompt}], n, seed)
