from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gennas.errors import ConfigError, UnknownNameError
from gennas.models.llm import (
    Decisions,
    Question,
    Recorder,
    ServerError,
    Transcript,
    by_choices,
    by_texts,
    grammar_of,
)  # fmt: skip
from gennas.models.llm.http import HttpBackend
from gennas.models.llm.http.dialects import CHOICES
from gennas.spaces import NASBench201

MESSAGES = [{"role": "user", "content": "33 is good, 44 is bad."}]
SIX = ("nasbench201", "nasbench101", "macro-chain", "autoformer-tiny", "gpt", "gnn")


def decisions_of() -> Decisions:
    space = NASBench201()
    return Decisions(space.schema, space.legal, space.completions)


# ---------------------------------------------------------------------- the real server


@pytest.mark.parametrize("name", SIX)
def test_a_real_server_proposes_nothing_but_valid_architectures(name: str, llama: str, limited: Any) -> None:
    decisions, check = limited(name)
    backend = HttpBackend("llama.cpp", url=llama)
    for proposals in (
        by_choices(decisions, backend, MESSAGES[0]["content"], 6, seed=1),
        by_texts(decisions, backend, MESSAGES, 8, most=4096),
    ):
        check(proposals.D)
        assert proposals.valid_before_repair == 1 and set(proposals.outcomes) == {"ok"}
        assert proposals.usage.input_tokens > 0


def plainly(backend: HttpBackend, prompt: str) -> dict[str, Any]:
    """An answer with the probabilities of all tokens; there are none where half a letter was drawn."""
    for seed in range(100):
        body = {"prompt": prompt, "n_predict": 1, "n_probs": 354, "ignore_eos": True, "seed": seed}
        content = backend.client.post("/completion", {**body, "samplers": [], "post_sampling_probs": True}).content
        if "completion_probabilities" in content:
            return content
    raise AssertionError("no answer with probabilities")


def test_probabilities_are_those_of_the_model_whatever_token_it_drew(llama: str) -> None:
    """Against the plain probabilities of all tokens, of which the labels' pieces are taken."""
    backend, question = HttpBackend("llama.cpp", url=llama), Question("Which?", ("conv", "skip", "pool"))
    for i in range(8):
        (answer,) = backend.choose(f"state {i}", [question])
        content = plainly(backend, f"user: state {i}\n{question.prompt}\nassistant: ")
        p = {e["token"]: e["prob"] for e in content["completion_probabilities"][0]["top_probs"] if e["id"] > 258}
        expected = np.array([p[label] for label in "ABC"]) / sum(p[label] for label in "ABC")
        np.testing.assert_allclose(answer.probabilities, expected, atol=0.01)


def test_a_flat_server_is_uniform_and_wants_its_key(flat_llama: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "the-right-key")
    backend = HttpBackend("llama.cpp", url=flat_llama, key_variable="SOME_KEY")
    for k in (2, 5, 40):
        (answer,) = backend.choose("state", [Question("Which?", tuple(f"option {i}" for i in range(k)))])
        np.testing.assert_allclose(answer.probabilities, 1 / k, rtol=1e-3)
    assert "the-right-key" not in repr(vars(backend.client)["url"]) + backend.name + repr(backend) + repr(
        backend.client
    )
    monkeypatch.setenv("SOME_KEY", "the-wrong-key")
    with pytest.raises(ServerError, match=r"refuses the key of SOME_KEY \(status 401\)") as caught:
        HttpBackend("llama.cpp", url=flat_llama, key_variable="SOME_KEY")
    assert "the-wrong-key" not in str(caught.value)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ("chat", {"grammar": "enforced"}),
        ("completion", {"grammar": "enforced"}),
        ("responses", {"text": "ignored (truncated)"}),
        ("messages", {"output_config": "ignored (truncated)"}),
    ],
)
def test_what_the_real_server_enforces(llama: str, texts: str, expected: dict[str, str]) -> None:
    limit = {"responses": "max_output_tokens", "completion": "n_predict"}.get(texts, "max_tokens")
    backend = HttpBackend("llama.cpp", url=llama, texts=texts, parameters={limit: 20, "seed": 1})
    found = dict(backend.probe())
    assert {k: v.split(" (")[0] for k, v in found.items()} == {k: v.split(" (")[0] for k, v in expected.items()}
    assert backend.field == next((k for k, v in expected.items() if v == "enforced"), None)


def test_json_schemas_of_the_real_server(llama: str) -> None:
    backend = HttpBackend("llama.cpp", url=llama)
    backend._fields = ("structured_outputs", "response_format")  # the first is ignored by this server
    assert {k: v.split(" (")[0] for k, v in backend.probe().items()} == {
        "structured_outputs": "ignored", "response_format": "enforced",
    }  # fmt: skip
    proposals = by_texts(decisions_of(), backend, MESSAGES, 5, most=2**18)
    assert proposals.valid_before_repair == 1 and set(proposals.outcomes) == {"ok"}


