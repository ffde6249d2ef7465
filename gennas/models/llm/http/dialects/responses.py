"""``/v1/responses``: OpenAI's newer one, and those who follow it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gennas.models.llm.backend import Message, Outcome, Usage
from gennas.models.llm.grammar import Grammar
from gennas.models.llm.http.dialects.base import Read, Request, number, text_of

__all__ = ["Responses"]


class Responses:
    """Responses; a grammar goes into ``text.format`` as a JSON Schema."""

    name = "responses"
    fields: tuple[str, ...] = ("text",)

    def request(
        self,
        model: str,
        messages: Sequence[Message],
        parameters: Mapping[str, Any],
        field: str | None,
        grammar: Grammar | None,
    ) -> Request:
        """See :class:`TextDialect`."""
        body: dict[str, Any] = {"model": model, "input": [dict(m) for m in messages], **parameters}
        if grammar is not None and field is not None:
            own = body.get("text")
            form = {"type": "json_schema", "name": "architecture", "strict": True, "schema": grammar.json_schema}
            body["text"] = {**(own if isinstance(own, Mapping) else {}), "format": form}
        return "/v1/responses", body

    def read(self, content: Mapping[str, Any]) -> Read:
        """See :class:`TextDialect`."""
        told = content.get("usage")
        told = told if isinstance(told, dict) else {}
        usage = Usage(number(told.get("input_tokens")), number(told.get("output_tokens")))
        try:
            parts = [part for item in content["output"] if item["type"] == "message" for part in item["content"]]
            refusals = [str(part["refusal"]) for part in parts if part["type"] == "refusal"]
            if refusals:
                return refusals[0], "refusal", usage
            details = content.get("incomplete_details") or {}
            outcome: Outcome = "ok"
            if content.get("status") == "incomplete":
                outcome = "refusal" if details.get("reason") == "content_filter" else "truncated"
            return *text_of("".join(part["text"] for part in parts), outcome), usage
        except (KeyError, TypeError, AttributeError):
            return "", "invalid", usage
