"""``/v1/messages``: Anthropic's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gennas.models.llm.backend import Message, Outcome, Usage
from gennas.models.llm.grammar import Grammar
from gennas.models.llm.http.dialects.base import Read, Request, number, text_of

__all__ = ["Messages"]

_OUTCOMES: dict[Any, Outcome] = {"max_tokens": "truncated", "refusal": "refusal"}
_MAX_TOKENS = 1024  # the one parameter that this dialect demands


class Messages:
    """Messages; a grammar goes into ``output_config.format`` as a JSON Schema.

    ``max_tokens`` is demanded: 1,024 where the user sets none.
    """

    name = "messages"
    fields: tuple[str, ...] = ("output_config",)

    def request(
        self,
        model: str,
        messages: Sequence[Message],
        parameters: Mapping[str, Any],
        field: str | None,
        grammar: Grammar | None,
    ) -> Request:
        """See :class:`TextDialect`."""
        system = "\n".join(m["content"] for m in messages if m["role"] == "system")
        others = [dict(m) for m in messages if m["role"] != "system"]
        body: dict[str, Any] = {"model": model, "messages": others, "max_tokens": _MAX_TOKENS, **parameters}
        if system:
            body["system"] = system
        if grammar is not None and field is not None:
            own = body.get("output_config")
            form = {"type": "json_schema", "schema": grammar.json_schema}
            body["output_config"] = {**(own if isinstance(own, Mapping) else {}), "format": form}
        return "/v1/messages", body

    def read(self, content: Mapping[str, Any]) -> Read:
        """See :class:`TextDialect`."""
        told = content.get("usage")
        told = told if isinstance(told, dict) else {}
        kinds = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
        usage = Usage(sum(number(told.get(kind)) for kind in kinds), number(told.get("output_tokens")))
        try:
            text = "".join(part["text"] for part in content["content"] if part["type"] == "text")
            return *text_of(text, _OUTCOMES.get(content.get("stop_reason"), "ok")), usage
        except (KeyError, TypeError, AttributeError):
            return "", "invalid", usage
