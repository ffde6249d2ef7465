"""Settings: hashing, YAML, types."""

from __future__ import annotations

from pathlib import Path

import pytest

from gennas.errors import ConfigError, UnknownNameError
from gennas.workbench.config import CompareConfig, SearchConfig, load_yaml, parse_options


def test_the_hash_ignores_how_and_where() -> None:
    a = SearchConfig(out=Path("a"), workers=1, executor="serial")
    b = SearchConfig(out=Path("b"), workers=7, executor="process", track="wandb")
    assert a.config_hash == b.config_hash
    assert a.config_hash != SearchConfig(seed=1).config_hash != SearchConfig(budget=7).config_hash


@pytest.mark.parametrize("config", [SearchConfig(objective=("a:max", "b:min"), seed=3), CompareConfig(seeds=4)])
def test_yaml_round_trip(config, tmp_path: Path) -> None:
    import yaml

    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(config.to_dict()))
    assert type(config).from_dict(load_yaml(path)) == config


@pytest.mark.parametrize(
    "values",
    [{"budget": "many"}, {"budget": True}, {"objective": 3}, {"executor": "cloud"}, {"download": 1}, {"space": 5}],
)
def test_wrong_types_are_named(values: dict) -> None:
    with pytest.raises(ConfigError, match=next(iter(values))):
        SearchConfig.from_dict(values)


def test_unknown_setting() -> None:
    with pytest.raises(UnknownNameError, match="budget"):
        SearchConfig.from_dict({"budgett": 3})


def test_options() -> None:
    assert parse_options(["a=1", "b=[1, 2]", "c=text", "d=true"]) == {"a": 1, "b": [1, 2], "c": "text", "d": True}
    for bad in ("a", "=1", "a b=1", "a=[1"):
        with pytest.raises(ConfigError):
            parse_options([bad])


def test_not_a_mapping(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("- 1\n")
    with pytest.raises(ConfigError, match="mapping"):
        load_yaml(tmp_path / "c.yaml")
    with pytest.raises(ConfigError, match="Cannot read"):
        load_yaml(tmp_path / "missing.yaml")


def test_strategies_are_split_outside_of_brackets() -> None:
    config = CompareConfig(strategies="random, generative@shares=[0,0.6,0.4]@round_size=3,local-search,")
    assert config.strategy_names == ["random", "generative@shares=[0,0.6,0.4]@round_size=3", "local-search"]


def test_a_target_of_zero_is_a_setting() -> None:
    assert SearchConfig(target=0.0).target == 0.0 and SearchConfig(cheap=()).identity() == SearchConfig().identity()


def test_identity_is_what_decides_proposals_and_values() -> None:
    assert SearchConfig().identity() == {}  # a new setting, at its default, orphans no run
    free = {"budget": 3, "limit": {"seconds": 1}, "target": 0.0, "report": "x", "track": "wandb", "workers": 5}
    free |= {"executor": "process", "time_limit_s": 3.0, "memory_limit_gb": 1.0, "out": "elsewhere", "download": True}
    free |= {"retry": "failed", "enqueue": "a.txt", "ingest": "b.csv", "arch_format": "naslib"}
    assert SearchConfig.from_dict(free).identity() == {}
    bound = {"seed": 1, "strategy": "random", "asynchronous": True, "space_option": {"b": 1, "a": 2}, "depth": 0.5}
    assert SearchConfig.from_dict(bound).identity() == {**bound, "space_option": ["a=2", "b=1"]}


def test_ends_of_trials_to_be_evaluated_again() -> None:
    assert SearchConfig.from_dict({"retry": ["failed, lost", "timeout"]}).retry == ("failed", "lost", "timeout")
    assert SearchConfig.from_dict({"retry": "lost"}).to_dict()["retry"] == []
    with pytest.raises(UnknownNameError, match="Did you mean timeout"):
        SearchConfig.from_dict({"retry": "time-out"})


def test_settings_that_came_later_leave_earlier_runs_their_identity() -> None:
    assert "depth" not in SearchConfig().identity()
    assert SearchConfig(depth=0.5).identity()["depth"] == 0.5


def test_a_model_is_kept_among_the_strategys_options() -> None:
    config = SearchConfig(strategy="llm", model="vllm:NAME", model_option=["url=http://127.0.0.1:9", "timeout=3"])
    kept = {"server": "vllm", "model": "NAME", "url": "http://127.0.0.1:9", "timeout": 3}
    assert config.strategy_option["model"] == kept and config.model is None
    assert SearchConfig.from_dict(config.to_dict()) == config
    assert SearchConfig(strategy="llm", model="vllm").strategy_option == {"model": "vllm"}
    for wrong, says in (
        ({"model": "vllm", "strategy_option": {"model": "openai:x"}}, "given twice"),
        ({"model_option": ["url=http://127.0.0.1"]}, "needs --model"),
    ):
        with pytest.raises(ConfigError, match=says):
            SearchConfig(**wrong)


@pytest.mark.parametrize("names", ["", " ", "nwot,,params", [""], ["nwot", ""]])
def test_an_empty_name_is_no_name(names: object) -> None:
    with pytest.raises(ConfigError, match=r"--features: expected names separated by commas, got .*; leave it out"):
        SearchConfig(features=names)
    assert SearchConfig(features=[]).features == () and SearchConfig(warm_from="a, b").warm_from == ("a", "b")
