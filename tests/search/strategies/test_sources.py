"""Where candidates come from: sources alone, and in the strategies that rank their pools."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import numpy as np
import pytest

from gennas.errors import ConfigError, UnknownNameError
from gennas.graph import Population
from gennas.search import STRATEGIES, Objective, Objectives
from gennas.search.strategies import BayesianSearch, GenerativeSearch
from gennas.search.strategies.bayesian.beliefs import Outcomes
from gennas.search.strategies.rounds import hits_of
from gennas.search.strategies.sources import SOURCES, Evidence, Source
from gennas.search.trial import Origin, Proposal, Trial
from gennas.spaces import MacroChain, NASBench201

GOALS = Objectives((Objective("score"),))
SPACES = [NASBench201(), MacroChain(max_depth=3, widths=(8, 16))]


def trial(space, arch, value: float | None) -> Trial:
    proposal = Proposal(arch, Origin("random"))
    return Trial(proposal, "failed" if value is None else "ok", {} if value is None else {"score": value})


def evidence(space, n: int = 30, elites: int = 4) -> Evidence:
    archs = space.sample(n, np.random.default_rng(0)).unique()
    trials = [trial(space, a, float(a.decisions.sum())) for a in archs]
    return Evidence(archs, Outcomes(GOALS, trials), elites)


def test_elites_are_the_best_first() -> None:
    known = evidence(SPACES[0])
    sums = known.archs.decisions.sum(1)
    assert sums[known.best].tolist() == sorted(sums.tolist(), reverse=True)[:4]


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)
@pytest.mark.parametrize("name", sorted({*SOURCES} - {"llm"}))  # which needs a model
def test_a_source_draws_valid_canonical_architectures_by_its_rng(name: str, space) -> None:
    known = evidence(space)
    one, other = (SOURCES.get(name)(space).draw(50, known, np.random.default_rng(3)) for _ in range(2))
    assert len(one) == 50 and space.is_valid(one).all()
    assert one.keys == other.keys == space.canonical(one).keys


def test_mutants_are_near_and_children_are_between_the_best() -> None:
    space = SPACES[0]
    known, rng = evidence(space, elites=2), np.random.default_rng(0)
    best = known.archs[known.best].decisions
    mutants = SOURCES.get("mutation")(space).draw(90, known, rng).decisions
    edits = (mutants[:, None] != best[None]).sum(2).min(1)
    assert edits[:60].max() == 1 and set(edits[60:].tolist()) <= {0, 1, 2}
    children = SOURCES.get("crossover")(space).draw(90, known, rng).decisions
    assert all(((child == best[0]) | (child == best[1])).all() for child in children)


OWN = '''
import numpy as np

from gennas.graph import Population
from gennas.search.strategies import Source


class Greedy(Source):
    """Neighbours of the best, in order."""

    def draw(self, n, evidence, rng):
        return self.space.neighbours(evidence.archs[int(evidence.best[0])])[:n]


class Uniform:
    """A generator that only knows the space."""

    def __init__(self, space, seed):
        self.space, self.seed, self.fits = space, seed, 0

    def fit(self, archs, conditions=None, weights=None, steps=1, seed=0):
        self.fits += 1

    def sample(self, n, conditions=None, seed=0):
        return self.space.sample(n, np.random.default_rng(seed))


class Nothing:
    """Neither."""
'''


@pytest.fixture
def own(tmp_path: Path):
    file = tmp_path / "own_sources.py"
    file.write_text(OWN)
    yield str(file)
    sys.modules.pop("_gennas_user_own_sources", None)


def searched(strategy, n: int = 24) -> list[Proposal]:
    proposals: list[Proposal] = []
    while len(proposals) < n:
        found = strategy.ask(strategy.batch_size)
        strategy.tell([trial(strategy.space, p.arch, float(p.arch.decisions.sum())) for p in found])
        proposals += found
    return proposals


SMALL = {"warm_start": 6, "round_size": 3, "pool_size": 40}
QUICK = {**SMALL, "unlabelled": 20, "pretrain_steps": 1, "refit_steps": 1}


@pytest.mark.parametrize("strategy", [BayesianSearch, GenerativeSearch])
def test_an_own_source_proposes(strategy, own: str) -> None:
    shares = {f"{own}:Greedy": 0.5, "crossover": 0.2, "random": 0.3}
    found = searched(strategy(NASBench201(), GOALS, seed=0, shares=shares, **SMALL))
    assert any(p.origin.source == f"{own}:Greedy" for p in found)


def test_an_own_generator_is_fitted_and_proposes(own: str) -> None:
    strategy = GenerativeSearch(NASBench201(), GOALS, seed=0, shares={f"{own}:Uniform": 1.0}, **QUICK)
    found = searched(strategy)
    assert {p.origin.source for p in found} == {"random", f"{own}:Uniform"}
    assert strategy.generator.fits > 1 and strategy.generator.seed == 0


@pytest.mark.parametrize(
    ("strategy", "shares", "complaint"),
    [
        (BayesianSearch, {"diffusion": 1.0}, "Unknown source"),
        (BayesianSearch, {"randon": 1.0}, "Did you mean random"),
        (GenerativeSearch, {"difusion": 1.0}, "Did you mean diffusion"),
        (GenerativeSearch, {"random": 0.5}, "sum to 1"),
        (GenerativeSearch, {"random": 1.5, "mutation": -0.5}, "not negative"),
        (BayesianSearch, {"OWN:Nothing": 1.0}, "to be a Source"),
        (GenerativeSearch, {"OWN:Nothing": 1.0}, "to be a Source"),
        (BayesianSearch, {"OWN:Uniform": 1.0}, "Missing option 'seed'"),
    ],
)
def test_wrong_shares(strategy, shares: dict[str, float], complaint: str, own: str) -> None:
    shares = {name.replace("OWN", own): share for name, share in shares.items()}
    with pytest.raises((ConfigError, UnknownNameError), match=complaint):
        strategy(NASBench201(), GOALS, shares=shares)


def test_generators_are_no_business_of_the_plain_surrogate() -> None:
    assert list(BayesianSearch(NASBench201(), GOALS).sources) == ["random"]
    assert issubclass(GenerativeSearch, BayesianSearch) and "generator" not in vars(BayesianSearch)


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_every_strategy_spells_its_signature(name: str) -> None:
    parameters = inspect.signature(STRATEGIES.get(name)).parameters.values()
    assert not [p for p in parameters if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    assert [p.name for p in parameters][:3] == ["space", "objectives", "seed"]
    assert all(p.annotation is not p.empty for p in parameters)


def test_hits_are_counted_among_what_did_not_fail() -> None:
    space = NASBench201()
    archs = space.sample(40, np.random.default_rng(0)).unique()
    fine = [trial(space, archs[i], float(i)) for i in range(10)]  # 0 ... 9: nine tenths lie at 8.1
    failed = [trial(space, archs[i], None) for i in range(10, 30)]
    after = [trial(space, archs[30], 8.0), trial(space, archs[31], 8.5)]
    assert hits_of(GOALS, fine, after).tolist() == [False, True]
    assert hits_of(GOALS, [*failed, *fine], after).tolist() == [False, True]
    assert hits_of(GOALS, failed, after) is None and hits_of(GOALS, fine, []) is None


class Simplest(Source):
    """What a strategy of one's own may use as well."""

    def draw(self, n: int, evidence: Evidence, rng: np.random.Generator) -> Population:
        return evidence.archs[:n]


