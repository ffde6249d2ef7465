from __future__ import annotations

import math
from typing import Any

import pytest

from gennas.models.llm import Decisions, Grammar, Question, Usage, grammar_of
from gennas.models.llm.http.dialects import CHOICES, TEXTS
from gennas.spaces import NASBench201

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Go."}]
QUESTIONS = [Question("Which?", ("conv", "skip")), Question("And?", ("a", "b", "c"))]


@pytest.fixture
def grammar() -> Grammar:
    return grammar_of(Decisions(NASBench201().schema, NASBench201().legal))


def test_nothing_is_sent_that_was_not_set(grammar: Grammar) -> None:
    bare = {
        "chat": {"model", "messages"},
        "responses": {"model", "input"},
        "messages": {"model", "messages", "system", "max_tokens"},  # max_tokens is demanded
        "completion": {"prompt"},
        "ollama": {"model", "messages", "stream"},  # else it answers in pieces
    }
    assert set(bare) == set(TEXTS)
    for name, fields in bare.items():
        assert set(TEXTS[name].request("m", MESSAGES, {}, None, None)[1]) == fields
        assert set(TEXTS[name].request("m", MESSAGES, {}, None, grammar)[1]) == fields


def test_parameters_keep_their_names() -> None:
    for name in TEXTS:
        body = TEXTS[name].request("m", MESSAGES, {"temperature": 0.5, "max_tokens": 7}, None, None)[1]
        place = body["options"] if name == "ollama" else body
        assert (place["temperature"], place["max_tokens"]) == (0.5, 7)
    assert TEXTS["ollama"].request("m", MESSAGES, {"think": False}, None, None)[1]["think"] is False


def test_where_the_grammar_goes(grammar: Grammar) -> None:
    schema, regex = grammar.json_schema, "[0-4]" * 6

    def sent(dialect: str, field: str, parameters: dict[str, Any] | None = None) -> Any:
        return TEXTS[dialect].request("m", MESSAGES, parameters or {}, field, grammar)[1][field]

    assert sent("chat", "grammar") == sent("completion", "grammar") == "root ::= " + " ".join(["[0-4]"] * 6)
    assert sent("chat", "structured_outputs") == {"regex": regex} and sent("chat", "regex") == regex
    strict = {"name": "architecture", "strict": True, "schema": schema}
    assert sent("chat", "response_format") == {"type": "json_schema", "json_schema": strict}
    assert sent("completion", "json_schema") == sent("ollama", "format") == schema
    form = {"format": {"type": "json_schema", **strict}}
    assert sent("responses", "text", {"text": {"verbosity": "low"}}) == {"verbosity": "low", **form}
    form = {"format": {"type": "json_schema", "schema": schema}}
    assert sent("messages", "output_config", {"output_config": {"effort": "low"}}) == {"effort": "low", **form}


def test_the_system_message_of_messages_stands_apart() -> None:
    path, body = TEXTS["messages"].request("m", MESSAGES, {}, None, None)
    assert (path, body["system"], body["messages"]) == ("/v1/messages", "Be brief.", [MESSAGES[1]])


