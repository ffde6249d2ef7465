"""One-shot search with supernets of two seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gennas.errors import ConfigError, UnknownNameError
from gennas.execution import SerialExecutor
from gennas.search import Archive, Constraint, Objective, Objectives, Origin, Proposal, Search, Trial
from gennas.search.packing import pack_state, unpack_state
from gennas.search.screen import Screen
from gennas.search.strategies import OneShot
from gennas.search.strategy import Context
from gennas.spaces import NASBench101, NASBench201, Space
from gennas.testing import StrategyContract, SyntheticEvaluator
from gennas.training import make_task
from gennas.training.supernet.records import read_record

SPACE = NASBench201(num_cells=1, width=4)
TASK = make_task("digits")
OBJECTIVES = Objectives((Objective("score", "max"),))
QUICK = {"epochs": 1, "data_fraction": 0.3}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where supernets lie, one for each method and seed; trained at the first use."""
    return tmp_path_factory.mktemp("supernets")


def one_shot(home: Path, method: str = "gdas", seed: int = 0, **options) -> OneShot:
    strategy = OneShot(SPACE, OBJECTIVES, seed, method=method, **{**QUICK, **options})
    strategy.prepare(Context(home / f"{method}-{seed}", TASK))
    return strategy


class TestContract(StrategyContract):
    """A relaxation: what it proposes are its discretised architectures, best first."""

    @pytest.fixture(autouse=True)
    def _place(self, home: Path) -> None:
        self.home = home

    def spaces(self) -> list[Space]:
        return [SPACE]

    def make(self, space: Space, objectives: Objectives, seed: int) -> OneShot:
        return one_shot(self.home, seed=seed)


def test_relaxations_propose_the_strongest_and_charge_their_training_once(home):
    strategy = one_shot(home)
    first = strategy.ask(3)
    step = strategy._ranker.supernet.step
    w = step.relaxation.strengths().detach().double().numpy()
    D = np.stack(np.meshgrid(*[range(5)] * 6, indexing="ij"), -1).reshape(-1, 6)
    best = np.argsort(-np.log(w[np.arange(6), D]).sum(1), kind="stable")
    assert [p.arch.decisions.tolist() for p in first] == D[best[:3]].tolist()
    assert [p.origin.details["rank"] for p in first] == [0, 1, 2] and first[0].origin.source == "gdas"
    spent = strategy.spent()
    assert spent["seconds"] == spent["supernet_seconds"] > 0 and strategy.spent() == {}
    assert "alpha_entropy" in strategy.records()
    more = strategy.ask(40)
    assert [p.arch.decisions.tolist() for p in more] == D[best[3:43]].tolist()


@pytest.mark.parametrize("method", ["spos", "rsws"])
def test_sampling_methods_propose_by_inherited_score(home, method):
    strategy = one_shot(home, method, inherited_evaluations=24, batch_norm="batch")
    proposals = strategy.ask(10)
    scores = [p.origin.details["inherited_accuracy"] for p in proposals]
    assert scores == sorted(scores, reverse=True) and len(proposals) == 10
    evaluator = strategy._ranker.evaluator
    from gennas.eval.base import FULL_FIDELITY

    assert scores[0] == evaluator.evaluate(proposals[0].arch, FULL_FIDELITY, 0)["inherited_accuracy"]
    spent = strategy.spent()
    assert spent["seconds"] > strategy._ranker.supernet.seconds  # inherited scores are charged, too
    strategy.tell([Trial(p, "ok", {"score": 1.0}) for p in proposals])
    rest = strategy.ask(32)
    assert len(rest) == 14 and not strategy.ask(1)  # what it scored is all that it proposes


def test_enas_scores_what_its_controller_samples(home):
    proposals = one_shot(home, "enas", inherited_evaluations=12, batch_norm="batch").ask(12)
    again = one_shot(home, "enas", inherited_evaluations=12, batch_norm="batch").ask(12)
    assert [p.arch for p in proposals] == [p.arch for p in again] and len({p.arch.key for p in proposals}) == 12
    scores = [p.origin.details["inherited_accuracy"] for p in proposals]
    assert scores == sorted(scores, reverse=True)


