"""The two calls that every language model answers, and what may come of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from gennas.errors import ArchiveError, ConfigError, GennasError
from gennas.models.base import FloatArray
from gennas.models.llm.alphabet import LABELS, SYMBOLS, plain
from gennas.models.llm.grammar import Grammar

__all__ = [
    "OUTCOMES",
    "Answer",
    "Backend",
    "Message",
    "Outcome",
    "Question",
    "Reply",
    "ServerError",
    "UnavailableError",
    "UnrecordedError",
    "Usage",
    "labels_for",
]

Outcome = Literal["ok", "refusal", "empty", "truncated", "invalid"]
OUTCOMES: tuple[Outcome, ...] = ("ok", "refusal", "empty", "truncated", "invalid")
"""``refusal``: the model says that it will not answer. ``empty``: no content. ``truncated``: cut at the limit of
tokens. ``invalid``: content that is not what was asked for."""

Message = Mapping[str, str]
"""``{"role": "user", "content": "…"}``; roles are ``system``, ``user`` and ``assistant``."""


class ServerError(GennasError, RuntimeError):
    """A server of language models cannot be reached, refuses a request, or answers with something that is no reply."""


class UnrecordedError(ArchiveError):
    """A transcript that stands for a model holds no answer to what is asked."""


def labels_for(number: int) -> str:
    """One label for each of so many options: letters and digits, then letters beyond ASCII.

    Raises:
        ConfigError: there are not so many.
    """
    known = LABELS + SYMBOLS[len(LABELS) :]
    if number > len(known):
        raise ConfigError(f"Expected at most {len(known)} options of a question, got {number}.")
    return known[:number]


class UnavailableError(ServerError):
    """No usable answer after all tries; ``status`` is that of the last one, None where there was not even that."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.status)


@dataclass(frozen=True)
class Question:
    """One decision with its options, in the order in which they are shown.

    Args:
        text: what is asked, with the history of the decisions that were made.
        options: names of the options; shown under one-letter labels, which are what the model answers with.

    Example:
        >>> print(Question("Which operation?", ("conv", "skip")).prompt)
        Which operation?
        A: conv
        B: skip
        Answer with one letter.
    """

    text: str
    options: tuple[str, ...]

    @property
    def labels(self) -> str:
        """The label of each option."""
        return labels_for(len(self.options))

    @property
    def prompt(self) -> str:
        """The question as text."""
        shown = [f"{label}: {plain(name)}" for label, name in zip(self.labels, self.options, strict=True)]
        return "\n".join([self.text, *shown, "Answer with one letter."])


@dataclass(frozen=True)
class Usage:
    """Tokens of a request, as the server counts them; 0 where it does not say."""

    input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.input_tokens + other.input_tokens, self.output_tokens + other.output_tokens)


@dataclass(frozen=True, eq=False)
class Answer:
    """Probabilities of a question's options.

    Args:
        probabilities: ``(options,)``, non-negative with sum 1; None unless the outcome is ``ok``.
        outcome: what came of it.
        usage: tokens.
        sampled: the server gave one option and no probabilities: that one has 1.
        mass: how much probability lay on the options before it was made 1; NaN where unknown.
    """

    probabilities: FloatArray | None
    outcome: Outcome = "ok"
    usage: Usage = field(default_factory=Usage)
    sampled: bool = False
    mass: float = float("nan")

    @classmethod
    def of(cls, weights: Sequence[float] | FloatArray, usage: Usage | None = None) -> Answer:
        """The answer with probabilities in proportion to ``weights``; ``invalid`` if these are none.

        Example:
            >>> Answer.of([1, 3]).probabilities.tolist(), Answer.of([0, 0]).outcome
            ([0.25, 0.75], 'invalid')
        """
        w = np.asarray(weights, dtype=np.float64)
        total = float(w.sum())
        if not len(w) or not np.isfinite(w).all() or (w < 0).any() or total <= 0:
            return cls(None, "invalid", usage or Usage())
        return cls(w / total, "ok", usage or Usage(), mass=total)


@dataclass(frozen=True)
class Reply:
    """Text of a model.

    Args:
        text: the content; empty where there is none.
        outcome: what came of it; ``ok`` says that there is content, not that it is valid.
        usage: tokens.
        seconds: how long it took, on the wall's clock.
        request: the request as it was sent, without keys.
    """

    text: str
    outcome: Outcome = "ok"
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    request: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class Backend(Protocol):
    """A language model: local, behind a server, or a transcript of one."""

    name: str
    """Which model, with everything that changes what it says; transcripts are kept under it."""
    concurrency: int
    """How many calls at a time are worth making."""

    def choose(self, state: str, questions: Sequence[Question]) -> list[Answer]:
        """Probabilities of the options of every question, given the text that all of them share.

        Raises:
            ServerError: the server cannot be reached or refuses.
            ConfigError: the model cannot be asked so, such as a context that is too small.
        """
        ...

    def complete(self, messages: Sequence[Message], grammar: Grammar | None = None, draw: int = 0) -> Reply:
        """A text that the grammar accepts, as far as the model can be held to it.

        Args:
            messages: the conversation.
            grammar: what the reply may be; None: anything.
            draw: number of this draw among those with the same messages; with a seed, each gets one of its own.

        Raises:
            ServerError: the server cannot be reached or refuses.
            ConfigError: the model cannot be asked so.
        """
        ...
