"""Requests and replies of a model, kept under a hash of what was asked."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from gennas.errors import ArchiveError, OutputError, reason_of
from gennas.models.llm.backend import OUTCOMES, Answer, Backend, Message, Question, Reply, Usage
from gennas.models.llm.grammar import Grammar

__all__ = ["Recorder", "Transcript", "answer_of", "choose_key", "complete_key", "reply_of"]


def _hash(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def choose_key(name: str, state: str, question: Question) -> str:
    """Hash of model and parameters, shared text, question and options in their order."""
    return _hash(["choose", name, state, question.text, list(question.options)])


def complete_key(name: str, messages: Sequence[Message], grammar: Grammar | None, draw: int) -> str:
    """Hash of model and parameters, messages, grammar and number of the draw."""
    layers = None if grammar is None else [[len(grammar), grammar.automaton.first], grammar.symbols.tolist()]
    rows = None if grammar is None else [layer.tolist() for layer in grammar.automaton.layers]
    return _hash(["complete", name, [dict(m) for m in messages], layers, rows, draw])


class Transcript:
    """Records of calls in a file of JSON lines, one a call; nothing in it is secret but what the prompts say.

    A record is written before its answer is used, so that what was paid for is never asked for again. The same question
    can be asked repeatedly (an unusable answer): records of one key are kept in order. A last line that was cut off, as
    by a crash, is left out and overwritten.

    Args:
        file: where the records are; made with the first one. None: only in memory.

    Raises:
        ArchiveError: a line before the last one is no record.
    """

    def __init__(self, file: str | Path | None = None) -> None:
        self.file = None if file is None else Path(file)
        self.records: dict[str, list[dict[str, Any]]] = {}
        self._lock = threading.Lock()
        if self.file is not None and self.file.exists():
            self._read(self.file)

    def _read(self, file: Path) -> None:
        content = file.read_bytes()
        end = content.rfind(b"\n") + 1
        for number, line in enumerate(content[:end].splitlines(), 1):
            try:
                record = json.loads(line)
                _check(record)
                self.records.setdefault(record["key"], []).append(record)
            except (ValueError, TypeError, OverflowError, RecursionError) as error:
                raise ArchiveError(f"Line {number} of {file} is no record: {reason_of(error)}.") from error
        if end < len(content):
            with file.open("r+b") as handle:
                handle.truncate(end)

    def __len__(self) -> int:
        return sum(map(len, self.records.values()))

    def add(self, key: str, record: Mapping[str, Any]) -> None:
        """Keep a record.

        Raises:
            OutputError: the file cannot be written.
        """
        full = {"key": key, **record}
        with self._lock:
            if self.file is not None:
                try:
                    with self.file.open("ab") as handle:
                        handle.write(json.dumps(full, ensure_ascii=True).encode() + b"\n")
                except OSError as error:
                    raise OutputError(f"Cannot write the transcript {self.file}: {reason_of(error)}.") from error
            self.records.setdefault(key, []).append(full)

    def get(self, key: str, occurrence: int) -> dict[str, Any] | None:
        """The record of the so-manieth call under ``key``, from 0."""
        with self._lock:
            found = self.records.get(key, [])
            return found[occurrence] if occurrence < len(found) else None


class Recorder:
    """A backend that keeps every call in a transcript, and answers from it what it holds already.

    So a search that was killed goes on without paying twice for a request.

    Args:
        backend: whom to ask for what is new.
        transcript: what is known.
    """

    def __init__(self, backend: Backend, transcript: Transcript) -> None:
        self.backend, self.transcript = backend, transcript
        self.name, self.concurrency = backend.name, backend.concurrency
        self._used: dict[str, int] = {}
        self._lock = threading.Lock()

    def choose(self, state: str, questions: Sequence[Question]) -> list[Answer]:
        """As the backend, see :class:`Backend`."""
        keys = [choose_key(self.name, state, question) for question in questions]
        known = [self.transcript.get(key, self._occurrence(key)) for key in keys]
        missing = [i for i, record in enumerate(known) if record is None]
        asked = self.backend.choose(state, [questions[i] for i in missing]) if missing else []
        fresh = dict(zip(missing, asked, strict=True))
        for i, answer in fresh.items():
            content = {"call": "choose", "model": self.name, "state": state, **asdict(questions[i])}
            self.transcript.add(keys[i], {**content, "answer": _written(answer)})
        return [fresh[i] if record is None else answer_of(record) for i, record in enumerate(known)]

    def complete(self, messages: Sequence[Message], grammar: Grammar | None = None, draw: int = 0) -> Reply:
        """As the backend, see :class:`Backend`."""
        key = complete_key(self.name, messages, grammar, draw)
        record = self.transcript.get(key, self._occurrence(key))
        if record is not None:
            return reply_of(record)
        reply = self.backend.complete(messages, grammar, draw)
        content = {"call": "complete", "model": self.name, "messages": [dict(m) for m in messages], "draw": draw}
        self.transcript.add(key, {**content, "reply": asdict(reply)})
        return reply

    def _occurrence(self, key: str) -> int:
        with self._lock:
            self._used[key] = self._used.get(key, -1) + 1
            return self._used[key]


def _check(record: Any) -> None:
    """Raise ValueError unless a record is as :class:`Recorder` writes them."""
    texts = isinstance(record, dict) and all(isinstance(record.get(name), str) for name in ("key", "model"))
    if not texts or not ({"reply", "answer"} & set(record)):
        raise ValueError("expected key, model, and reply or answer")
    kept = record.get("reply", record.get("answer"))
    good = isinstance(kept, dict) and kept.get("outcome") in OUTCOMES and _is_usage(kept.get("usage"))
    if good and "reply" in record:
        good = (
            isinstance(kept.get("text"), str) and isinstance(kept.get("request"), dict) and _is_number(kept, "seconds")
        )
    elif good:
        p = kept.get("probabilities")
        good = isinstance(kept.get("sampled"), bool) and (kept.get("mass", 0) is None or _is_number(kept, "mass"))
        good = good and (p is None or (isinstance(p, list) and Answer.of(p).outcome == "ok" and abs(sum(p) - 1) < 1e-6))
    if not good:
        raise ValueError("expected a reply or an answer of the right form")


def _is_usage(usage: Any) -> bool:
    names = {"input_tokens", "output_tokens"}
    return isinstance(usage, dict) and set(usage) == names and all(type(n) is int and n >= 0 for n in usage.values())


def _is_number(record: Mapping[str, Any], name: str) -> bool:
    return type(record.get(name)) in (int, float)


def _written(answer: Answer) -> dict[str, Any]:
    p = answer.probabilities
    return {
        "probabilities": None if p is None else p.tolist(),
        "outcome": answer.outcome,
        "usage": asdict(answer.usage),
        "sampled": answer.sampled,
        "mass": None if answer.mass != answer.mass else answer.mass,
    }


def answer_of(record: Mapping[str, Any]) -> Answer:
    """The answer that a record holds."""
    a = record["answer"]
    p = None if a["probabilities"] is None else np.array(a["probabilities"], dtype=np.float64)
    mass = float("nan") if a["mass"] is None else float(a["mass"])
    return Answer(p, a["outcome"], Usage(**a["usage"]), a["sampled"], mass)


def reply_of(record: Mapping[str, Any]) -> Reply:
    """The reply that a record holds."""
    r = record["reply"]
    return Reply(r["text"], r["outcome"], Usage(**r["usage"]), r["seconds"], r["request"])
