from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gennas.errors import ArchiveError, OutputError
from gennas.models.llm import (
    Answer,
    Decisions,
    Grammar,
    Message,
    Question,
    Recorder,
    Replay,
    Reply,
    Transcript,
    Usage,
    by_choices,
    by_texts,
)  # fmt: skip
from gennas.models.llm.local import LocalBackend
from gennas.models.llm.transcript import complete_key, scoped_key
from gennas.spaces import NASBench201

MESSAGES = [{"role": "user", "content": "six symbols"}]


def decisions_of() -> Decisions:
    space = NASBench201()
    return Decisions(space.schema, space.legal, space.completions)


class Counting:
    """Counts what is really asked, and dies after some calls."""

    concurrency = 1

    def __init__(self, backend: Any, dies_after: int = 10**9) -> None:
        self.backend, self.name, self.left, self.asked = backend, backend.name, dies_after, 0

    def _paid(self, number: int) -> None:
        if self.left <= 0:
            raise KeyboardInterrupt
        self.left -= 1
        self.asked += number

    def choose(self, state: str, questions: Sequence[Question]) -> list[Answer]:
        self._paid(len(questions))
        return list(self.backend.choose(state, questions))

    def complete(self, messages: Sequence[Message], grammar: Grammar | None = None, draw: int = 0) -> Reply:
        self._paid(1)
        reply: Reply = self.backend.complete(messages, grammar, draw)
        return reply


def searched(backend: Any) -> np.ndarray:
    """A stand-in for a search: both calls, several rounds."""
    rounds = [by_choices(decisions_of(), backend, f"round {seed}", 4, seed).D for seed in range(2)]
    return np.concatenate([*rounds, by_texts(decisions_of(), backend, MESSAGES, 4, seed=1).D])


def test_killed_at_any_moment_it_goes_on_without_paying_twice(
    random_model: Any, tokenizer: Any, tmp_path: Path
) -> None:
    local = LocalBackend(random_model, tokenizer)
    whole = Counting(local)
    expected = searched(whole)
    for moment in (1, 2, 5, 9, 12, 15):
        file = tmp_path / f"{moment}.jsonl"
        first, second = Counting(local, moment), Counting(local)
        with pytest.raises(KeyboardInterrupt):
            searched(Recorder(first, Transcript(file)))
        with file.open("ab") as handle:  # what a crash leaves
            handle.write(b'{"key": "cut o')
        np.testing.assert_array_equal(searched(Recorder(second, Transcript(file))), expected)
        assert first.asked + second.asked == whole.asked
        np.testing.assert_array_equal(searched(Replay(Transcript(file))), expected)


def test_replay_needs_no_model_and_knows_nothing_new(random_model: Any, tokenizer: Any) -> None:
    transcript = Transcript()
    local = LocalBackend(random_model, tokenizer)
    expected = searched(Recorder(local, transcript))
    replay = Replay(transcript)
    assert replay.name == local.name
    np.testing.assert_array_equal(searched(replay), expected)
    with pytest.raises(ArchiveError, match="has no answer to 'Which"):
        replay.choose("elsewhere", [Question("Which?", ("a", "b"))])
    with pytest.raises(ArchiveError, match=r"has no reply to 'hello' \(draw 3\)"):
        replay.complete([{"role": "user", "content": "hello"}], draw=3)
    with pytest.raises(ArchiveError, match="Expected a transcript of one model, got one of 0: none"):
        Replay(Transcript())


class Unusable:
    """Never says the same twice."""

    name, concurrency = "unusable", 1

    def __init__(self) -> None:
        self.calls = 0

    def choose(self, state: str, questions: Sequence[Question]) -> list[Answer]:
        self.calls += 1
        p = None if self.calls == 1 else np.array([0.25, 0.75])
        return [Answer(p, "empty" if p is None else "ok", Usage(self.calls, 1)) for _ in questions]

    def complete(self, messages: Sequence[Message], grammar: Grammar | None = None, draw: int = 0) -> Reply:
        self.calls += 1
        return Reply(str(self.calls), "ok", Usage(1, 1), 0.5, {"temperature": 1})