def chat(content: Any, reason: str = "stop", **message: Any) -> dict[str, Any]:
    choice = {"finish_reason": reason, "message": {"content": content, **message}}
    return {"choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}


def output(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    items = [{"type": "reasoning"}, {"type": "message", "content": list(parts)}]
    return {"output": items, "usage": {"input_tokens": 3, "output_tokens": 2}, **more}


TOKENS = {"input_tokens": 3, "output_tokens": 2}
TEXT = {"type": "output_text", "text": "310042"}


@pytest.mark.parametrize(
    ("dialect", "content", "text", "outcome"),
    [
        ("chat", chat("310042"), "310042", "ok"),
        ("chat", chat(None), "", "empty"),
        ("chat", chat(" \n"), " \n", "empty"),
        ("chat", chat("31", "length"), "31", "truncated"),
        ("chat", chat("", "length"), "", "truncated"),
        ("chat", chat(None, refusal="I cannot."), "I cannot.", "refusal"),
        ("chat", chat("x", "content_filter"), "x", "refusal"),
        ("chat", chat(["x"]), "", "invalid"),
        ("responses", output(TEXT), "310042", "ok"),
        ("responses", output({"type": "refusal", "refusal": "No."}), "No.", "refusal"),
        ("responses", output(status="incomplete", incomplete_details={"reason": "max_output_tokens"}), "", "truncated"),
        ("responses", output(status="incomplete", incomplete_details={"reason": "content_filter"}), "", "refusal"),
        ("responses", output(), "", "empty"),
        ("messages", {"content": [{"type": "text", "text": "310042"}], "stop_reason": "end_turn", "usage": TOKENS},
         "310042", "ok"),
        ("messages", {"content": [], "stop_reason": "refusal", "usage": TOKENS}, "", "refusal"),
        ("messages", {"content": [{"type": "text", "text": "31"}], "stop_reason": "max_tokens", "usage": TOKENS}, "31",
         "truncated"),
        ("completion", {"content": "310042", "stop_type": "eos", "tokens_evaluated": 3, "tokens_predicted": 2},
         "310042", "ok"),
        ("completion", {"content": "31", "stop_type": "limit", "tokens_evaluated": 3, "tokens_predicted": 2}, "31",
         "truncated"),
        ("ollama", {"message": {"content": "310042"}, "done_reason": "stop", "prompt_eval_count": 3, "eval_count": 2},
         "310042", "ok"),
        ("ollama", {"message": {"content": "3"}, "done_reason": "length", "prompt_eval_count": 3, "eval_count": 2}, "3",
         "truncated"),
    ],
)  # fmt: skip
def test_outcomes(dialect: str, content: dict[str, Any], text: str, outcome: str) -> None:
    assert TEXTS[dialect].read(content) == (text, outcome, Usage(3, 2))


@pytest.mark.parametrize("dialect", TEXTS)
@pytest.mark.parametrize(
    "content",
    [
        {}, {"choices": []}, {"choices": None}, {"choices": [None]}, {"choices": [{"message": None}], "usage": [1]},
        {"output": [{"type": "message"}]}, {"output": 3}, {"content": [3]}, {"content": 3}, {"message": 3},
        {"usage": {"prompt_tokens": "many"}}, {"choices": [{"message": {"content": "x"}, "finish_reason": []}]},
    ],
)  # fmt: skip
def test_other_forms_are_invalid(dialect: str, content: dict[str, Any]) -> None:
    text, outcome, usage = TEXTS[dialect].read(content)
    assert (text, outcome, usage) == ("", "invalid", Usage())


def test_typed_decisions() -> None:
    path, body = CHOICES["systemone"].request("m", "state", QUESTIONS, {"seed": 1})
    assert path == "/v1/systemone" and body["seed"] == 1 and body["state"] == "state"
    assert body["questions"]["q0"] == {
        "type": "choice", "instructions": "Which?", "criteria": {"A": "conv", "B": "skip"},
    }  # fmt: skip
    answers = {"q1": {"probabilities": {"A": 0.5, "C": 0.25, "B": 0.25}}, "q0": {"probabilities": {"B": 3, "A": 1}}}
    found = CHOICES["systemone"].read({"answers": answers, "usage": {"prompt_tokens": 9}}, QUESTIONS)
    assert [a.probabilities.tolist() for a in found if a.probabilities is not None] == [[0.25, 0.75], [0.5, 0.25, 0.25]]
    assert sum((a.usage for a in found), Usage()) == Usage(9)

    path, body = CHOICES["decisions"].request("m", "state", QUESTIONS, {})
    assert path == "/v1/decisions" and body["input"] == "state"
    assert body["questions"][0] == {
        "type": "choice", "name": "q0", "instructions": "Which?",
        "choices": [{"value": "A", "description": "conv"}, {"value": "B", "description": "skip"}],
    }  # fmt: skip
    given = [
        {"type": "refusal"},
        {"probabilities": [{"value": v, "probability": p} for v, p in zip("CAB", (2, 1, 1), strict=True)]},
    ]
    found = CHOICES["decisions"].read({"answers": given}, QUESTIONS)
    assert found[0].outcome == "refusal"
    assert found[1].probabilities is not None and found[1].probabilities.tolist() == [0.25, 0.25, 0.5]


@pytest.mark.parametrize("dialect", CHOICES)
@pytest.mark.parametrize(
    "content",
    [
        {}, {"answers": None}, {"answers": [None]}, {"answers": {"q0": 3}}, {"answers": [{"probabilities": [{}]}]},
        {"answers": {"q0": {"probabilities": {"A": 1.0}}}}, {"answers": {"q0": {"probabilities": {"A": "x", "B": 1}}}},
        {"answers": {"q0": {"probabilities": {"A": -1.0, "B": 1}}}},
        {"answers": {"q0": {"probabilities": {"A": 10**400, "B": 1}}}},
        {"answers": [{"probabilities": [{"value": "A", "probability": math.nan}, {"value": "B", "probability": 1}]}]},
        {"completion_probabilities": []}, {"completion_probabilities": [{"top_probs": [{"token": "Z", "prob": 1}]}]},
        {"completion_probabilities": [{"top_probs": [{"token": "A", "prob": "much"}]}]},
    ],
)  # fmt: skip
def test_other_answers_are_invalid(dialect: str, content: dict[str, Any]) -> None:
    (answer,) = CHOICES[dialect].read(content, QUESTIONS[:1])
    assert answer.outcome == "invalid" and answer.probabilities is None
