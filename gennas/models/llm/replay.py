"""A backend that answers from a transcript alone."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NoReturn

from gennas.errors import ArchiveError, listed, shown
from gennas.models.llm.backend import Answer, Message, Question, Reply, UnrecordedError
from gennas.models.llm.grammar import Grammar
from gennas.models.llm.transcript import Recorder, Transcript

__all__ = ["Replay"]


class Replay:
    """Gives again what a model said, without any model.

    Args:
        transcript: the records.
        name: the model whose records they are; None: the one that the transcript holds.

    Raises:
        ArchiveError: the transcript holds records of no model or of several; and, when asked, what is not recorded.
    """

    def __init__(self, transcript: Transcript, name: str | None = None) -> None:
        names = transcript.models
        if name is None and len(names) != 1:
            raise ArchiveError(
                f"Expected a transcript of one model, got one of {len(names)}: {listed(names) or 'none'}."
            )
        self.name, self.concurrency = name if name is not None else names[0], 1
        self._recorder = Recorder(_Nobody(self.name), transcript)

    def begin(self, scope: str) -> None:
        """Begin a part of the search, as the recorder did."""
        self._recorder.begin(scope)

    def part(self, name: str) -> Replay:
        """One of several requests within the scope, see :meth:`Recorder.part`."""
        made = copy.copy(self)
        made._recorder = self._recorder.part(name)
        return made

    def choose(self, state: str, questions: Sequence[Question]) -> list[Answer]:
        """What was answered.

        Raises:
            UnrecordedError: it was never asked.
        """
        return self._recorder.choose(state, questions)

    def complete(self, messages: Sequence[Message], grammar: Grammar | None = None, draw: int = 0) -> Reply:
        """What was replied.

        Raises:
            UnrecordedError: it was never asked.
        """
        return self._recorder.complete(messages, grammar, draw)


class _Nobody:
    """Stands where the model was."""

    concurrency = 1

    def __init__(self, name: str) -> None:
        self.name = name

    def choose(self, state: str, questions: Sequence[Question]) -> NoReturn:
        raise UnrecordedError(
            f"The transcript of {self.name} has no answer to {shown(questions[0].text)}: the search that is replayed "
            "is another one. Give the settings and the seed of the recorded one."
        )

    def complete(self, messages: Sequence[Message], grammar: Grammar | None = None, draw: int = 0) -> NoReturn:
        raise UnrecordedError(
            f"The transcript of {self.name} has no reply to {shown(messages[-1]['content'])} (draw {draw}): the search "
            "that is replayed is another one. Give the settings and the seed of the recorded one."
        )
