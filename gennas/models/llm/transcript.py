"""Requests and replies of a model, kept under a hash of what was asked."""

from __future__ import annotations

import hashlib
import json
import math
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gennas.errors import ArchiveError, OutputError, reason_of
from gennas.models.llm.backend import OUTCOMES, Answer, Backend, Message, Question, Reply, Usage
from gennas.models.llm.grammar import Grammar
from gennas.models.llm.prices import Price

__all__ = [
    "Recorder", "Spent", "Transcript", "answer_of", "choose_key", "complete_key", "record_of", "reply_of", "scoped_key",
]  # fmt: skip

_SCOPES = 2**30  # a seed and a draw's number together stay below 2**31 where the seed is small


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


def scoped_key(scope: str, key: str) -> str:
    """The key of a call in a part of a search; the key itself where there is no part."""
    return _hash([scope, key]) if scope else key


def record_of(text: str) -> dict[str, Any]:
    """A record from its line.

    Raises:
        ValueError, TypeError, OverflowError, RecursionError: it is none.
    """
    record = json.loads(text)
    _check(record)
    found: dict[str, Any] = record
    return found


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
                record = record_of(line.decode())
                self.records.setdefault(record["key"], []).append(record)
            except (ValueError, TypeError, OverflowError, RecursionError) as error:
                raise ArchiveError(f"Line {number} of {file} is no record: {reason_of(error)}.") from error
        if end < len(content):
            with file.open("r+b") as handle:
                handle.truncate(end)

    def __len__(self) -> int:
        return sum(map(len, self.records.values()))

    @property
    def models(self) -> list[str]:
        """Names of the models whose records these are."""
        return sorted({record["model"] for records in self.records.values() for record in records})

    def add(self, key: str, record: Mapping[str, Any]) -> None:
        """Keep a record, see :meth:`add_many`."""
        self.add_many([(key, record)])

    def add_many(self, records: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Keep records, each under its key, all of them or none.

        Raises:
            OutputError: the file cannot be written.
        """
        full = [{"key": key, **record} for key, record in records]
        with self._lock:
            if self.file is not None:
                lines = b"".join(json.dumps(record, ensure_ascii=True).encode() + b"\n" for record in full)
                try:
                    with self.file.open("ab") as handle:
                        handle.write(lines)
                except OSError as error:
                    raise OutputError(f"Cannot write the transcript {self.file}: {reason_of(error)}.") from error
            for record in full:
                self.records.setdefault(record["key"], []).append(record)

    def get(self, key: str, occurrence: int) -> dict[str, Any] | None:
        """The record of the so-manieth call under ``key``, from 0."""
        with self._lock:
            found = self.records.get(key, [])
            return found[occurrence] if occurrence < len(found) else None


@dataclass(frozen=True)
class Spent:
    """What calls cost, whether they were made now or are answered from a transcript.

    Args:
        calls: questions and texts.
        usage: tokens.
        usd: US dollars, where prices are known.
        seconds: how long the answers took when they were given.
        paid: calls that were made now.
    """

    calls: int = 0
    usage: Usage = field(default_factory=Usage)
    usd: float = 0.0
    seconds: float = 0.0
    paid: int = 0

    @classmethod
    def sum(cls, parts: Sequence[Spent]) -> Spent:
        """The sum, whatever the order of the parts."""
        usage = sum((part.usage for part in parts), Usage())
        calls, paid = sum(part.calls for part in parts), sum(part.paid for part in parts)
        return cls(calls, usage, math.fsum(p.usd for p in parts), math.fsum(p.seconds for p in parts), paid)


class Recorder:
    """A backend that keeps every call in a transcript, and answers from it what it holds already.

    So a search that was killed goes on without paying twice for a request. The same request may be made several times:
    within a :attr:`scope` (such as a round of a search) its answers are told apart by their order, and each scope has
    its own; a text is asked for as another draw each time. Whoever begins a scope again is told what was told there,
    whatever was asked in others.

    Args:
        backend: whom to ask for what is new.
        transcript: what is known.
        price: of its tokens; None: not known.

    Attributes:
        labels: joined to every record, such as the hash of the prompt.
    """

    def __init__(self, backend: Backend, transcript: Transcript, price: Price | None = None) -> None:
        self.backend, self.transcript, self.price = backend, transcript, price
        self.name, self.concurrency = backend.name, backend.concurrency
        self.labels: dict[str, Any] = {}
        self._scope = ""
        self._used: dict[str, int] = {}
        self._spent: list[Spent] = []
        self._lock = threading.Lock()
        self._whole = self

    @property
    def scope(self) -> str:
        """The part of a search that calls belong to."""
        return self._scope

    def begin(self, scope: str) -> None:
        """Begin a part of a search, or begin it again."""
        self._scope, self._used = scope, {}
        follow = getattr(self.backend, "begin", None)  # one that keeps records itself
        if callable(follow):
            follow(scope)

    def part(self, name: str) -> Recorder:
        """One of several requests at a time within the scope: with labels and an order of its own, charged here.

        Whichever answer comes first, each part is told the same again.
        """
        inner = getattr(self.backend, "part", None)  # of one that keeps records itself
        made = Recorder(inner(name) if callable(inner) else self.backend, self.transcript, self.price)
        made._scope, made.labels = f"{self._scope}.{name}" if self._scope else name, dict(self.labels)
        made._whole = self._whole
        return made

    def take_spent(self) -> Spent:
        """What calls cost since this was asked last."""
        with self._lock:
            taken, self._spent = self._spent, []
        return Spent.sum(taken)

    def choose(self, state: str, questions: Sequence[Question]) -> list[Answer]:
        """As the backend, see :class:`Backend`."""
        keys = [scoped_key(self._scope, choose_key(self.name, state, question)) for question in questions]
        known = [self.transcript.get(key, self._occurrence(key)) for key in keys]
        missing = [i for i, record in enumerate(known) if record is None]
        start = time.perf_counter()
        asked = self.backend.choose(state, [questions[i] for i in missing]) if missing else []
        seconds = (time.perf_counter() - start) / max(1, len(missing))
        fresh = dict(zip(missing, asked, strict=True))
        records = {
            i: {"call": "choose", **self._common(answer.usage), "seconds": seconds, "state": state}
            | asdict(questions[i])
            | {"answer": _written(answer)}
            for i, answer in fresh.items()
        }
        self.transcript.add_many([(keys[i], record) for i, record in records.items()])
        for i, record in enumerate(known):
            self._charge((records[i] if record is None else record), "answer", record is None)
        return [fresh[i] if record is None else answer_of(record) for i, record in enumerate(known)]

    def complete(self, messages: Sequence[Message], grammar: Grammar | None = None, draw: int = 0) -> Reply:
        """As the backend, see :class:`Backend`."""
        key = scoped_key(self._scope, complete_key(self.name, messages, grammar, draw))
        occurrence = self._occurrence(key)
        record = self.transcript.get(key, occurrence)
        if record is not None:
            self._charge(record, "reply", False)
            return reply_of(record)
        reply = self.backend.complete(messages, grammar, self._number(draw, occurrence))
        content = {"call": "complete", **self._common(reply.usage), "seconds": reply.seconds}
        content |= {"messages": [dict(m) for m in messages], "draw": draw, "reply": asdict(reply)}
        self.transcript.add(key, content)
        self._charge(content, "reply", True)
        return reply

    def _number(self, draw: int, occurrence: int) -> int:
        """The draw's number among all with the same text, those of other scopes, too: what a model with a seed is told.

        Records are kept under the number within the scope, so that the model's own can change and they still be found.
        """
        keeps_records = callable(getattr(self.backend, "begin", None))  # it does this itself
        if keeps_records or not (self._scope or occurrence):
            return draw
        return draw + int(_hash([self._scope, occurrence])[:8], 16) % _SCOPES

    def _common(self, usage: Usage) -> dict[str, Any]:
        """What every record says."""
        price = {} if self.price is None else {"usd": self.price.of(usage)}
        return {"model": self.name, "scope": self._scope, **self.labels, **price}

    def _charge(self, record: Mapping[str, Any], kind: str, paid: bool) -> None:
        usage = Usage(**record[kind]["usage"])
        usd = record.get("usd", 0.0 if self.price is None else self.price.of(usage))
        seconds = record.get("seconds", record[kind].get("seconds", 0.0))
        whole = self._whole
        with whole._lock:
            whole._spent.append(Spent(1, usage, float(usd), float(seconds), int(paid)))

    def _occurrence(self, key: str) -> int:
        with self._lock:
            self._used[key] = self._used.get(key, -1) + 1
            return self._used[key]


def _check(record: Any) -> None:
    """Raise ValueError unless a record is as :class:`Recorder` writes them."""
    texts = isinstance(record, dict) and all(isinstance(record.get(name), str) for name in ("key", "model"))
    if not texts or not ({"reply", "answer"} & set(record)):
        raise ValueError("expected key, model, and reply or answer")
    if any(name in record and not _is_number(record, name) for name in ("usd", "seconds")):
        raise ValueError("expected numbers of dollars and seconds")
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
