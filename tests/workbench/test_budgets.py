"""What a budget means for a strategy."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from gennas.errors import ConfigError
from gennas.search import Objective, Objectives, Strategy
from gennas.search.strategies import NSGA2, BayesianSearch, LocalSearch, RandomSearch, RegularizedEvolution
from gennas.spaces import NASBench201
from gennas.workbench.budgets import options_for, scaling_note, warm_up_note


def make(factory: type[Strategy], **options: int) -> Strategy:
    return factory(NASBench201(), Objectives((Objective("score"),)), 0, **options)


@pytest.mark.parametrize(
    ("strategy", "initial"),
    [
        (make(RandomSearch), 0),
        (make(LocalSearch), 1),
        (make(RegularizedEvolution), 50),
        (make(RegularizedEvolution, population_size=7), 7),
        (make(NSGA2), 20),
        (make(BayesianSearch, warm_start=12), 12),
    ],
)
def test_a_warning_where_the_start_takes_the_whole_budget(strategy: Strategy, initial: int) -> None:
    assert strategy.initial_evaluations == initial
    assert warm_up_note("it", strategy, initial + 1) == ""
    if initial:
        assert f"its first {initial} proposals" in warm_up_note("it", strategy, initial)


@pytest.mark.parametrize(("budget", "size"), [(4, 2), (8, 2), (24, 6), (40, 10), (99, 24)])
def test_the_population_is_a_quarter_of_a_small_budget(budget: int, size: int) -> None:
    assert options_for("regularized-evolution", {}, budget, []) == {"population_size": size}
    assert options_for("regularized-evolution", {"population_size": 30}, budget, []) == {"population_size": 30}
    assert options_for("regularized-evolution", {"sample_size": 3}, budget, [Path("none")]) == {
        "population_size": size,
        "sample_size": 3,
    }


@pytest.mark.parametrize("budget", [100, 150, 800])
def test_published_budgets_keep_the_default(budget: int) -> None:
    assert options_for("regularized-evolution", {}, budget, []) == {}


@pytest.mark.parametrize("name", ["random", "local-search", "bayesian", "generative", "nsga2"])
def test_others_take_no_notice_of_the_budget(name: str) -> None:
    assert options_for(name, {}, 5, []) == {}


def test_the_note_names_what_was_chosen() -> None:
    used = {"population_size": 6, "sample_size": 3}
    assert scaling_note("re", {"sample_size": 3}, used).startswith("re runs with population_size=6, which suits")
    assert scaling_note("re", used, used) == ""


def test_the_warning_says_what_would_do() -> None:
    assert warm_up_note("it", make(RegularizedEvolution), 20).endswith("or give it population_size=5.")
    assert warm_up_note("it", make(NSGA2), 20).endswith("or shrink its start (population_size, warm_start).")


def test_a_foreign_run_that_names_code_is_refused_with_advice_that_compare_knows(tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'mark')!r}, 'w')\n")
    shares = {"shares": {f"{tmp_path / 'evil.py'}:Source": 1.0}}
    settings = {"space": "nasbench201", "strategy": "generative", "strategy_option": shares}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    with pytest.raises(
        ConfigError, match=r"name these options yourself \(generative@KEY=VALUE\), or use another --out"
    ):
        options_for("generative", {}, 20, [tmp_path])
    with pytest.raises(ConfigError) as caught:
        options_for("generative", {}, 20, [tmp_path])
    assert "--trust" not in str(caught.value) and not (tmp_path / "mark").exists()
    assert options_for("generative", shares, 20, [tmp_path]) == shares, "what one names oneself one trusts"
