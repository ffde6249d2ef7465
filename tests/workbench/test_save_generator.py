"""Generators of a search are kept once per refit, with what they know."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gennas.generators.trained import TrainedGenerator
from gennas.search import Origin, Proposal, Trial
from gennas.workbench.problem import make_strategy
from gennas.workbench.run import Run
from gennas.workbench.save_generator import GeneratorSaver

Maker = Callable[..., Run]
OPTIONS = {
    "warm_start": 6, "round_size": 3, "pool_size": 30, "unlabelled": 40, "pretrain_steps": 2, "refit_every": 3,
    "refit_steps": 1,
}  # fmt: skip


def test_each_refit_is_a_folder_that_knows_the_trials_so_far(make_run: Maker, tmp_path: Path) -> None:
    run = make_run(strategy="generative", strategy_option=OPTIONS, budget=12)
    folders = sorted((tmp_path / "run" / "generator").iterdir())
    assert [f.name for f in folders] == [f"round-{i:03d}" for i in range(1, len(folders) + 1)] and len(folders) >= 2
    known = []
    for folder in folders:
        trained = TrainedGenerator.from_pretrained(folder)
        assert trained.space.schema.fingerprint == run.problem.space.schema.fingerprint
        (note,) = trained.history
        assert note["run"] == run.config.config_hash and note["seed"] == 0
        assert trained.known == {t.arch.key for t in run.result.trials[: note["n_evals"]] if t.ok}
        known.append(len(trained.known))
    assert known == sorted(set(known))


def test_running_again_leaves_saved_generators_alone(make_run: Maker, tmp_path: Path) -> None:
    settings = {"strategy": "generative", "strategy_option": OPTIONS, "budget": 9}
    make_run(**settings)
    before = {f: f.stat().st_mtime_ns for f in (tmp_path / "run" / "generator").rglob("*")}
    make_run(**settings)
    assert before and {f: f.stat().st_mtime_ns for f in (tmp_path / "run" / "generator").rglob("*")} == before


def test_a_strategy_without_a_generator_saves_nothing(make_run: Maker, tmp_path: Path) -> None:
    run = make_run()
    saver = GeneratorSaver(make_strategy("random", {}, run.problem, 0), run.config, run.problem)
    saver.on_round(3, {"refits": 1.0})
    assert not (tmp_path / "run" / "generator").exists()


@pytest.mark.parametrize("record", [{}, {"round": 2.0}, {"refits": 5.0}])
def test_rounds_without_a_refit_or_from_before_save_nothing(
    record: dict[str, float], make_run: Maker, tmp_path: Path
) -> None:
    run = make_run()
    strategy = make_strategy("generative", OPTIONS, run.problem, 0)
    GeneratorSaver(strategy, run.config, run.problem).on_round(3, record)
    assert not (tmp_path / "run" / "generator").exists()


def test_failed_trials_teach_nothing(make_run: Maker) -> None:
    run = make_run(budget=2)
    saver = GeneratorSaver(make_strategy("random", {}, run.problem, 0), run.config, run.problem)
    good = run.result.trials[0]
    saver.on_trial(good, 1, good)
    saver.on_trial(Trial(Proposal(good.arch, Origin("x")), "failed"), 2, good)
    assert saver.trials == [good]
