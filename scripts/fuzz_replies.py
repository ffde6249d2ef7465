"""What scripts/fuzz feeds with answers of language models' servers, their transcripts and tables of prices."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fuzz_edits import edited_bytes, edited_json, edited_text
from fuzz_texts import SPACE, Surface

from gennas.errors import ConfigError
from gennas.models.llm import Decisions, Question, Recorder, Replay, Reply, Transcript, by_texts, grammar_of
from gennas.models.llm.http.dialects import CHOICES, TEXTS
from gennas.models.llm.prices import read_prices

_USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "input_tokens": 3, "output_tokens": 2}
_TEXTS: dict[str, Any] = {
    "chat": {"choices": [{"finish_reason": "stop", "message": {"content": "310042"}}], "usage": _USAGE},
    "responses": {"output": [{"type": "message", "content": [{"type": "output_text", "text": "310042"}]}]},
    "messages": {"content": [{"type": "text", "text": "310042"}], "stop_reason": "end_turn", "usage": _USAGE},
    "completion": {"content": "310042", "stop_type": "eos", "tokens_evaluated": 3},
    "ollama": {"message": {"content": "310042"}, "done_reason": "stop", "eval_count": 2},
}
_TOP = [{"token": "A", "prob": 0.25}, {"token": "B", "prob": 0.5}]
_CHOICES: dict[str, Any] = {
    "completion": {"completion_probabilities": [{"top_probs": _TOP}]},
    "systemone": {"answers": {"q0": {"probabilities": {"A": 0.25, "B": 0.75}}}, "usage": _USAGE},
    "decisions": {"answers": [{"probabilities": [{"value": v, "probability": 0.5} for v in "AB"]}], "usage": _USAGE},
}


class _Writer:
    """Writes the same cell again and again."""

    name, concurrency = "writer", 1

    def choose(self, state: str, questions: Any) -> list[Any]:
        return []

    def complete(self, messages: Any, grammar: Any = None, draw: int = 0) -> Reply:
        return Reply("310042")


class Replies(Surface):
    """Answers of servers in all dialects, texts of models, transcripts, prices."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.decisions = Decisions(SPACE.schema, SPACE.legal, SPACE.completions)
        self.grammar = grammar_of(self.decisions)
        self.question = Question("Which?", ("conv", "skip"))
        file = folder / "sound.jsonl"
        self._written(Recorder(_Writer(), Transcript(file)))
        self.transcript = file.read_bytes()

    def _written(self, backend: Any) -> None:
        by_texts(self.decisions, backend, [{"role": "user", "content": "Go."}], 2, most=2**18)

    def run(self, rng: random.Random) -> Iterator[Any]:  # noqa: D102
        match rng.randrange(5):
            case 0:
                name = rng.choice(list(_TEXTS))
                yield (content := edited_json(json.dumps(_TEXTS[name]).encode(), rng))
                text, outcome, _ = TEXTS[name].read(_object(content))
                if outcome != "ok" or self.grammar.read(text) is None:
                    raise ConfigError("no proposal")
            case 1:
                name = rng.choice(list(_CHOICES))
                yield (content := edited_json(json.dumps(_CHOICES[name]).encode(), rng))
                (answer,) = CHOICES[name].read(_object(content), [self.question])
                if answer.probabilities is None:
                    raise ConfigError("no answer")
                assert abs(answer.probabilities.sum() - 1) < 1e-9 and (answer.probabilities >= 0).all()
            case 2:
                yield (text := edited_text(rng.choice(("310042", '{"architecture": "310042"}')), ("000000",), rng))
                labels = self.grammar.read(text)
                if labels is None:
                    raise ConfigError("no proposal")
                assert self.decisions.is_legal(labels[None]).all()
            case 3:
                path = self.place() / "t.jsonl"
                edit = edited_bytes if rng.random() < 0.5 else edited_lines
                path.write_bytes(edit(self.transcript, rng))
                yield path.read_bytes()
                self._written(Replay(Transcript(path)))
            case _:
                path = self.place() / "prices.json"
                path.write_bytes(edited_json(b'{"small": {"input": 0.5, "output": 2}}', rng))
                yield path.read_bytes()
                read_prices(path, "small")


def _object(content: bytes) -> dict[str, Any]:
    """As the client reads it."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ConfigError("no JSON") from error
    if not isinstance(found, dict):
        raise ConfigError("no object")
    return found


def edited_lines(content: bytes, rng: random.Random) -> bytes:
    """A file of JSON lines with another value in one of them."""
    lines = content.splitlines()
    i = rng.randrange(len(lines))
    lines[i] = edited_json(lines[i], rng)
    return b"\n".join(lines) + b"\n"
