"""``/v1/systemone``: typed decisions of vLLM, ``transformers serve`` and others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gennas.models.llm.alphabet import plain
from gennas.models.llm.backend import Answer, Question, Usage
from gennas.models.llm.http.dialects.base import Request, number

__all__ = ["SystemOne"]


class SystemOne:
    """Questions of the type ``choice`` about one state, up to 64 in a request."""

    name = "systemone"
    most_questions = 64
    most_options = 255

    def request(self, model: str, state: str, questions: Sequence[Question], parameters: Mapping[str, Any]) -> Request:
        """See :class:`ChoiceDialect`."""
        asked = {f"q{i}": _choice(question) for i, question in enumerate(questions)}
        return "/v1/systemone", {"model": model, "state": state, "questions": asked, **parameters}

    def read(self, content: Mapping[str, Any], questions: Sequence[Question]) -> list[Answer]:
        """See :class:`ChoiceDialect`."""
        told = content.get("usage")
        told = told if isinstance(told, dict) else {}
        tokens = number(told.get("prompt_tokens", told.get("input_tokens")))
        given = content.get("answers")
        answers = given if isinstance(given, dict) else {}
        return [
            _answer(answers.get(f"q{i}"), question, Usage(tokens if i == 0 else 0))
            for i, question in enumerate(questions)
        ]


def _choice(question: Question) -> dict[str, Any]:
    criteria = {label: plain(name) for label, name in zip(question.labels, question.options, strict=True)}
    return {"type": "choice", "instructions": question.text, "criteria": criteria}


def _answer(given: Any, question: Question, usage: Usage) -> Answer:
    try:
        weights = [float(given["probabilities"][label]) for label in question.labels]
    except (KeyError, TypeError, ValueError, OverflowError):
        return Answer(None, "invalid", usage)
    return Answer.of(weights, usage)
