"""``/completion``: llama.cpp's own, with the probabilities of what a grammar leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gennas.models.llm.alphabet import LABELS
from gennas.models.llm.backend import Answer, Message, Question, Usage
from gennas.models.llm.grammar import Grammar
from gennas.models.llm.http.dialects.base import Read, Request, number, text_of

__all__ = ["Completion", "CompletionChoice"]

_PATH = "/completion"
_ALIASES = 4  # tokens that may stand for one letter: a piece, a byte
_RAISED = 100.0  # logits


class Completion:
    """llama.cpp's completion of plain text; grammars are GBNF (``grammar``) or JSON Schemas (``json_schema``)."""

    name = "completion"
    fields: tuple[str, ...] = ("grammar", "json_schema")

    def request(
        self,
        model: str,
        messages: Sequence[Message],
        parameters: Mapping[str, Any],
        field: str | None,
        grammar: Grammar | None,
    ) -> Request:
        """See :class:`TextDialect`."""
        prompt = "\n".join(m["content"] for m in messages)
        body: dict[str, Any] = {"prompt": f"{prompt}\n", **parameters}
        if grammar is not None and field is not None:
            body[field] = grammar.gbnf if field == "grammar" else grammar.json_schema
        return _PATH, body

    def read(self, content: Mapping[str, Any]) -> Read:
        """See :class:`TextDialect`."""
        outcome = "truncated" if content.get("stop_type") == "limit" else "ok"
        return *text_of(content.get("content", ()), outcome), _usage(content)  # type: ignore[arg-type]


class CompletionChoice:
    """One token under the grammar of the labels, and the probabilities of all that it could have been.

    The samplers that would cut off unlikely labels are switched off, and the probabilities are asked for *behind* the
    grammar (``post_sampling_probs``). Even so they are those before it whenever the first token that the server draws
    happens to be legal, and then the labels may be missing among the likeliest. All labels are therefore raised by the
    same bias, which leaves their ratios as they are.
    """

    name = "completion"
    most_questions = 1
    most_options = len(LABELS)

    def request(self, model: str, state: str, questions: Sequence[Question], parameters: Mapping[str, Any]) -> Request:
        """See :class:`ChoiceDialect`."""
        (question,) = questions
        return _PATH, {
            **parameters,
            "prompt": f"{state}\n{question.prompt}\n",
            "n_predict": 1,
            "grammar": f"root ::= [{question.labels}]",
            "samplers": [],
            "logit_bias": [[label, _RAISED] for label in question.labels],
            "n_probs": _ALIASES * len(question.options),
            "post_sampling_probs": True,
        }

    def read(self, content: Mapping[str, Any], questions: Sequence[Question]) -> list[Answer]:
        """See :class:`ChoiceDialect`."""
        (question,) = questions
        weights = dict.fromkeys(question.labels, 0.0)
        try:
            for entry in content["completion_probabilities"][0]["top_probs"]:
                if entry["token"] in weights:
                    weights[entry["token"]] += float(entry["prob"])
        except (KeyError, IndexError, TypeError, ValueError, OverflowError):
            return [Answer(None, "invalid", _usage(content))]
        return [Answer.of(list(weights.values()), _usage(content))]


def _usage(content: Mapping[str, Any]) -> Usage:
    return Usage(number(content.get("tokens_evaluated")), number(content.get("tokens_predicted")))
