"""What every strategy inherits: never the same twice, cheap constraints, state, records."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from gennas.graph import Architecture, Population
from gennas.search import Constraint, Objective, Objectives, Origin, Proposal, Trial
from gennas.search.packing import pack_state, unpack_state
from gennas.search.screen import Screen
from gennas.search.strategy import STRATEGIES, Strategy
from gennas.spaces import MacroChain, NASBench201, Space
from gennas.spaces.weighted import weighted

GOALS = Objectives((Objective("score"),), (Constraint("cost", "<=", 3.0),))


class Plain(Strategy):
    """Proposes at random and learns nothing."""

    def ask(self, n: int) -> list[Proposal]:
        return [self._propose(arch, Origin("random")) for arch in self._random_unseen(n)]

    def tell(self, trials: Sequence[Trial]) -> None:
        self.seen |= {t.arch.key for t in trials}


def tiny() -> MacroChain:
    """Six chains of one layer and 36 of two."""
    return MacroChain(max_depth=2, min_depth=1, widths=(4,), kernels=(3,))


class Uncounted(MacroChain):
    """Does not say how many chains there are."""

    size = None  # type: ignore[assignment]


def cost(arch: Architecture) -> Mapping[str, float]:
    """The sum of the labels, and a metric that is not cheap."""
    return {"cost": float(arch.decisions.sum()), "score": 1.0}


def screened(space: Space, goals: Objectives = GOALS) -> Plain:
    strategy = Plain(space, goals)
    strategy.screen = Screen(cost, ("cost",))
    return strategy


def keys(archs: Sequence[Architecture]) -> list[str]:
    return [arch.key for arch in archs]


def test_ask_and_tell_are_to_be_written() -> None:
    with pytest.raises(TypeError, match=r"ask.*tell"):
        Strategy(NASBench201(), GOALS)  # type: ignore[abstract]


def test_a_new_strategy_has_seen_nothing_and_asks_for_one() -> None:
    strategy = Plain(NASBench201(), GOALS, seed=3)
    assert strategy.batch_size == 1 and strategy.records() == {} and strategy.seen == set()
    assert strategy.screen is None and strategy.seed == 3


@pytest.mark.parametrize("n", [0, 1, 17])
def test_as_many_as_asked_for(n: int) -> None:
    strategy = Plain(NASBench201(), GOALS)
    found = strategy._random_unseen(n)
    assert len(found) == len(set(keys(found))) == n and strategy.seen == set(keys(found))


def test_a_space_is_exhausted_exactly() -> None:
    strategy, space = Plain(tiny(), GOALS), tiny()
    found = [p.arch for n in (5, 20, 100) for p in strategy.ask(n)]
    assert len(found) == len(set(keys(found))) == space.size == 42
    assert strategy.ask(1) == []


def test_a_space_of_unknown_size_gives_up() -> None:
    strategy = Plain(Uncounted(max_depth=2, min_depth=2, widths=(4,), kernels=(3,), strides=(1,)), GOALS)
    assert len(strategy._random_unseen(100)) == 9  # three operations, two layers
    assert strategy._random_unseen(3) == []


class UncountedCells(NASBench201):
    """Cells of a space that does not say how many there are."""

    size = None  # type: ignore[assignment]


@pytest.mark.parametrize("sizes", [(8,), (3, 5), (1,) * 8])
def test_asked_piece_by_piece_nothing_is_lost(sizes: Sequence[int]) -> None:
    """Eight cells of 15,625 are left."""
    space = UncountedCells()
    labels = np.stack(np.meshgrid(*[np.arange(5)] * 6, indexing="ij"), axis=-1).reshape(-1, 6)
    every = Population.from_decisions(space.schema, labels.astype(np.int16)).keys
    strategy = Plain(space, GOALS)
    strategy.seen = set(every[8:])
    found = [p.arch.key for n in sizes for p in strategy.ask(n)]
    assert sorted(found) == sorted(every[:8])


def former(strategy: Plain, n: int) -> list[Architecture]:
    """What is missing, drawn again and again."""
    found: list[Architecture] = []
    while len(found) < n:
        for arch in strategy._screened(n - len(found)):
            if arch.key not in strategy.seen:
                strategy.seen.add(arch.key)
                found.append(arch)
    return found


@pytest.mark.parametrize("make", [lambda: Plain(tiny(), GOALS, 4), lambda: screened(NASBench201())])
def test_where_something_new_comes_soon_it_is_what_came_before(make) -> None:
    new, old = make(), make()
    for n in (3, 5, 1, 20):
        assert keys(new._random_unseen(n)) == keys(former(old, n))
    assert new.rng.bit_generator.state == old.rng.bit_generator.state


def test_where_a_prior_is_exhausted_draws_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    space = NASBench201()
    weights = np.ones(space.schema.decision_mask.shape)
    weights[:, 0] = 1e6
    strategy, calls = Plain(weighted(space, weights), GOALS), 0
    sample = strategy.space.sample

    def counted(n: int, rng: np.random.Generator) -> Population:
        nonlocal calls
        calls += 1
        return sample(n, rng)

    monkeypatch.setattr(strategy.space, "sample", counted)
    found = strategy._random_unseen(32)
    assert 3 < len(found) == len(set(keys(found))) < 32 and calls < 600


def test_what_was_told_is_not_proposed() -> None:
    space = tiny()
    strategy, told = Plain(space, GOALS), space.sample(200, np.random.default_rng(1)).unique()[:30]
    strategy.tell([Trial(Proposal(arch, Origin("elsewhere")), "ok", {"score": 1.0}) for arch in told])
    rest = keys([p.arch for p in strategy.ask(42)])
    assert len(rest) == 12 and not set(rest) & set(told.keys)


@pytest.mark.parametrize("status", ["failed", "infeasible", "timeout", "lost"])
def test_failures_are_not_bought_again_either(status) -> None:
    space = tiny()
    strategy, arch = Plain(space, GOALS), space.from_text("conv3x3-w4-s1")
    strategy.tell([Trial(Proposal(arch, Origin("random")), status)])
    assert arch.key not in keys([p.arch for p in strategy.ask(42)])


def test_the_seed_decides() -> None:
    first, again, other = (keys(Plain(NASBench201(), GOALS, s)._random_unseen(10)) for s in (1, 1, 2))
    assert first == again != other


def test_random_numbers_of_numpy_are_left_alone() -> None:
    np.random.seed(0)
    before = np.random.get_state()[1].copy()  # type: ignore[index]
    Plain(NASBench201(), GOALS)._random_unseen(10)
    assert (np.random.get_state()[1] == before).all()  # type: ignore[index]


def test_a_proposal_is_marked_as_seen() -> None:
    space = NASBench201()
    strategy, arch = Plain(space, GOALS), space.architecture([1] * 6)
    proposal = strategy._propose(arch, Origin("mine", ("a",), 2))
    assert proposal.arch == arch and proposal.origin == Origin("mine", ("a",), 2) and proposal.id == -1
    assert strategy.seen == {arch.key}


# ---------------------------------------------------------------------- cheap constraints


def test_candidates_keep_the_cheap_constraints() -> None:
    """A cell whose labels add up to three or less is one in 15,625 / 84."""
    strategy = screened(NASBench201())
    found = strategy._random_unseen(20)
    assert len(found) == 20 and all(arch.decisions.sum() <= 3 for arch in found)
    assert strategy.screen is not None and strategy.screen.count > 20


def test_where_nothing_keeps_them_the_least_bad_come() -> None:
    goals = Objectives((Objective("score"),), (Constraint("cost", "<=", -1.0),))
    (arch,) = screened(NASBench201(), goals)._random_unseen(1)
    assert arch.decisions.sum() < np.median(NASBench201().sample(200, np.random.default_rng(0)).decisions.sum(1))


def test_constraints_that_are_not_cheap_are_not_looked_at() -> None:
    goals = Objectives((Objective("score"),), (Constraint("other", "<=", -1.0),))
    archs = NASBench201().sample(10, np.random.default_rng(0))
    assert screened(NASBench201(), goals)._keeps_cheap(archs).all()


def test_without_a_screen_everything_is_kept() -> None:
    archs = NASBench201().sample(10, np.random.default_rng(0))
    assert Plain(NASBench201(), GOALS)._keeps_cheap(archs).tolist() == [True] * 10
    kept = screened(NASBench201())._keeps_cheap(archs)
    assert kept.tolist() == (archs.decisions.sum(1) <= 3).tolist()


# ---------------------------------------------------------------------- state


@pytest.mark.parametrize("make", [lambda: Plain(NASBench201(), GOALS, 5), lambda: screened(NASBench201())])
def test_a_restored_strategy_goes_on(make) -> None:
    strategy, twin = make(), make()
    strategy._random_unseen(8)
    state = unpack_state(pack_state(strategy.state_dict()))
    expected = keys(strategy._random_unseen(8))
    twin.load_state_dict(state)
    assert keys(twin._random_unseen(8)) == expected and twin.state_dict() == strategy.state_dict()


def test_the_state_is_plain_and_sorted() -> None:
    strategy = Plain(NASBench201(), GOALS)
    strategy._random_unseen(5)
    state = strategy.state_dict()
    assert set(state) == {"rng", "seen"} and state["seen"] == sorted(strategy.seen)
    assert json.loads(json.dumps(state)) == state


def test_the_state_is_a_copy() -> None:
    strategy = Plain(NASBench201(), GOALS)
    strategy._random_unseen(5)
    before = json.dumps(strategy.state_dict(), sort_keys=True)
    state = strategy.state_dict()
    strategy._random_unseen(5)
    assert json.dumps(state, sort_keys=True) == before


def test_what_a_screen_knows_is_part_of_the_state() -> None:
    strategy, twin = screened(NASBench201()), screened(NASBench201())
    strategy._random_unseen(3)
    twin.load_state_dict(strategy.state_dict())
    assert twin.screen is not None and strategy.screen is not None and twin.screen.count == strategy.screen.count > 0


@pytest.mark.parametrize("name", ["rng", "seen"])
def test_an_incomplete_state_is_an_error(name: str) -> None:
    state = Plain(NASBench201(), GOALS).state_dict()
    del state[name]
    with pytest.raises(KeyError, match=name):
        Plain(NASBench201(), GOALS).load_state_dict(state)


def test_registered_strategies_are_strategies() -> None:
    assert {"random", "local-search", "generative"} <= set(STRATEGIES)
    assert all(issubclass(STRATEGIES.get(name), Strategy) for name in STRATEGIES)
