"""``/api/chat``: Ollama's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gennas.models.llm.backend import Message, Outcome, Usage
from gennas.models.llm.grammar import Grammar
from gennas.models.llm.http.dialects.base import Read, Request, number, text_of

__all__ = ["Ollama"]

_OUTSIDE = ("think", "keep_alive", "logprobs", "top_logprobs")  # every other parameter is an option of the model


class Ollama:
    """Ollama's chat; a grammar goes into ``format`` as a JSON Schema, parameters into ``options``."""

    name = "ollama"
    fields: tuple[str, ...] = ("format",)

    def request(
        self,
        model: str,
        messages: Sequence[Message],
        parameters: Mapping[str, Any],
        field: str | None,
        grammar: Grammar | None,
    ) -> Request:
        """See :class:`TextDialect`."""
        body: dict[str, Any] = {"model": model, "messages": [dict(m) for m in messages], "stream": False}
        body |= {name: value for name, value in parameters.items() if name in _OUTSIDE}
        options = {name: value for name, value in parameters.items() if name not in _OUTSIDE}
        if options:
            body["options"] = options
        if grammar is not None and field is not None:
            body["format"] = grammar.json_schema
        return "/api/chat", body

    def read(self, content: Mapping[str, Any]) -> Read:
        """See :class:`TextDialect`."""
        usage = Usage(number(content.get("prompt_eval_count")), number(content.get("eval_count")))
        outcome: Outcome = "truncated" if content.get("done_reason") == "length" else "ok"
        try:
            return *text_of(content["message"]["content"], outcome), usage
        except (KeyError, TypeError):
            return "", "invalid", usage