def test_the_same_question_again_is_another_record(tmp_path: Path) -> None:
    recorder = Recorder(Unusable(), Transcript(tmp_path / "t.jsonl"))
    question = [Question("Which?", ("a", "b"))]
    first, second = recorder.choose("s", question)[0], recorder.choose("s", question)[0]
    assert (first.outcome, second.outcome) == ("empty", "ok")
    texts = [recorder.complete(MESSAGES).text for _ in range(2)]
    again = Replay(Transcript(tmp_path / "t.jsonl"))
    found = [again.choose("s", question)[0] for _ in range(2)]
    assert [a.outcome for a in found] == ["empty", "ok"] and found[1].usage == Usage(2, 1)
    assert found[1].probabilities is not None and found[1].probabilities.tolist() == [0.25, 0.75]
    replies = [again.complete(MESSAGES) for _ in range(2)]
    assert [r.text for r in replies] == texts and replies[0].request == {"temperature": 1}


class Seeded:
    """Says what the text and the number of the draw fix, as a model with a seed does."""

    name, concurrency = "seeded", 1

    def choose(self, state: str, questions: Sequence[Question]) -> list[Answer]:
        raise AssertionError

    def complete(self, messages: Sequence[Message], grammar: Grammar | None = None, draw: int = 0) -> Reply:
        return Reply(f"{messages[-1]['content']} {draw}")


def asked_alike(recorder: Any) -> list[str]:
    """The same text in two scopes, in two parts of the first, twice in the first part, and twice as a numbered draw."""
    texts = []
    for scope in ("0", "1"):
        recorder.begin(scope)
        texts += [recorder.complete(MESSAGES, draw=draw).text for draw in range(2)]
        first, second = recorder.part("0"), recorder.part("1")
        texts += [part.complete(MESSAGES).text for part in (first, first, second)]
    return texts


def test_the_same_request_is_a_draw_of_its_own_wherever_it_is_made(tmp_path: Path) -> None:
    texts = asked_alike(Recorder(Seeded(), Transcript(tmp_path / "t.jsonl")))
    assert len(set(texts)) == len(texts) == 10
    assert asked_alike(Recorder(Seeded(), Transcript())) == texts
    assert asked_alike(Replay(Transcript(tmp_path / "t.jsonl"))) == texts


def test_a_transcript_whose_draws_had_other_numbers_is_replayed(tmp_path: Path) -> None:
    """Keys hold the draw's number within its part of a search, as they did in former versions."""
    recorder, draw = Recorder(Seeded(), Transcript(tmp_path / "t.jsonl")), 5
    recorder.begin("3")
    recorder.complete(MESSAGES, draw=draw)
    key = scoped_key("3", complete_key("seeded", MESSAGES, None, draw))
    assert list(recorder.transcript.records) == [key] and recorder.transcript.records[key][0]["draw"] == draw


SOUND: dict[str, Any] = {
    "key": "k",
    "model": "m",
    "reply": {
        "text": "31",
        "outcome": "ok",
        "usage": {"input_tokens": 1, "output_tokens": 2},
        "seconds": 1,
        "request": {},
    },
}


@pytest.mark.parametrize(
    "damage",
    [
        {"model": None}, {"key": 3}, {"reply": None}, {"reply": {}}, {"reply": {**SOUND["reply"], "text": 3}},
        {"reply": {**SOUND["reply"], "usage": {"input_tokens": [], "output_tokens": 1}}},
        {"reply": {**SOUND["reply"], "outcome": "fine"}}, {"reply": {**SOUND["reply"], "request": None}},
    ],
)  # fmt: skip
def test_damaged_records_are_told(damage: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "t.jsonl"
    file.write_text(json.dumps(SOUND) + "\n")
    assert len(Transcript(file)) == 1
    file.write_text(json.dumps(SOUND) + "\n" + json.dumps({**SOUND, **damage}) + "\n")
    with pytest.raises(ArchiveError, match=r"Line 2 of .*t\.jsonl is no record: expected"):
        Transcript(file)


@pytest.mark.parametrize("p", [[0.5, 0.6], [2, -1], ["a"], 3, [10**400, 1]])
def test_damaged_probabilities_are_told(p: Any, tmp_path: Path) -> None:
    answer = {"outcome": "ok", "usage": {"input_tokens": 1, "output_tokens": 2}, "sampled": False, "mass": None}
    file = tmp_path / "t.jsonl"
    file.write_text(json.dumps({"key": "k", "model": "m", "answer": {**answer, "probabilities": p}}) + "\n")
    with pytest.raises(ArchiveError, match="is no record"):
        Transcript(file)


def test_files_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    file = tmp_path / "t.jsonl"
    file.write_text("[1, 2]\n")
    with pytest.raises(ArchiveError, match=r"Line 1 of .*t\.jsonl is no record"):
        Transcript(file)
    with pytest.raises(OutputError, match="Cannot write the transcript"):
        Transcript(tmp_path / "none" / "t.jsonl").add("k", {})
