"""The model that a search asks: reached when it is needed, or only the records of one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gennas.models.llm import Answer, Grammar, Message, Question, Replay, Reply
from gennas.models.llm.connect import Connection, Model
from gennas.search.transcript import PROBE, read_transcript

if TYPE_CHECKING:
    from gennas.search.kept_records import KeptRecords

__all__ = ["Told"]


class Told(Connection):
    """A connection to a model, or to what one said in another search.

    What a server was found to do with grammars is kept in the archive, so that a search that goes on need not ask.

    Args:
        model: which.

    Attributes:
        archive: where that is kept; None: nowhere.
        known: the records of the other search.
    """

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.archive: KeptRecords | None = None
        self.known = read_transcript(model.source) if model.kind == "replay" else None
        self._replay = None if self.known is None else Replay(self.known)
        self._has_kept = False
        if model.kind == "object":
            self.concurrency = model.options["object"].concurrency
        if self._replay is not None:
            self.name = self._replay.name

    @property
    def backend(self) -> Any:
        """The model, or its records.

        Raises:
            GennasError: it cannot be made.
        """
        if self._replay is not None:
            return self._replay
        is_new, made = self._backend is None, super().backend
        if is_new and self.archive is not None and hasattr(made, "remember"):
            text = self.archive.record(PROBE, self.name)
            if text is not None:
                made.remember(json.loads(text))
        return made

    @property
    def gives_probabilities(self) -> bool:
        """Whether options are asked for with their probabilities."""
        return self.model.gives_probabilities

    def reach(self, writes: bool) -> None:
        """Make the backend, and find out what a server does with grammars where texts are asked for.

        Where it enforces none, it is asked for a word without one: a wrong key or name of a model refuses all alike.
        """
        probe = getattr(self.backend, "probe", None)
        if writes and callable(probe) and "enforced" not in probe().values():
            self.backend.complete([{"role": "user", "content": "Reply with the word hello."}])

    def choose(self, state: str, questions: Sequence[Question]) -> list[Answer]:
        """As the backend."""
        found: list[Answer] = self.backend.choose(state, questions)
        self._keep_probe()
        return found

    def complete(self, messages: Sequence[Message], grammar: Grammar | None = None, draw: int = 0) -> Reply:
        """As the backend."""
        found: Reply = self.backend.complete(messages, grammar, draw)
        self._keep_probe()
        return found

    def _keep_probe(self) -> None:
        probed = getattr(self.backend, "probed", None)
        if self.archive is not None and probed and not self._has_kept:
            self._has_kept = True
            self.archive.add_records(PROBE, [(self.name, json.dumps(dict(probed)))], replace=True)
