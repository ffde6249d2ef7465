"""A navigator writes the strategy, a generator without memory follows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gennas.errors import ConfigError
from gennas.models.llm.decisions import Decisions
from gennas.models.llm.methods.base import METHODS, Method, Suggestions
from gennas.models.llm.methods.situation import Situation
from gennas.models.llm.transcript import Recorder

__all__ = ["Course", "Navigator"]

_REMEMBERED = 5


@dataclass(frozen=True)
class Course:
    """A strategy that the navigator wrote: its text, how many evaluations there were then, and the best of them."""

    text: str
    after: int
    best: str


@METHODS.register("navigator")
class Navigator(Method):
    """Asks a navigator, who sees the search and his former strategies, for one in words; a generator then follows it.

    As in CoLLM-NAS (CVPR 2026): the generator is told the space and the strategy, and no result, so that
    it does not repeat what it saw. The navigator is asked every ``every`` requests; his last five strategies are kept,
    with what the search stood at.

    Args:
        decisions: what is legal.
        every: requests that a strategy serves.
        options: as of :class:`Method`.
    """

    prompt_name = "generator"
    further_prompts = ("navigator",)

    def __init__(self, decisions: Decisions, every: int = 4, **options: object) -> None:
        super().__init__(decisions, **options)  # type: ignore[arg-type]  # checked there
        if every < 1:
            raise ConfigError(f"Expected a strategy every request or more seldom, got every={every}.")
        self.every, self._age = every, every
        self.courses: list[Course] = []

    def propose(self, situation: Situation, backend: Recorder, n: int, seed: int) -> Suggestions:
        """A strategy now and then, and ``n`` answers that follow it, see :class:`Method`."""
        if self._age >= self.every:
            text = self._thought(backend, "navigator", self._values(situation, courses=self.courses))
            best = situation.best(1)
            course = Course(text, len(situation.results), best[0].text if best else "")
            self.courses, self._age = [*self.courses, course][-_REMEMBERED:], 0
        self._age += 1
        values = self._values(situation, strategy=self.courses[-1].text)
        return Suggestions(self._drawn(backend, self.prompt_name, values, n, seed), [()] * n)

    def state_dict(self) -> dict[str, Any]:
        """The strategies, and how many requests the last one has served."""
        return {"courses": [asdict(course) for course in self.courses], "age": self._age}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore both."""
        self.courses, self._age = [Course(**course) for course in state["courses"]], int(state["age"])