def test_evidence_knows_what_was_seen_and_lets_all_pass_without_a_screen() -> None:
    known = evidence(SPACES[0])
    some = known.archs[:3]
    assert known.value(some) is None and known.keeps(some).tolist() == [True] * 3
    seen = Evidence(known.archs, known.outcomes, 4, seen={known.archs[1].key})
    assert seen.known(some).tolist() == [False, True, False]
    assert known.known(some).tolist() == [False] * 3


@pytest.mark.parametrize("acquisition", ["ei", "ucb", "thompson"])
def test_a_round_s_evidence_is_what_its_pool_is_ranked_by(acquisition: str) -> None:
    space = MacroChain(max_depth=3, widths=(8, 16))
    strategy = BayesianSearch(space, GOALS, 0, shares={"evolve": 1}, acquisition=acquisition, round_size=1)
    archs = space.sample(20, np.random.default_rng(0)).unique()
    strategy.tell([trial(space, a, float(a.decisions.sum())) for a in archs])
    known, outcomes = strategy._archive()
    beliefs = strategy._fit_surrogates(known, outcomes)
    ready, pool = strategy._evidence(known, outcomes, beliefs), space.sample(50, np.random.default_rng(1)).unique()
    value = ready.value(pool)
    assert (ready.value(pool[::-1])[::-1] == value).all() and np.isfinite(value).all()
    chosen, _, _ = beliefs.choose(pool, 1, acquisition, strategy.rng)
    assert chosen[0] == value.argmax()
    assert ready.known(known).all()


def test_a_source_remembers_nothing_unless_it_says_so() -> None:
    source = Simplest(NASBench201())
    source.load_state_dict({})
    assert source.state_dict() == {}
