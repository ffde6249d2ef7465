"""``/v1/decisions``: typed decisions of OpenAI and SGLang."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gennas.models.llm.alphabet import plain
from gennas.models.llm.backend import Answer, Question, Usage
from gennas.models.llm.http.dialects.base import Request, number

__all__ = ["DecisionsEndpoint"]


class DecisionsEndpoint:
    """Questions of the type ``choice`` about one input, up to 400 in a request, of up to 255 choices each."""

    name = "decisions"
    most_questions = 400
    most_options = 255

    def request(self, model: str, state: str, questions: Sequence[Question], parameters: Mapping[str, Any]) -> Request:
        """See :class:`ChoiceDialect`."""
        asked = [_choice(f"q{i}", question) for i, question in enumerate(questions)]
        return "/v1/decisions", {"model": model, "input": state, "questions": asked, **parameters}

    def read(self, content: Mapping[str, Any], questions: Sequence[Question]) -> list[Answer]:
        """See :class:`ChoiceDialect`."""
        told = content.get("usage")
        tokens = number(told.get("input_tokens")) if isinstance(told, dict) else 0
        given = content.get("answers")
        answers = given if isinstance(given, list) and len(given) == len(questions) else [None] * len(questions)
        return [
            _answer(one, question, Usage(tokens if i == 0 else 0))
            for i, (one, question) in enumerate(zip(answers, questions, strict=True))
        ]


def _choice(name: str, question: Question) -> dict[str, Any]:
    pairs = zip(question.labels, question.options, strict=True)
    choices = [{"value": label, "description": plain(option)} for label, option in pairs]
    return {"type": "choice", "name": name, "instructions": question.text, "choices": choices}


def _answer(given: Any, question: Question, usage: Usage) -> Answer:
    if isinstance(given, dict) and given.get("type") == "refusal":
        return Answer(None, "refusal", usage)
    try:
        p = {str(entry["value"]): float(entry["probability"]) for entry in given["probabilities"]}
        return Answer.of([p[label] for label in question.labels], usage)
    except (KeyError, TypeError, ValueError, OverflowError):
        return Answer(None, "invalid", usage)