def test_a_restored_strategy_proposes_the_rest_and_is_not_charged_again(home):
    strategy = one_shot(home, "spos", inherited_evaluations=16, batch_norm="batch")
    strategy.ask(5)
    strategy.spent()
    twin = one_shot(home, "spos", inherited_evaluations=16, batch_norm="batch")
    twin.load_state_dict(unpack_state(pack_state(strategy.state_dict())))
    assert [p.arch for p in twin.ask(20)] == [p.arch for p in strategy.ask(20)]
    assert "supernet_seconds" not in twin.spent() or twin.spent() == {}


@pytest.mark.parametrize("method", ["gdas", "spos"])
def test_cheap_constraints_are_kept(home, method):
    limit = int(np.median(SPACE.count_parameters(SPACE.sample(100, np.random.default_rng(0)), TASK.spec)))
    strategy = one_shot(home, method, **({} if method == "gdas" else {"inherited_evaluations": 20}))
    strategy.objectives = Objectives((Objective("score", "max"),), (Constraint("params", "<=", limit),))
    count = lambda archs: {"params": SPACE.count_parameters(archs, TASK.spec).astype(float)}  # noqa: E731
    strategy.screen = Screen(lambda arch: {"params": 0.0}, ("params",), count)
    for proposal in strategy.ask(8):
        assert sum(p.numel() for p in SPACE.build(proposal.arch, TASK.spec).parameters()) <= limit


def test_told_architectures_are_not_proposed(home):
    strategy, twin = one_shot(home), one_shot(home)
    first = strategy.ask(2)
    twin.tell([Trial(Proposal(first[0].arch, Origin("elsewhere")), "failed", {})])
    assert twin.ask(1)[0].arch == first[1].arch


def test_what_it_needs_is_said(tmp_path, home):
    with pytest.raises(ConfigError, match="prepare"):
        OneShot(SPACE, OBJECTIVES).ask(1)
    with pytest.raises(ConfigError, match="task=NAME"):
        OneShot(SPACE, OBJECTIVES, method="gdas").prepare(Context(tmp_path))
    with pytest.raises(UnknownNameError, match="supernet method"):
        one_shot(home, "dart")
    with pytest.raises(ConfigError, match="no weight-sharing network"):
        OneShot(NASBench101(), OBJECTIVES, method="spos").prepare(Context(tmp_path, TASK))
    with pytest.raises(ConfigError, match="inherited_evaluations"):
        OneShot(SPACE, OBJECTIVES, inherited_evaluations=0)
    with pytest.raises(ConfigError, match="Unknown option 'tau'"):
        one_shot(home / "other", "gdas", method_options={"tau": 3})
    assert not list(tmp_path.iterdir())


def test_an_extended_run_equals_one_of_that_budget(home, tmp_path):
    evaluator, outcomes = SyntheticEvaluator(SPACE.schema), []
    for name, budgets in (("whole", (30,)), ("extended", (5, 17, 30))):
        for budget in budgets:
            archive = Archive(tmp_path / f"{name}.sqlite", SPACE)
            search = Search(one_shot(home), SerialExecutor(evaluator), archive, OBJECTIVES, budget, 0)
            trials = search.run().trials
        outcomes.append([(t.arch.key, t.proposal.seed, t.proposal.origin) for t in trials])
        assert sum("supernet_seconds" in t.cost for t in trials) == 1  # charged with the first, once
    assert outcomes[0] == outcomes[1]


def test_a_task_with_options_and_a_recipe_of_its_own(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {f"x_{part}": rng.integers(0, 255, (20, 3, 8, 8), dtype=np.uint8) for part in ("train", "test")}
    np.savez(tmp_path / "own.npz", **arrays, y_train=np.arange(20) % 2, y_test=np.arange(20) % 2)
    options = {"task": "npz", "task_options": {"path": str(tmp_path / "own.npz")}, "recipe": {"batch_size": 5}}
    strategy = OneShot(SPACE, OBJECTIVES, method="spos", epochs=1, inherited_evaluations=2, **options)
    strategy.prepare(Context(tmp_path))
    assert len(strategy.ask(1)) == 1
    record = read_record(tmp_path / "one_shot")
    assert record.task.startswith("npz:own.npz") and record.recipe["batch_size"] == 5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"task_options": {"path": "own.npz"}}, "without a task"),
        ({"task": "digits", "recipe": {"learning_rate": 1.0}}, "learning_rate"),
        ({"task": "digits", "task_options": {"sise": 8}}, "sise"),
    ],
)
def test_wrong_options_of_its_training(tmp_path, options, said):
    with pytest.raises(ConfigError, match=said):
        OneShot(SPACE, OBJECTIVES, **options).prepare(Context(tmp_path, TASK))
