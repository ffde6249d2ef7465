"""Small models without weights, which count what they are asked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from gennas.models.llm import Answer, Grammar, Message, Question, Reply, Usage


class Fond:
    """Is fond of one name of an option and does not hide it; writes the last symbols there are."""

    concurrency = 2

    def __init__(self, fond_of: str = "nor_conv_3x3", strength: float = 5.0) -> None:
        self.name, self.fond_of, self.strength = f"fond of {fond_of}", fond_of, strength
        self.asked: list[tuple[str, str, tuple[str, ...]]] = []
        self.read: list[str] = []
        self.messages: list[str] = []

    def choose(self, state: str, questions: Sequence[Question]) -> list[Answer]:
        self.asked += [(state, q.text, q.options) for q in questions]
        self.messages.append(state)
        return [
            Answer.of([self.strength if name == self.fond_of else 1.0 for name in q.options], Usage(10, 1))
            for q in questions
        ]

    def complete(self, messages: Sequence[Message], grammar: Grammar | None = None, draw: int = 0) -> Reply:
        self.messages.append(messages[-1]["content"])
        if grammar is None:
            return Reply("more of the same", "ok", Usage(100, 5), 0.25)
        rng, state, text = np.random.default_rng(draw + len(messages[-1]["content"])), 0, ""
        for layer, follow in enumerate(grammar.automaton.layers):
            label = int(rng.choice(np.flatnonzero(follow[state] >= 0)))
            text, state = text + str(grammar.symbols[layer, label]), int(follow[state, label])
        return Reply(text, "ok", Usage(100, len(text)), 0.25)


@pytest.fixture
def fond() -> Fond:
    return Fond()


@pytest.fixture
def make_fond() -> type[Fond]:
    return Fond