def test_without_any_constraint_replies_are_asked_for_again_and_repaired(llama: str) -> None:
    backend = HttpBackend("llama.cpp", url=llama, parameters={"max_tokens": 12, "seed": 1})
    backend._fields = ()
    proposals = by_texts(decisions_of(), backend, MESSAGES, 3, tries=2, most=2**18)
    assert decisions_of().is_legal(proposals.D).all() and (proposals.repaired > 0).all()
    assert sum(proposals.outcomes.values()) == 6 and "ok" not in proposals.outcomes


def test_what_the_real_server_refuses(llama: str) -> None:
    with pytest.raises(UnknownNameError, match=r"model of http://127\.0\.0\.1:[0-9]+ 'nosuch'.*random\.gguf"):
        HttpBackend("llama.cpp", "nosuch", url=llama)
    backend = HttpBackend("llama.cpp", url=llama)
    with pytest.raises(ConfigError, match=r"The prompt is too long for model .*context size \(2048 tokens\)"):
        backend.complete([{"role": "user", "content": "x" * 9000}])
    for choices, status in (("systemone", "status 501"), ("decisions", "status 404")):
        other = HttpBackend("llama.cpp", url=llama, choices=choices)
        with pytest.raises(ServerError, match=status):
            other.choose("x", [Question("Which?", ("a", "b"))])


def test_options_as_texts_of_one_symbol(llama: str) -> None:
    """Also where there are more options than labels of one token."""
    backend = HttpBackend("llama.cpp", url=llama, choices="none")
    answers = backend.choose("state", [Question("Which?", ("a", "b", "c")), Question("And?", tuple("x" * 70))])
    assert all(a.sampled and a.probabilities is not None and a.probabilities.max() == 1 for a in answers)
    many = HttpBackend("llama.cpp", url=llama).choose("state", [Question("And?", tuple("x" * 70))])
    assert many[0].sampled and many[0].probabilities is not None and len(many[0].probabilities) == 70


# ---------------------------------------------------------------------- a server that misbehaves


def chat(content: Any, reason: str = "stop") -> dict[str, Any]:
    return {"choices": [{"finish_reason": reason, "message": {"content": content}}]}


def solved(body: dict[str, Any]) -> dict[str, Any]:
    """Holds itself to ``response_format``: the first of each field's symbols."""
    properties = body["response_format"]["json_schema"]["schema"]["properties"]
    return chat(json.dumps({key: rule["enum"][0] for key, rule in properties.items()}))


def test_a_server_that_changes_its_mind_about_a_field(double: Any, says: Any) -> None:
    """Enforced in the probe, ignored afterwards: replies are read by the grammar all the same."""
    double.script = [says(solved, follows=True), says(chat("As an AI, I suggest 313131."))]
    backend = _compatible(double)
    assert backend.field == "response_format"
    proposals = by_texts(decisions_of(), backend, MESSAGES, 1, tries=2, most=2**18)
    assert proposals.outcomes == {"invalid": 2} and proposals.repaired.sum() > 0
    assert decisions_of().is_legal(proposals.D).all()


def _compatible(double: Any, **options: Any) -> HttpBackend:
    backend = HttpBackend("compatible", "m", url=double.url, wait=0.0, **options)
    backend._fields = ("response_format",)
    return backend


@pytest.mark.parametrize(
    ("content", "outcome"),
    [
        (chat(""), "empty"),
        (chat("31", "length"), "truncated"),
        (chat("I cannot help with that."), "invalid"),
        ({"choices": [{"message": {"refusal": "No."}}]}, "refusal"),
        ({"something": "else"}, "invalid"),
    ],
)
def test_every_outcome_is_recorded_then_repaired(double: Any, says: Any, content: Any, outcome: Any) -> None:
    double.script = [says(solved, follows=True), says(content)]
    transcript = Transcript()
    backend = Recorder(_compatible(double), transcript)
    proposals = by_texts(decisions_of(), backend, MESSAGES, 1, tries=3, most=2**18)
    assert proposals.outcomes == {outcome: 3} and decisions_of().is_legal(proposals.D).all()
    records = [record["reply"] for found in transcript.records.values() for record in found]
    assert [r["outcome"] == outcome or outcome == "invalid" for r in records] == [True] * 3
    assert all(r["request"]["response_format"]["type"] == "json_schema" for r in records)


def test_a_busy_server_costs_patience_only(double: Any, says: Any) -> None:
    double.script = [
        says(solved, follows=True), says({}, 429, {"Retry-After": "0"}), says({}, drop=True), says({}, 503),
        says(solved, follows=True),
    ]  # fmt: skip
    proposals = by_texts(decisions_of(), _compatible(double), MESSAGES, 1, most=2**18)
    assert proposals.D.tolist() == [[0] * 6] and proposals.valid_before_repair == 1


def test_seeds_differ_by_draw_and_nothing_else_is_added(double: Any, says: Any) -> None:
    double.script = [says(solved, follows=True)]
    backend = _compatible(double, parameters={"seed": 100, "temperature": 0.7})
    backend.complete(MESSAGES, grammar_of(decisions_of()), draw=5)
    path, body, _ = double.requests[-1]
    assert path == "/v1/chat/completions" and body["seed"] == 105
    assert set(body) == {"model", "messages", "seed", "temperature", "response_format"}
    assert '"d6"' in body["messages"][-1]["content"]  # the form is told as well


