"""What a dialect of HTTP servers is: how a request is written and an answer read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from gennas.models.llm.backend import Answer, Message, Outcome, Question, Usage
from gennas.models.llm.grammar import Grammar

__all__ = ["ChoiceDialect", "Read", "Request", "TextDialect", "number", "text_of"]

Request = tuple[str, dict[str, Any]]
"""Path and body."""
Read = tuple[str, Outcome, Usage]
"""Text, what came of it, tokens."""


class TextDialect(Protocol):
    """Asks for a text. Parameters are sent as the user named them, and none that the user did not set."""

    name: str
    fields: tuple[str, ...]
    """Fields by which a server may be told a grammar, the best first."""

    def request(
        self,
        model: str,
        messages: Sequence[Message],
        parameters: Mapping[str, Any],
        field: str | None,
        grammar: Grammar | None,
    ) -> Request:
        """The request, with the grammar in ``field`` if one is given."""
        ...

    def read(self, content: Mapping[str, Any]) -> Read:
        """Text and outcome of an answer; ``invalid`` where it has another form."""
        ...


class ChoiceDialect(Protocol):
    """Asks for the probabilities of options."""

    name: str
    most_questions: int
    """Questions in one request."""
    most_options: int
    """Options of one question."""

    def request(self, model: str, state: str, questions: Sequence[Question], parameters: Mapping[str, Any]) -> Request:
        """The request."""
        ...

    def read(self, content: Mapping[str, Any], questions: Sequence[Question]) -> list[Answer]:
        """One answer to each question; ``invalid`` where there is none of the right form."""
        ...


def number(value: Any) -> int:
    """A count of tokens, 0 where it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def text_of(text: Any, outcome: Outcome) -> tuple[str, Outcome]:
    """A text and its outcome: ``invalid`` if it is none, ``empty`` if nothing is in it and nothing else explains why.

    Example:
        >>> text_of(" ", "ok"), text_of("", "truncated"), text_of(["x"], "ok")
        ((' ', 'empty'), ('', 'truncated'), ('', 'invalid'))
    """
    if text is None:
        text = ""
    if not isinstance(text, str):
        return "", "invalid"
    return text, "empty" if outcome == "ok" and not text.strip() else outcome
