"""Options from Python, YAML and the command line are one thing; wrong values are refused in one line."""

from __future__ import annotations

import pickle
from dataclasses import fields, replace
from pathlib import Path

import pytest

from gennas import CompareConfig, SearchConfig
from gennas.errors import ConfigError, UnknownNameError
from gennas.spaces import NASBench201
from gennas.workbench.settings import Options, SpaceSettings, load_yaml, parse_options, read_value


@pytest.mark.parametrize(
    "given",
    [
        {"lr": 1e-3, "kernels": [3, 5]},
        ["lr=1e-3", "kernels=[3, 5]"],
        ("lr=0.001", "kernels=[3,5]"),
        Options({"lr": 0.001, "kernels": [3, 5]}),
    ],
)
def test_options_are_mappings_wherever_they_come_from(given: object) -> None:
    config = SearchConfig(strategy_option=given)  # type: ignore[arg-type]
    assert config.strategy_option == {"lr": 0.001, "kernels": [3, 5]}
    assert config == SearchConfig(strategy_option={"lr": 0.001, "kernels": [3, 5]})
    assert config.to_dict()["strategy_option"] == {"lr": 0.001, "kernels": [3, 5]}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 1e5),
        ("-2.5e+2", -250.0),
        (".5e1", 5.0),
        ("1_000", 1000),
        ("2020-01-01", "2020-01-01"),
        ("e3", "e3"),
        ("1e", "1e"),
        ("{random: 1e-1}", {"random": 0.1}),
        ("null", None),
        ("", None),
    ],
)
def test_values_are_what_a_person_means(text: str, value: object) -> None:
    found = read_value(text)
    assert found == value and type(found) is type(value)


def test_yaml_mappings_and_numbers(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("strategy-option: {population_size: 5}\ntrain_option:\n  lr: 1e-3\nspace_option: [num_cells=1]\n")
    config = SearchConfig.from_dict(load_yaml(path))
    assert (config.strategy_option, config.train_option, config.space_option) == (
        {"population_size": 5},
        {"lr": 0.001},
        {"num_cells": 1},
    )


def test_options_are_immutable_hashable_and_pickle() -> None:
    options = Options({"a": 1, "b": [1, 2]})
    assert hash(options) == hash(Options({"b": [1, 2], "a": 1}))
    assert pickle.loads(pickle.dumps(options)) == options
    assert not hasattr(options, "__setitem__")
    assert {SearchConfig(strategy_option={"a": 1}): "found"}[SearchConfig(strategy_option=["a=1"])] == "found"


@pytest.mark.parametrize("values", [{"a": 1.5}, {"a": "two words"}, {"a": [1, {"b": None}]}, {"a": True}, {"a": "1"}])
def test_options_as_pairs_are_read_again(values: dict[str, object]) -> None:
    assert Options.of(Options(values).pairs()) == values


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"budget": 0}, "--budget: expected at least 1, got 0."),
        ({"budget": 1.5}, "--budget: expected a whole number, got 1.5."),
        ({"budget": "many"}, "--budget: expected a whole number, got 'many'."),
        ({"seed": -1}, "--seed: expected at least 0, got -1."),
        ({"target": float("nan")}, "--target: expected a finite number, got nan."),
        ({"time_limit_s": 0}, "--time-limit-s: expected more than 0, got 0."),
        ({"time_limit_s": float("inf")}, "--time-limit-s: expected a finite number, got inf."),
        ({"memory_limit_gb": -1.0}, "--memory-limit-gb: expected more than 0, got -1.0."),
        ({"workers": 0}, "--workers: expected at least 1, got 0."),
        ({"width": 1.5}, "--width: expected at most 1, got 1.5."),
        ({"data_fraction": 0}, "--data-fraction: expected more than 0, got 0."),
        ({"executor": "proces"}, "got 'proces'. Did you mean process?"),
        ({"download": 1}, "--download: expected true or false, got 1."),
        ({"limit": ["seconds=-1"]}, "--limit: expected a limit like seconds=600, a positive number, got seconds=-1."),
        ({"limit": {"seconds": float("inf")}}, "--limit: expected a limit"),
        ({"space_option": "num_cells"}, "--space-option: expected KEY=VALUE, got 'num_cells'."),
        ({"space_option": 3}, "--space-option: expected a mapping of options or KEY=VALUE texts, got 3."),
        ({"space_option": ["a=1", "a=2"]}, "--space-option: the option 'a' is given twice"),
        ({"space": 5}, "--space: expected a name, an import path or the thing itself, got 5."),
    ],
)
def test_wrong_values_are_refused_in_one_line(values: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SearchConfig.from_dict(values)
    assert complaint in str(caught.value) and "\n" not in str(caught.value)


def test_an_unknown_setting_has_a_near_name() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean budget"):
        SearchConfig.from_dict({"budgt": 3})


def test_a_copy_with_a_wrong_value_is_refused_too() -> None:
    with pytest.raises(ConfigError, match="--budget"):
        replace(SearchConfig(), budget=0)


@pytest.mark.parametrize("pair", ["a=[1, 2", "a=1: 2: 3", "=1", "a b=1", "a=" + "9" * 5000])
def test_pairs_that_cannot_be_read(pair: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_options([pair])
    assert len(str(caught.value)) < 500


def test_space_is_the_first_setting_of_every_verb_that_has_one() -> None:
    assert (
        [f.name for f in fields(SearchConfig)][:2]
        == [f.name for f in fields(CompareConfig)][:2]
        == ["space", "space_option"]
    )


def test_a_space_that_is_there_is_recorded_by_how_it_was_made() -> None:
    made = SearchConfig(space=NASBench201(num_cells=1))
    named = SearchConfig(space="nasbench201", space_option={"num_cells": 1})
    assert made.to_dict() == named.to_dict() and made.config_hash == named.config_hash


def test_a_copied_space_keeps_its_arguments() -> None:
    space = pickle.loads(pickle.dumps(NASBench201(num_cells=2)))
    assert SpaceSettings(space).to_dict() == {"space": "nasbench201", "space_option": {"num_cells": 2}}


@pytest.mark.parametrize(
    "config",
    [SearchConfig(strategy_option={"a": 1}, objective="x:max"), SearchConfig(space="nasbench-graph", task="cora")],
)
def test_settings_that_are_written_and_read_keep_their_identity(config: SearchConfig) -> None:
    assert config.config_hash == SearchConfig.from_dict(config.to_dict()).config_hash