def test_questions_go_in_parts_of_what_a_dialect_allows(double: Any, says: Any) -> None:
    def answered(body: dict[str, Any]) -> dict[str, Any]:
        return {
            "answers": {
                name: {"probabilities": dict.fromkeys(q["criteria"], 1)} for name, q in body["questions"].items()
            }
        }

    double.script = [says(answered, follows=True)]
    backend = HttpBackend("transformers", "m", url=double.url, parameters={"temperature": 1})
    answers = backend.choose("s", [Question(f"{i}?", ("a", "b")) for i in range(150)])
    assert len(answers) == 150 and all(a.outcome == "ok" for a in answers)
    assert sorted(len(body["questions"]) for _, body, _ in double.requests) == [22, 64, 64]
    assert all("temperature" not in body for _, body, _ in double.requests)  # nothing is sampled
    proposals = by_choices(decisions_of(), backend, "s", 3)
    assert proposals.valid_before_repair == 1


@pytest.mark.parametrize("server", ["openai", "openai-responses", "anthropic"])
def test_keys_of_the_clouds(server: str, double: Any, says: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    variable = "ANTHROPIC_API_KEY" if server == "anthropic" else "OPENAI_API_KEY"
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ConfigError, match=f"environment variable {variable} holds no key"):
        HttpBackend(server, "m", url=double.url)
    monkeypatch.setenv(variable, "sk-very-secret")
    double.script = [says({"error": {"message": "Incorrect API key provided: sk-very-secret."}}, 401)]
    backend = HttpBackend(server, "m", url=double.url)
    with pytest.raises(ServerError, match=rf"refuses the key of {variable} \(status 401\).*\(hidden\)") as caught:
        backend.complete(MESSAGES)
    assert "sk-very-secret" not in str(caught.value)
    headers = double.requests[0][2]
    name = "X-Api-Key" if server == "anthropic" else "Authorization"
    assert {k.title(): v for k, v in headers.items()}[name].endswith("sk-very-secret")
    double.script = [says({"error": {"message": "The model `m` does not exist"}}, 404)]
    with pytest.raises(ServerError, match=r"has no model 'm' or no such path \(status 404\): The model `m` does not"):
        backend.complete(MESSAGES)


def test_keys_are_in_no_transcript(double: Any, says: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where the server repeats them, or where they came as a parameter."""
    monkeypatch.setenv("SOME_KEY", "sk-very-secret")
    double.script = [says(solved, follows=True), says(chat("your key is sk-very-secret"))]
    backend = _compatible(double, key_variable="SOME_KEY", parameters={"api_key": "sk-another"})
    by_texts(decisions_of(), Recorder(backend, Transcript(tmp_path / "t.jsonl")), MESSAGES, 1, most=2**18)
    written = (tmp_path / "t.jsonl").read_text()
    assert "your key is (hidden)" in written and "sk-" not in written
    assert double.requests[-1][1]["api_key"] == "sk-another"
    assert double.requests[-1][2]["Authorization"] == "Bearer sk-very-secret"


def test_ollama_lists_its_models(double: Any, says: Any) -> None:
    double.script = [says({"models": [{"name": "tiny:latest"}]})]
    assert HttpBackend("ollama", "tiny", url=double.url).model == "tiny"
    assert HttpBackend("ollama", url=double.url).model == "tiny:latest"
    with pytest.raises(UnknownNameError, match=r"'small'.*tiny:latest"):
        HttpBackend("ollama", "small", url=double.url)
    double.script = [says({"models": [{"name": "a"}, {"name": "b"}]})]
    with pytest.raises(ConfigError, match=r"Expected the name of a model; .* has a, b"):
        HttpBackend("ollama", url=double.url)


def test_unknown_names(double: Any) -> None:
    with pytest.raises(UnknownNameError, match="server of language models 'olama'"):
        HttpBackend("olama", "m")
    with pytest.raises(UnknownNameError, match="dialect of texts 'chats'"):
        HttpBackend("compatible", "m", texts="chats")
    with pytest.raises(UnknownNameError, match="dialect of choices 'system1'"):
        HttpBackend("compatible", "m", choices="system1")
    with pytest.raises(ConfigError, match="Expected the name of a model"):
        HttpBackend("compatible")
    assert set(CHOICES) == {"completion", "systemone", "decisions"}


def test_a_reply_of_ten_megabytes_loses_nothing(double: Any, says: Any, tmp_path: Any) -> None:
    transcript = Transcript(tmp_path / "t.jsonl")
    double.script = [says(solved, follows=True), says(solved, follows=True), says(b" " * 10_000_002)]
    backend = Recorder(_compatible(double, retries=0, concurrency=1), transcript)
    with pytest.raises(ServerError, match="a reply of more than 10 MB was refused"):
        by_texts(decisions_of(), backend, MESSAGES, 2, most=2**18)
    assert len(Transcript(tmp_path / "t.jsonl")) == 1
