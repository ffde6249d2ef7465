"""Reflection on zero-cost scores and failures, separated from proposing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gennas.errors import ConfigError
from gennas.models.llm.decisions import Decisions
from gennas.models.llm.methods.base import METHODS, Method, Suggestions
from gennas.models.llm.methods.situation import Situation
from gennas.models.llm.transcript import Recorder

__all__ = ["Reflection"]


@METHODS.register("reflection")
class Reflection(Method):
    """Asks what the results, zero-cost scores and failures have in common, then for architectures under that answer.

    As in RZ-NAS (Ji et al., ICML 2025), where a reflection on scores and exceptions guides the mutation; here the step
    that thinks has no architecture to write, and the step that writes one is told what came of it. A reflection serves
    ``every`` requests. Its text is data of the next prompt, cut to 2,000 letters. Zero-cost scores are shown where the
    search computes some (``--features``).

    Args:
        decisions: what is legal.
        every: requests that a reflection serves.
        options: as of :class:`Method`.
    """

    prompt_name = "reflection"
    further_prompts = ("reflect",)

    def __init__(self, decisions: Decisions, every: int = 4, **options: object) -> None:
        super().__init__(decisions, **options)  # type: ignore[arg-type]  # checked there
        if every < 1:
            raise ConfigError(f"Expected a reflection every request or more seldom, got every={every}.")
        self.every = every
        self._reflection, self._age = "", every

    def propose(self, situation: Situation, backend: Recorder, n: int, seed: int) -> Suggestions:
        """A reflection now and then, and ``n`` answers under it, see :class:`Method`."""
        if self._age >= self.every:
            self._reflection, self._age = self._thought(backend, "reflect", self._values(situation)), 0
        self._age += 1
        values = self._values(situation, reflection=self._reflection)
        return Suggestions(self._drawn(backend, self.prompt_name, values, n, seed), [()] * n)

    def state_dict(self) -> dict[str, Any]:
        """The last reflection, and how many requests it has served."""
        return {"reflection": self._reflection, "age": self._age}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore both."""
        self._reflection, self._age = str(state["reflection"]), int(state["age"])
