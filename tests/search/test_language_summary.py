"""What a search's language model was asked and what came of it, from the archive; records that strategies keep."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gennas.errors import ArchiveError, ConfigError
from gennas.models.llm import Answer, Question, Recorder, Reply, Usage
from gennas.models.llm.prices import Price
from gennas.search import Archive
from gennas.search.language_summary import summarize_language
from gennas.search.transcript import CALL, SUGGESTION, ArchiveTranscript, read_transcript
from gennas.spaces import NASBench201


class Model:
    name, concurrency = "m", 1

    def choose(self, state: str, questions: list[Question]) -> list[Answer]:
        return [Answer.of([1.0, 3.0], Usage(10, 1)) for _ in questions]

    def complete(self, messages: object, grammar: object = None, draw: int = 0) -> Reply:
        return Reply("", "refusal", Usage(100, 20), 1.5, {"model": "m"})


def filled(path: Path | str) -> Archive:
    archive = Archive(path, NASBench201())
    recorder = Recorder(Model(), ArchiveTranscript(archive), Price(1.0, 10.0))
    recorder.labels = {"prompt": "aaa", "prompt_name": "one"}
    recorder.choose("s", [Question("a?", ("x", "y")), Question("b?", ("x", "y"))])
    recorder.labels = {"prompt": "bbb", "prompt_name": "two"}
    recorder.complete([{"role": "user", "content": "hi"}])
    rows = [(f"0.{i}", {"repaired": i, "duplicate": i == 1, "novel": i < 2}) for i in range(4)]
    archive.add_records(SUGGESTION, [(name, json.dumps(row)) for name, row in rows])
    return archive


def test_it_adds_up() -> None:
    found = summarize_language(filled(":memory:"))
    assert found is not None and [(p.prompt, p.version, p.calls) for p in found.prompts] == [
        ("one", "aaa", 2),
        ("two", "bbb", 1),
    ]
    assert (found.calls, found.tokens, found.models) == (3, 142, ["m"])
    assert found.usd == pytest.approx((20 + 2 * 10 + 100 + 200) / 1e6)
    assert found.prompts[1].outcomes == {"refusal": 1} and found.prompts[1].seconds == 1.5
    assert (found.suggested, found.repaired, found.duplicates, found.known) == (4, 3, 1, 2)
    assert dict(found.rows)["valid before repair"] == "25.0%"
    assert summarize_language(Archive(":memory:", NASBench201())) is None


def test_records_are_kept_by_kind_and_name_in_order(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "a.sqlite", NASBench201())
    assert archive.records("x") == [] and archive.record("x", "a") is None
    archive.add_records("x", [("a", "1"), ("a", "2"), ("b", "3")])
    assert archive.record("x", "a", 1) == "2" and archive.record("x", "a", 2) is None
    archive.add_records("x", [("a", "4")], replace=True)
    archive.close()
    again = Archive(tmp_path / "a.sqlite", NASBench201(), read_only=True)
    assert again.records("x") == [("b", "3"), ("a", "4")] and again.records("y") == []


def test_a_transcript_is_read_from_a_run_and_damage_is_said(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    archive = filled(run / "archive.sqlite")
    archive.close()
    for source in (run, run / "archive.sqlite"):
        assert len(read_transcript(source)) == 3 and read_transcript(source).models == ["m"]
    Archive(tmp_path / "empty.sqlite", NASBench201()).close()
    with pytest.raises(ConfigError, match="asked no language model"):
        read_transcript(tmp_path / "empty.sqlite")
    with pytest.raises(ConfigError, match="to replay, got"):
        read_transcript(tmp_path / "nowhere")
    damaged = Archive(tmp_path / "damaged.sqlite", NASBench201())
    damaged.add_records(CALL, [("k", '{"key": "k", "model": "m", "reply": {}}')])
    with pytest.raises(ArchiveError, match="cannot be read"):
        summarize_language(damaged)
    with pytest.raises(ArchiveError, match="cannot be read"):
        ArchiveTranscript(damaged).get("k", 0)
