"""``/v1/chat/completions``: OpenAI, llama.cpp, vLLM, SGLang, LM Studio, ``transformers serve`` and many more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gennas.models.llm.backend import Message, Outcome, Usage
from gennas.models.llm.grammar import Grammar
from gennas.models.llm.http.dialects.base import Read, Request, number, text_of

__all__ = ["Chat"]

_OUTCOMES: dict[Any, Outcome] = {"length": "truncated", "content_filter": "refusal"}


class Chat:
    """Chat completions.

    ``grammar`` is llama.cpp's, ``structured_outputs`` vLLM's, ``regex`` SGLang's, ``response_format`` everybody's.
    """

    name = "chat"
    fields: tuple[str, ...] = ("grammar", "structured_outputs", "regex", "response_format")

    def request(
        self,
        model: str,
        messages: Sequence[Message],
        parameters: Mapping[str, Any],
        field: str | None,
        grammar: Grammar | None,
    ) -> Request:
        """See :class:`TextDialect`."""
        body: dict[str, Any] = {"model": model, "messages": [dict(m) for m in messages], **parameters}
        if grammar is not None and field is not None:
            body[field] = _constraint(field, grammar)
        return "/v1/chat/completions", body

    def read(self, content: Mapping[str, Any]) -> Read:
        """See :class:`TextDialect`."""
        told = content.get("usage")
        told = told if isinstance(told, dict) else {}
        usage = Usage(number(told.get("prompt_tokens")), number(told.get("completion_tokens")))
        try:
            choice = content["choices"][0]
            message, outcome = choice["message"], _OUTCOMES.get(choice.get("finish_reason"), "ok")
            if message.get("refusal"):
                return str(message["refusal"]), "refusal", usage
            return *text_of(message.get("content"), outcome), usage
        except (KeyError, IndexError, TypeError, AttributeError):
            return "", "invalid", usage


def _constraint(field: str, grammar: Grammar) -> Any:
    if field == "grammar":
        return grammar.gbnf
    if field == "structured_outputs":
        return {"regex": grammar.regex}
    if field == "regex":
        return grammar.regex
    schema = {"name": "architecture", "strict": True, "schema": grammar.json_schema}
    return {"type": "json_schema", "json_schema": schema}
