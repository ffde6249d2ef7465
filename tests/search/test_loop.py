"""The loop: order, budget, failures, and continuing as if nothing had happened."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gennas.errors import ArchiveError, ConfigError, EvaluationError
from gennas.execution import SerialExecutor
from gennas.graph import GraphSchema
from gennas.search import Archive, Objective, Objectives, Search
from gennas.search.strategies import LocalSearch, RandomSearch, RegularizedEvolution
from gennas.spaces import NASBench201, Space
from gennas.testing import FailingEvaluator, FlakyExecutor, SyntheticEvaluator

SPACE = NASBench201()
GOALS = Objectives((Objective("score"),))
EVALUATOR = SyntheticEvaluator(SPACE.schema)


def search(strategy=RandomSearch, budget=40, archive=None, executor=None, seed=0, **options) -> Search:
    return Search(
        strategy(SPACE, GOALS, seed=seed),
        executor or SerialExecutor(EVALUATOR),
        Archive(":memory:", SPACE) if archive is None else archive,
        GOALS,
        budget,
        seed,
        **options,
    )


def outcome(result) -> list[tuple]:
    return [(t.proposal.id, t.arch.key, t.proposal.seed, t.status, dict(t.metrics)) for t in result.trials]


class Recorder:
    def __init__(self) -> None:
        self.seen: list[tuple[int, int, str]] = []

    def on_trial(self, trial, n_evals, incumbent) -> None:
        self.seen.append((trial.proposal.id, n_evals, incumbent.arch.key if incumbent else ""))

    def on_round(self, n_evals, record) -> None:
        raise AssertionError("random search has no rounds")


def test_budget_and_incumbent() -> None:
    recorder = Recorder()
    result = search(listeners=[recorder]).run()
    assert len(result.trials) == 40 and result.stopped == "budget"
    values = [t.metrics["score"] for t in result.trials]
    assert result.best.metrics["score"] == max(values)
    assert [n for _, n, _ in recorder.seen] == list(range(1, 41))
    assert recorder.seen[-1][2] == result.best.arch.key


def test_strategies_see_only_what_they_search() -> None:
    class Spy(RandomSearch):
        def tell(self, trials) -> None:
            assert all(set(t.metrics) == {"score"} for t in trials)
            super().tell(trials)

    result = search(Spy).run()
    assert set(result.trials[0].metrics) == {"score", "test_score", "size"}


def test_order_of_finishing_changes_nothing() -> None:
    results = [search(LocalSearch, executor=FlakyExecutor(EVALUATOR, seed=s)).run() for s in (1, 2)]
    assert outcome(results[0]) == outcome(results[1])
    assert sum(t.status == "lost" for t in results[0].trials) == 10


def test_trial_seeds_depend_on_run_and_number_only() -> None:
    a, b = search(RandomSearch).run(), search(RegularizedEvolution).run()
    assert [t.proposal.seed for t in a.trials] == [t.proposal.seed for t in b.trials]
    assert len({t.proposal.seed for t in a.trials}) == 40
    assert a.trials[0].proposal.seed != search(seed=1).run().trials[0].proposal.seed


def test_exhausted_space_ends_the_search() -> None:
    from gennas.spaces import MacroChain

    space = MacroChain(min_depth=1, max_depth=1, operations=("conv",), kernels=(3,), widths=(8, 16), strides=(1, 2))
    evaluator = SyntheticEvaluator(space.schema)
    for strategy in (RandomSearch, LocalSearch, RegularizedEvolution):
        result = Search(strategy(space, GOALS), SerialExecutor(evaluator), Archive(":memory:", space), GOALS, 100).run()
        assert result.stopped == "exhausted"
        assert len(result.trials) == space.size == 4


def test_a_space_of_one_architecture_is_searched_kept_and_read(tmp_path: Path) -> None:
    class Lone(Space):
        name = "lone"
        schema = GraphSchema("lone", ("a", "b"), ("none",), np.eye(2, dtype=bool), np.ones((2, 2, 1), bool))

        def build(self, arch, spec):
            raise NotImplementedError

    space = Lone()
    assert space.size == 1
    for strategy in (RandomSearch, LocalSearch, RegularizedEvolution):
        archive = Archive(tmp_path / f"{strategy.__name__}.sqlite", space)
        executor = SerialExecutor(SyntheticEvaluator(space.schema))
        result = Search(strategy(space, GOALS), executor, archive, GOALS, 100).run()
        assert (result.stopped, len(result.trials), len(archive.trials())) == ("exhausted", 1, 1)


def test_too_many_failures_in_a_row_stop_with_the_reason() -> None:
    executor = SerialExecutor(FailingEvaluator(EVALUATOR, every=1))
    run = search(executor=executor, max_failures=7)
    with pytest.raises(EvaluationError, match=r"All 7 trials failed with: RuntimeError: failing on purpose"):
        run.run()
    assert len(run.archive) == 7


def test_budget_must_be_positive() -> None:
    with pytest.raises(ConfigError, match="at least one"):
        search(budget=0)


def test_another_seed_on_the_same_archive_is_refused(tmp_path: Path) -> None:
    search(archive=Archive(tmp_path / "a.sqlite", SPACE)).run()
    with pytest.raises(ArchiveError, match="another version or run"):
        search(seed=1, archive=Archive(tmp_path / "a.sqlite", SPACE)).run()


def test_a_snapshot_that_cannot_be_read_is_one_clear_error(tmp_path: Path) -> None:
    search(archive=Archive(tmp_path / "a.sqlite", SPACE)).run()
    longer = search(archive=Archive(tmp_path / "a.sqlite", SPACE), budget=45)
    longer.strategy.load_state_dict = lambda state: state["a key of tomorrow"]
    with pytest.raises(ArchiveError, match=r"cannot read \(KeyError.*another version of gennas"):
        longer.run()


def test_a_finished_run_is_not_evaluated_again(tmp_path: Path) -> None:
    first = search(archive=Archive(tmp_path / "a.sqlite", SPACE)).run()
    broken = SerialExecutor(FailingEvaluator(EVALUATOR, every=1))
    again = search(archive=Archive(tmp_path / "a.sqlite", SPACE), executor=broken).run()
    assert outcome(again) == outcome(first)


@pytest.mark.parametrize("strategy", [RandomSearch, LocalSearch, RegularizedEvolution])
@pytest.mark.parametrize("snapshot_every_s", [0.0, 1e9])
def test_continuing_equals_not_stopping(strategy, snapshot_every_s: float, tmp_path: Path) -> None:
    whole = outcome(search(strategy, budget=90).run())
    stops = random.Random(0).sample(range(1, 90), 6)

    class Stop:
        def __init__(self, at: int) -> None:
            self.at = at

        def evaluate(self, arch, fidelity, seed):
            self.at -= 1
            if self.at < 0:
                raise KeyboardInterrupt
            return EVALUATOR.evaluate(arch, fidelity, seed)

        metrics, cost_class, protocol = EVALUATOR.metrics, "expensive", EVALUATOR.protocol

    for stop in stops:
        path = tmp_path / f"{stop}.sqlite"
        with pytest.raises(KeyboardInterrupt):
            search(
                strategy,
                90,
                Archive(path, SPACE),
                SerialExecutor(Stop(stop)),
                snapshot_every_s=snapshot_every_s,
            ).run()
        assert len(Archive(path, SPACE)) == stop
        resumed = search(strategy, 90, Archive(path, SPACE), snapshot_every_s=snapshot_every_s).run()
        assert outcome(resumed) == whole


# One process imports everything once; every attempt is a copy of it, so that kills hit searches and not imports.
_KILLED = """
import os, random, signal, sys, time, traceback
from pathlib import Path
from gennas.execution import SerialExecutor
from gennas.search import Archive, Objective, Objectives, Search, STRATEGIES
from gennas.spaces import NASBench201
from gennas.testing import SyntheticEvaluator
path, name, (budget, kills), (delay, window) = *sys.argv[1:3], map(int, sys.argv[3:5]), map(float, sys.argv[5:7])
space, goals, moments = NASBench201(), Objectives((Objective("score"),)), random.Random(name)
if name == "generative":
    import gennas.generators.diffusion, gennas.generators.encoder, gennas.models.surrogate.stack

