"""The contract that every search strategy keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gennas.eval.base import Evaluator, Fidelity
from gennas.execution import SerialExecutor
from gennas.search import Archive, Objective, Objectives, Origin, Proposal, Search, Strategy, Trial
from gennas.search.packing import pack_state, unpack_state
from gennas.spaces import MacroChain, NASBench201, Space
from gennas.testing.evaluators import FailingEvaluator, SyntheticEvaluator
from gennas.testing.executors import FlakyExecutor

__all__ = ["StrategyContract"]


class StrategyContract(ABC):
    """What every strategy does; subclass it in a test module and give :meth:`make`.

    ``budget`` evaluations should take the strategy past its start-up and through a few rounds.
    """

    budget = 60

    @abstractmethod
    def make(self, space: Space, objectives: Objectives, seed: int) -> Strategy:
        """Return a fresh strategy."""

    def spaces(self) -> list[Space]:
        """The spaces that the contract is checked on: a cell space and a macro space."""
        return [NASBench201(), MacroChain()]

    objectives = Objectives((Objective("score", "max"),))

    def _run(self, space: Space, seed: int, evaluator: Evaluator | None = None) -> list[Trial]:
        evaluator = evaluator or SyntheticEvaluator(space.schema)
        strategy = self.make(space, self.objectives, seed)
        executor, archive = SerialExecutor(evaluator), Archive(":memory:", space)
        search = Search(strategy, executor, archive, self.objectives, self.budget, seed, max_failures=10**6)
        return list(search.run().trials)

    def test_spends_the_budget_on_distinct_valid_architectures(self) -> None:
        """No label is bought twice, and everything proposed is valid and canonical."""
        for space in self.spaces():
            trials = self._run(space, seed=0)
            assert len(trials) == self.budget
            keys = [t.arch.key for t in trials]
            assert len(set(keys)) == len(keys)
            for trial in trials:
                assert space.architecture(trial.arch.decisions) == trial.arch

    def test_the_same_seed_proposes_the_same_and_another_does_not(self) -> None:
        """Everything random comes from the seed."""
        space = self.spaces()[0]
        first, again, other = (self._keys(self._run(space, seed)) for seed in (1, 1, 2))
        assert first == again
        assert first != other

    def test_workers_and_order_of_finishing_do_not_matter(self) -> None:
        """Trials that finish in any order are told in the order of proposals."""
        space = self.spaces()[0]
        evaluator = SyntheticEvaluator(space.schema)
        runs = []
        for order in (1, 2):
            executor = FlakyExecutor(evaluator, lose_every=0, seed=order)
            strategy = self.make(space, self.objectives, 3)
            search = Search(strategy, executor, Archive(":memory:", space), self.objectives, self.budget, 3)
            runs.append(self._keys(search.run().trials))
        assert runs[0] == runs[1]

    def test_a_restored_state_continues_exactly(self) -> None:
        """``load_state_dict(state_dict())``, through bytes, changes nothing that follows."""
        for space in self.spaces():
            evaluator = SyntheticEvaluator(space.schema)
            strategy, told = self.make(space, self.objectives, 5), 0
            while told < self.budget // 2:
                told += self._step(strategy, evaluator, told)
            twin = self.make(space, self.objectives, 5)
            twin.load_state_dict(unpack_state(pack_state(strategy.state_dict())))
            while told < self.budget:
                ahead = self._step(strategy, evaluator, told)
                assert self._step(twin, evaluator, told) == ahead
                assert strategy.state_dict()["seen"] == twin.state_dict()["seen"]
                told += ahead

    def test_what_is_proposed_at_first_depends_on_no_outcome(self) -> None:
        """As many proposals as :attr:`Strategy.initial_evaluations` says are the same whatever comes out."""
        space = self.spaces()[0]
        first = self.make(space, self.objectives, 4).initial_evaluations
        evaluator = SyntheticEvaluator(space.schema)
        runs = []
        for sign in (1.0, -1.0):
            strategy, keys = self.make(space, self.objectives, 4), list[str]()
            while len(keys) < min(first, self.budget):
                proposals = strategy.ask(min(strategy.batch_size, self.budget))
                keys += [p.arch.key for p in proposals]
                trials = self._evaluate(proposals, evaluator, len(keys))
                strategy.tell([replace(t, metrics={"score": sign * t.metrics["score"]}) for t in trials])
            runs.append(keys[:first])
        assert runs[0] == runs[1]

    def test_accepts_foreign_and_failed_trials(self) -> None:
        """Trials it never proposed are learned from and not bought again; failures do not stop it."""
        space = self.spaces()[0]
        evaluator = SyntheticEvaluator(space.schema)
        foreign = space.sample(30, np.random.default_rng(9)).unique()
        strategy = self.make(space, self.objectives, 0)
        scores = [evaluator.evaluate(arch, Fidelity(), 0)["score"] for arch in foreign]
        trials = [
            Trial(Proposal(arch, Origin("elsewhere")), "ok", {"score": score})
            for arch, score in zip(foreign, scores, strict=True)
        ]
        strategy.tell([*trials[:-1], replace(trials[-1], status="failed", metrics={}, error="on purpose")])
        known, told = set(foreign.keys), 0
        while told < self.budget:
            proposals = strategy.ask(strategy.batch_size)
            assert proposals and not known & {p.arch.key for p in proposals}
            strategy.tell(self._evaluate(proposals, FailingEvaluator(evaluator), told))
            told += len(proposals)

    def test_all_failing_is_survived(self) -> None:
        """Even when nothing succeeds it keeps proposing."""
        space = self.spaces()[0]
        evaluator = FailingEvaluator(SyntheticEvaluator(space.schema), every=1)
        assert len(self._run(space, 0, evaluator)) == self.budget

    # ------------------------------------------------------------------ helpers

    def _keys(self, trials: Sequence[Trial]) -> list[str]:
        return [t.arch.key for t in trials]

    def _step(self, strategy: Strategy, evaluator: Evaluator, told: int) -> int:
        proposals = strategy.ask(min(strategy.batch_size, self.budget))
        strategy.tell(self._evaluate(proposals, evaluator, told))
        return len(proposals)

    def _evaluate(self, proposals: Sequence[Proposal], evaluator: Evaluator, first: int) -> list[Trial]:
        executor = SerialExecutor(evaluator)
        for i, proposal in enumerate(proposals):
            executor.submit(replace(proposal, id=first + i))
        trials = [executor.wait_any() for _ in proposals]
        return [replace(t, metrics={k: v for k, v in t.metrics.items() if k == "score"}) for t in trials]
