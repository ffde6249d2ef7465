"""Search by a language model alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gennas.search.objectives import Objectives
from gennas.search.strategies.llm.proposer import LanguageProposer
from gennas.search.strategies.rounds import Rounds, check_positive
from gennas.search.strategy import STRATEGIES
from gennas.search.trial import Origin, Proposal, Trial
from gennas.spaces.base import Space

if TYPE_CHECKING:
    from gennas.search.kept_records import KeptRecords

__all__ = ["LanguageModelSearch"]


@STRATEGIES.register("llm")
class LanguageModelSearch(Rounds):
    """Evaluates what a language model suggests, after a few random architectures.

    A round: (1) show the model what was measured; (2) ask for ``round_size`` architectures, each valid by construction;
    (3) drop what is known and ask again for what is missing, ``asks`` times in all; (4) propose what is new, and random
    architectures, marked as such, in place of what the model did not give. Every request and answer is kept in the
    archive's file before it is used: a search that was killed goes on without paying twice.

    Args:
        space: where to search.
        objectives: what is better.
        seed: seed of every random decision.
        model: which model, as SERVER:MODEL, local:FOLDER, replay:RUN or file.py:Class, or a mapping with the options of
            its backend (docs/llm.md). Keys are named, never given.
        method: how it is asked: a name, or ``file.py:Class``.
        method_option: arguments of the method, such as ``{shown: 20, about: digits, prompt: mine.j2}``.
        warm_start: random architectures evaluated before the first round.
        round_size: proposals per round.
        asks: most requests for what is missing in a round.

    Raises:
        ConfigError: no model, a size that is not positive, or an option that the method does not have.
        UnknownNameError: no such server or method.
    """

    takes_features = True

    def __init__(
        self,
        space: Space,
        objectives: Objectives,
        seed: int = 0,
        *,
        model: Any = None,
        method: str = "history",
        method_option: Mapping[str, Any] | None = None,
        warm_start: int = 8,
        round_size: int = 2,
        asks: int = 3,
    ) -> None:
        super().__init__(space, objectives, seed, warm_start=warm_start, round_size=round_size)
        check_positive(asks=asks)
        self.asks = asks
        self.language = LanguageProposer(space, objectives, model, method, method_option)
        self._record: dict[str, float] = {}

    def keep_in(self, archive: KeptRecords) -> None:
        """Keep the transcript in the archive's file."""
        self.language.keep_in(archive)

    def check(self) -> None:
        """Reach the model."""
        self.language.check()

    def tell(self, trials: Sequence[Trial]) -> None:
        """Keep the trials, and why they failed."""
        super().tell(trials)
        self.language.note(trials)
        if self._round:
            self._record = {"round": self._round, **self.language.figures.record}

    def _begin_round(self) -> list[Proposal]:
        self._round, self._new = self._round + 1, 0
        known, found = set(self.seen), list[Proposal]()
        for _ in range(self.asks):
            missing = self.round_size - len(found)
            if not missing:
                break
            suggested = self.language.suggest(self._trials, missing, known, self._seed(), self.features)
            for arch, parents in zip(suggested.archs, suggested.parents, strict=True):
                found.append(Proposal(arch, Origin("llm", parents, self._round)))
                known.add(arch.key)
        if len(found) < self.round_size:
            self.seen.update(p.arch.key for p in found)
            rest = self._random_unseen(self.round_size - len(found))
            found += [Proposal(arch, Origin("random", (), self._round)) for arch in rest]
            self.seen.difference_update(p.arch.key for p in found)  # seen once they are asked for
        return found

    def records(self) -> dict[str, float]:
        """Calls, tokens and dollars up to now, and shares of the suggestions that were valid at once, and new."""
        return dict(self._record)

    def spent(self) -> dict[str, float]:
        """What requests and features cost since this was asked last."""
        return super().spent() | self.language.spent()

    def state_dict(self) -> dict[str, Any]:
        """What every strategy in rounds keeps, and the model's side of it."""
        return super().state_dict() | {"language": self.language.state_dict(), "record": dict(self._record)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore it."""
        super().load_state_dict(state)
        self.language.load_state_dict(state["language"])
        self._record = dict(state["record"])
