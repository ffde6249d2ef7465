"""The base class of methods, and what all of them do: show a search, ask, read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from gennas.errors import ConfigError
from gennas.models.llm.backend import Message, Outcome, Usage
from gennas.models.llm.decisions import Decisions
from gennas.models.llm.methods.prompt import Ours, Prompt, load_prompt
from gennas.models.llm.methods.situation import Situation, card
from gennas.models.llm.propose import Proposals, by_choices, by_texts
from gennas.models.llm.transcript import Recorder
from gennas.registry import Registry

__all__ = ["METHODS", "Ask", "Method", "Suggestions"]

Ask = Literal["auto", "choices", "texts"]
_MOST_THOUGHT = 2000  # letters of a model's own text that a later prompt shows


@dataclass(frozen=True, eq=False)
class Suggestions:
    """What a model proposed, and of what.

    Args:
        proposals: the architectures.
        parents: for each, the places of the results that it was made of; empty where there are none.
    """

    proposals: Proposals
    parents: Sequence[Sequence[int]] = ()

    @classmethod
    def joined(cls, parts: Sequence[tuple[Proposals, Sequence[int]]], num_decisions: int) -> Suggestions:
        """Several answers, each with the parents of all that is in it."""
        outcomes: Counter[Outcome] = Counter()
        for proposals, _ in parts:
            outcomes.update(proposals.outcomes)
        D = np.concatenate([np.zeros((0, num_decisions), dtype=np.int16), *(p.D for p, _ in parts)])
        repaired = np.concatenate([np.zeros(0, dtype=np.int64), *(p.repaired for p, _ in parts)])
        usage = sum((p.usage for p, _ in parts), Usage())
        parents = [tuple(places) for p, places in parts for _ in range(len(p.D))]
        return cls(Proposals(D.astype(np.int16), repaired, dict(outcomes), usage), parents)


class Method(ABC):
    """A way to ask a language model for architectures.

    A method is handed what the search knows (:class:`Situation`) and a backend that keeps records, renders its prompts,
    asks, and returns architectures, each legal by construction. It depends on its arguments, the seed and the model's
    answers alone. What it remembers between requests is in :meth:`state_dict`.

    Args:
        decisions: what is legal.
        about: what the user says of the task, shown as data.
        shown: results that a prompt shows: the best, and as many of the last.
        prompt: a file that replaces the method's prompt for proposals.
        ask: ``choices`` asks for the probabilities of each decision's options, ``texts`` for a whole architecture in a
            text; ``auto`` for choices where the model gives probabilities.
        temperature: of the draws from probabilities.
        by_count: whether options also count by the architectures behind them.

    Raises:
        ConfigError: a size that is not positive, a prompt that is none, or an unknown way to ask.
    """

    prompt_name: ClassVar[str]
    """The prompt for proposals, a file in ``prompts/``."""
    further_prompts: ClassVar[tuple[str, ...]] = ()
    """Prompts of other steps."""

    def __init__(
        self,
        decisions: Decisions,
        about: str = "",
        shown: int = 12,
        prompt: str | None = None,
        ask: Ask = "auto",
        temperature: float = 1.0,
        by_count: bool = True,
    ) -> None:
        if shown < 1 or not temperature > 0:
            raise ConfigError(f"Expected positive shown and temperature, got {shown} and {temperature}.")
        if ask not in ("auto", "choices", "texts"):
            raise ConfigError(f"Expected ask auto, choices or texts, got {ask!r}.")
        self.decisions, self.about, self.shown, self.ask = decisions, about, shown, ask
        self.temperature, self.by_count = temperature, by_count
        self.prompts: dict[str, Prompt] = {name: load_prompt(name) for name in self.further_prompts}
        self.prompts[self.prompt_name] = load_prompt(prompt or self.prompt_name)

    @abstractmethod
    def propose(self, situation: Situation, backend: Recorder, n: int, seed: int) -> Suggestions:
        """Ask for ``n`` architectures.

        Args:
            situation: the search.
            backend: the model.
            n: how many.
            seed: fixes everything that is random here.

        Raises:
            GennasError: the model cannot be asked.
        """

    @property
    def versions(self) -> dict[str, str]:
        """The hash of each prompt."""
        return {name: prompt.hash for name, prompt in sorted(self.prompts.items())}

    def state_dict(self) -> dict[str, Any]:
        """What it remembers, plain values; by default nothing."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027  # most remember nothing
        """Restore what :meth:`state_dict` returned."""

    # ------------------------------------------------------------------ parts of a request

    @cached_property
    def _card(self) -> Ours:
        return card(self.decisions)

    def _values(self, situation: Situation, **more: Any) -> dict[str, Any]:
        """What prompts may use."""
        return {
            "space": situation.space,
            "card": self._card,
            "num_decisions": len(self.decisions),
            "goals": situation.goals,
            "constraints": situation.constraints,
            "about": self.about,
            "best": situation.best(self.shown),
            "recent": situation.recent(self.shown),
            "failures": situation.failures(self.shown),
            "num_results": len(situation.results),
            "shared": situation.shared,
            **more,
        }

    def _drawn(self, backend: Recorder, name: str, values: Mapping[str, Any], n: int, seed: int) -> Proposals:
        """``n`` architectures under a prompt."""
        text = self._rendered(backend, name, values)
        if self.ask == "choices" or (self.ask == "auto" and _gives_probabilities(backend)):
            return by_choices(
                self.decisions, backend, text, n, seed, temperature=self.temperature, by_count=self.by_count
            )
        return by_texts(self.decisions, backend, [{"role": "user", "content": text}], n, seed)

    def _drawn_each(self, backend: Recorder, requests: Sequence[tuple[Mapping[str, Any], int]]) -> list[Proposals]:
        """One architecture for each request's values and seed, as many at a time as the model answers.

        Each is a part of the scope, so that neither its answers nor its records depend on when the others come.
        """

        def one(i: int) -> Proposals:
            values, seed = requests[i]
            return self._drawn(backend.part(str(i)), self.prompt_name, values, 1, seed)

        at_once = min(backend.concurrency, len(requests))
        if at_once <= 1:
            return [one(i) for i in range(len(requests))]
        with ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(one, range(len(requests))))

    def _thought(self, backend: Recorder, name: str, values: Mapping[str, Any]) -> str:
        """The model's own text under a prompt, cut to 2,000 letters; empty where it has none to give."""
        messages: list[Message] = [{"role": "user", "content": self._rendered(backend, name, values)}]
        reply = backend.complete(messages)
        return reply.text.strip()[:_MOST_THOUGHT] if reply.outcome in ("ok", "truncated") else ""

    def _rendered(self, backend: Recorder, name: str, values: Mapping[str, Any]) -> str:
        prompt = self.prompts[name]
        backend.labels = {"prompt": prompt.hash, "prompt_name": name}
        return prompt.render(values)


def _gives_probabilities(backend: Recorder) -> bool:
    """Whether a model says that it gives probabilities; those that do not say do."""
    return bool(getattr(backend.backend, "gives_probabilities", True))


METHODS: Registry[type[Method]] = Registry("method of language models", "gennas.llm_methods")
"""Methods by name."""
