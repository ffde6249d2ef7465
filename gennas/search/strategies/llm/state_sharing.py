"""A classical strategy that shows its state to a language model, which makes a few of the proposals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gennas.errors import ConfigError
from gennas.registry import configured
from gennas.runtime.seeds import draw_seed
from gennas.search.objectives import Objectives
from gennas.search.packing import pack_trials, unpack_trials
from gennas.search.strategies.bayesian.bandit import ShareBandit
from gennas.search.strategies.bayesian.bayesian import BayesianSearch
from gennas.search.strategies.llm.proposer import LanguageProposer
from gennas.search.strategies.llm.shared import shared_state
from gennas.search.strategies.rounds import check_positive
from gennas.search.strategy import STRATEGIES, Context, Strategy
from gennas.search.trial import Origin, Proposal, Trial
from gennas.spaces.base import Space

if TYPE_CHECKING:
    from gennas.search.kept_records import KeptRecords

__all__ = ["MOST", "StateSharingSearch", "credit_of"]

MOST = 0.3
"""Largest share of the proposals that a language model makes."""
_LEAST, _DECAY, _POWER = 0.005, 0.995, 8
_WEIGHT = 4.0  # by which credits count: a few proposals must do
_ELITES = 10
_LLM, _BESIDE = "llm", "beside"


def credit_of(objectives: Objectives, before: Sequence[Trial], trials: Sequence[Trial]) -> list[float]:
    r"""What each trial is worth to whoever proposed it: :math:`q^8` of its quantile ``q`` among those before.

    Half of what was found before is worth nothing (.004), the best tenth most of it (.43 and more); what failed is
    worth nothing.

    Example:
        >>> from gennas.search import Objective
        >>> credit_of(Objectives((Objective("score"),)), [], [])
        []
    """
    utility = objectives.utilities([*before, *trials])
    past, now = utility[: len(before)], utility[len(before) :]
    past = past[np.isfinite(past)]
    if not len(past):
        return [0.0] * len(trials)
    below = (past[None] < now[:, None]).mean(1) + 0.5 * (past[None] == now[:, None]).mean(1)
    return [float(q**_POWER) if np.isfinite(u) else 0.0 for q, u in zip(below, now, strict=True)]


@STRATEGIES.register("state-sharing")
class StateSharingSearch(Strategy):
    """Any strategy, with a language model beside it that is shown its state and makes at most 30 % of the proposals.

    As Centaur (2026) does with CMA-ES. Whenever ``beside`` proposes, the model's share of the batch is kept for the
    model, which sees the results, the elites and their marginals, what the surrogate believes of each decision, the
    acquisition's first candidates (of strategies with a surrogate) and failures. Everything that it proposes is told to
    ``beside`` as any foreign trial. A bandit moves its share from ``share`` towards what its proposals are worth
    (:func:`credit_of`), between .005 and .3: a model that brings nothing soon proposes next to nothing.

    Args:
        space: where to search.
        objectives: what is better.
        seed: seed of every random decision.
        model: which model, as of the strategy ``llm``.
        method: how it is asked: a name, or ``file.py:Class``.
        method_option: arguments of the method.
        beside: the classical strategy: a name from ``gennas list strategies``, or ``file.py:Class``.
        beside_option: its arguments.
        share: of the proposals that are the model's at first.
        bandit: False keeps the share.

    Raises:
        ConfigError: no model, a share outside of (0, .3], an option that is none, or a second model beside.
        UnknownNameError: no such server, method or strategy.
    """

    takes_features = True

    def __init__(
        self,
        space: Space,
        objectives: Objectives,
        seed: int = 0,
        *,
        model: Any = None,
        method: str = "state",
        method_option: Mapping[str, Any] | None = None,
        beside: str = "generative",
        beside_option: Mapping[str, Any] | None = None,
        share: float = 0.1,
        bandit: bool = True,
    ) -> None:
        super().__init__(space, objectives, seed)
        check_positive(share=share)
        options = dict(beside_option or {})
        if not share <= MOST:
            raise ConfigError(f"Expected a share of at most {MOST} of the proposals, got {share}.")
        if "model" in options or beside in ("state-sharing", "llm"):
            raise ConfigError(f"Expected a strategy without a language model beside it, got {beside} with {options}.")
        self.language = LanguageProposer(space, objectives, model, method, method_option)
        made = configured(f"strategy {beside!r}", STRATEGIES.get(beside), options, space, objectives, seed=seed)
        if not isinstance(made, Strategy):
            raise ConfigError(f"Expected {beside!r} to be a strategy, got {type(made).__name__}.")
        self.beside = made
        if isinstance(made, BayesianSearch):
            made.keeps_insight = True
        self._bandit = ShareBandit({_LLM: share, _BESIDE: 1 - share}, bandit, _DECAY, _LEAST)
        self._trials: list[Trial] = []
        self._owed = 0.0  # proposals that are the model's and were not made yet
        self._made = [0, 0]  # proposals of the model, and all, since the start was over

    def keep_in(self, archive: KeptRecords) -> None:
        """Keep the transcript in the archive's file."""
        self.language.keep_in(archive)
        self.beside.keep_in(archive)

    def check(self) -> None:
        """Reach the model."""
        self.language.check()
        self.beside.check()

    def prepare(self, context: Context) -> None:
        """Tell the strategy beside the model, too, where and for what it trains."""
        super().prepare(context)
        self.beside.prepare(context)

    @property
    def batch_size(self) -> int:
        """That of the strategy beside the model."""
        return self.beside.batch_size

    @property
    def initial_evaluations(self) -> int:
        """Those of the strategy beside the model."""
        return self.beside.initial_evaluations

    @property
    def share(self) -> float:
        """The model's share of the proposals."""
        return min(MOST, self._bandit.shares()[_LLM])

    # ------------------------------------------------------------------ ask and tell

    def ask(self, n: int) -> list[Proposal]:
        """The strategy's proposals, some of them replaced by the model's."""
        self._lend()
        number = self._number_of(n)
        classical = self.beside.ask(n - number) if number < n else []
        found = [Proposal(p.arch, p.origin, p.fidelity) for p in classical]
        self.seen.update(p.arch.key for p in found)
        places = number if classical or number == n else 0
        if places:
            found += self._suggested(places)
        if len(found) < n and number:  # the model had nothing new
            found += self.beside.ask(n - len(found))
        self.seen.update(p.arch.key for p in found)
        self._note(found, places)
        return found

    def _number_of(self, n: int) -> int:
        """How many of ``n`` proposals are the model's."""
        ok = sum(t.ok for t in self._trials)
        if ok < 2 or len(self._trials) < self.beside.initial_evaluations:
            return 0
        self._owed += self.share * n
        number = min(int(self._owed), n, int(MOST * (self._made[1] + n)) - self._made[0])
        self._owed -= number
        return max(0, number)

    def _suggested(self, number: int) -> list[Proposal]:
        """The model's proposals; in a large batch several requests may bring the same."""
        order = np.argsort(-self.objectives.utilities(self._trials), kind="stable")
        best = [self._trials[i] for i in order[:_ELITES] if self._trials[i].ok]
        elites = np.array([t.arch.decisions for t in best], dtype=np.int16)
        insight = self.beside.insight if isinstance(self.beside, BayesianSearch) else None
        shared = shared_state(self.language.decisions, elites, insight)
        known = self.seen | self.beside.seen
        found = self.language.suggest(self._trials, number, known, draw_seed(self.rng), self.features, shared)
        kept = np.flatnonzero(self._keeps_cheap(found.archs)) if len(found.archs) else np.zeros(0, dtype=int)
        proposals = [Proposal(found.archs[int(i)], Origin(_LLM, found.parents[int(i)])) for i in kept]
        self.beside.seen.update(p.arch.key for p in proposals)
        return proposals

    def _note(self, proposals: Sequence[Proposal], places: int) -> None:
        """Count what was made; a model that leaves ``places`` empty loses by them as if it had filled them in vain."""
        if len(self._trials) < self.beside.initial_evaluations:
            return
        own = sum(p.origin.source == _LLM for p in proposals)
        self._made = [self._made[0] + own, self._made[1] + len(proposals)]
        self._bandit.offer({_LLM: places, _BESIDE: max(0, len(proposals) - places)})

    def tell(self, trials: Sequence[Trial]) -> None:
        """Tell everything to the strategy, and credit whoever proposed it."""
        self._lend()
        if len(self._trials) >= self.beside.initial_evaluations:
            credits = credit_of(self.objectives, self._trials, trials)
            whose = [_LLM if t.proposal.origin.source == _LLM else _BESIDE for t in trials]
            self._bandit.note(whose, _WEIGHT * np.array(credits, dtype=np.float64))
        self.language.note(trials)
        self._trials.extend(trials)
        self.seen.update(t.arch.key for t in trials)
        self.beside.tell(trials)

    def _lend(self) -> None:
        """What a problem gave to this strategy is the other's, too."""
        self.beside.screen = self.screen
        self.beside.features = self.features if self.beside.takes_features else None

    # ------------------------------------------------------------------ figures, state

    def records(self) -> dict[str, float]:
        """The strategy's figures, the model's, and its share."""
        found = self.beside.records()
        return found and {**found, **self.language.figures.record, "share_llm": self.share}

    def spent(self) -> dict[str, float]:
        """What features and requests cost since this was asked last."""
        self._lend()
        mine = {} if self.features is not None and self.beside.features is None else self.beside.spent()
        return {**(mine or super().spent()), **self.language.spent()}

    def state_dict(self) -> dict[str, Any]:
        """The strategy's state, the model's side, trials and credit."""
        self._lend()
        return super().state_dict() | {
            "beside": self.beside.state_dict(),
            "language": self.language.state_dict(),
            "trials": pack_trials(self._trials),
            "credit": self._bandit.state_dict(),
            "owed": self._owed,
            "made": list(self._made),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore everything, so that the search goes on as if it had not stopped."""
        self._lend()
        super().load_state_dict(state)
        self.beside.load_state_dict(state["beside"])
        self.language.load_state_dict(state["language"])
        self._trials = unpack_trials(self.space, state["trials"])
        self._bandit.load_state_dict(state["credit"])
        self._owed, self._made = float(state["owed"]), [int(count) for count in state["made"]]