def attempt():
    number = os.fork()
    if number:
        return number
    try:
        executor = SerialExecutor(SyntheticEvaluator(space.schema, delay_s=delay))
        strategy = STRATEGIES.get(name)(space, goals, seed=4)
        Search(strategy, executor, Archive(Path(path), space), goals, budget, 4, snapshot_every_s=0.05).run()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)

landed = 0
for _ in range(kills):
    number = attempt()
    time.sleep(moments.uniform(0, window))
    os.kill(number, signal.SIGKILL)
    landed += os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) == -signal.SIGKILL
code = os.waitstatus_to_exitcode(os.waitpid(attempt(), 0)[1])
print(landed)
sys.exit(code)
"""


def killed_and_resumed(path: Path, strategy: str, budget: int, kills: int, delay: float, window: float) -> list[tuple]:
    """Kill a search with SIGKILL at random moments, and let it finish at last."""
    numbers = [str(number) for number in (budget, kills, delay, window)]
    command = [sys.executable, "-c", _KILLED, str(path), strategy, *numbers]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, text=True)
    assert int(done.stdout) >= kills / 4  # it had not ended before
    archive = Archive(path, SPACE)
    return [(t.proposal.id, t.arch.key, t.proposal.seed, t.status, dict(t.metrics)) for t in archive.trials()]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["random", "local-search", "regularized-evolution"])
def test_twenty_kills_at_random_moments(strategy: str, tmp_path: Path) -> None:
    reference = killed_and_resumed(tmp_path / "whole.sqlite", strategy, 500, 0, 0.0, 0.0)
    assert killed_and_resumed(tmp_path / "killed.sqlite", strategy, 500, 20, 0.003, 0.12) == reference


@pytest.mark.slow
def test_twenty_kills_of_the_generative_strategy(tmp_path: Path) -> None:
    reference = killed_and_resumed(tmp_path / "whole.sqlite", "generative", 60, 0, 0.0, 0.0)
    assert killed_and_resumed(tmp_path / "killed.sqlite", "generative", 60, 20, 0.01, 1.0) == reference


def test_asynchronous_keeps_the_executor_full_and_continues(tmp_path: Path) -> None:
    class Full(FlakyExecutor):
        most = 0

        def submit(self, proposal) -> None:
            super().submit(proposal)
            self.most = max(self.most, len(self._queue))

    executor = Full(EVALUATOR, lose_every=0)
    path = tmp_path / "a.sqlite"
    result = search(RandomSearch, 30, Archive(path, SPACE), executor, asynchronous=True).run()
    assert executor.most == executor.capacity == 8
    assert sorted(t.proposal.id for t in result.trials) == list(range(30))
    more = search(RandomSearch, 45, Archive(path, SPACE), Full(EVALUATOR, lose_every=0), asynchronous=True).run()
    assert len({t.arch.key for t in more.trials}) == 45
    assert np.isfinite(more.best.metrics["score"])


def test_the_target_ends_the_search() -> None:
    complete = search(budget=40).run()
    found = next(i for i, t in enumerate(complete.trials, 1) if t.metrics["score"] == complete.best.metrics["score"])
    stopped = search(budget=40, target=complete.best.metrics["score"])
    result = stopped.run()
    assert result.stopped == "target" and found <= len(result.trials) < 40
    assert result.best.metrics == complete.best.metrics
    assert search(budget=5, target=1e9).run().stopped == "budget"


def test_a_finished_run_needs_no_strategy(tmp_path: Path) -> None:
    first = search(budget=20, archive=Archive(tmp_path / "a.sqlite", SPACE)).run()
    again = search(budget=20, archive=Archive(tmp_path / "a.sqlite", SPACE))
    again.strategy.load_state_dict = again.strategy.ask = None  # neither is called
    result = again.run()
    assert [t.arch.key for t in result.trials] == [t.arch.key for t in first.trials]
    assert result.best.arch == first.best.arch
    longer = search(budget=30, archive=Archive(tmp_path / "a.sqlite", SPACE)).run()
    assert [t.arch.key for t in longer.trials[:20]] == [t.arch.key for t in first.trials] and len(longer.trials) == 30


def test_a_limit_on_what_trials_spend_ends_the_search(tmp_path: Path) -> None:
    class Costed:
        metrics, cost_class, protocol = EVALUATOR.metrics, EVALUATOR.cost_class, EVALUATOR.protocol

        def evaluate(self, arch, fidelity, seed):
            return dict(EVALUATOR.evaluate(arch, fidelity, seed)) | {"joules": 3.0}

    def run(**limits: float):
        archive = Archive(tmp_path / f"{sorted(limits)}.sqlite", SPACE)
        return search(archive=archive, executor=SerialExecutor(Costed()), limits=limits).run()

    result = run(joules=10.0, seconds=1e9)
    assert (result.stopped, len(result.trials)) == ("limit", 4)  # 3 + 3 + 3 < 10 <= 12
    again = run(joules=10.0, seconds=1e9)
    assert outcome(again) == outcome(result) and again.stopped == "limit"
    assert len(run(joules=1e9).trials) == 40
    assert run(seconds=1e-9).stopped == "limit"
    with pytest.raises(ConfigError, match="positive limits"):
        run(joules=0.0)
