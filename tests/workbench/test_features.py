"""Features by name: tables, proxies, counts, an encoder; and searches with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gennas.errors import ArchiveError, ConfigError, TableError, UnknownNameError
from gennas.search.columns import CountedColumns, KnownColumns, MeasuredColumns
from gennas.search.embedding import EncoderColumns
from gennas.training import Task
from gennas.workbench.config import SearchConfig
from gennas.workbench.equip import make_equipment
from gennas.workbench.features import ChosenFeatures, choose_features
from gennas.workbench.problem import make_problem
from gennas.workbench.run import Run, open_run

CHAINS = {"max_depth": 2, "min_depth": 1, "widths": [4], "kernels": [3]}
SMALL = {"input_shape": [3, 8, 8], "batch_size": 4}
BAYESIAN = {"strategy": "bayesian", "strategy_option": {"pool_size": 20, "warm_start": 4}}


@pytest.fixture
def choose(table: Path) -> Callable[..., ChosenFeatures | None]:
    """The features that settings name, on the chains with a table."""

    def make(**settings: Any) -> ChosenFeatures | None:
        config = SearchConfig(space="macro-chain", space_option=CHAINS, table=str(table), **settings)
        return choose_features(config, make_problem(config))

    return make


@pytest.fixture
def columns(frame: pd.DataFrame, tmp_path: Path) -> Path:
    """Two columns for the chains, one with gaps."""
    path = tmp_path / "columns.csv"
    cheap = np.arange(len(frame), dtype=float)
    gaps = pd.Series(cheap).where(cheap % 5 != 0)
    pd.DataFrame({"arch": frame["arch"], "cheap": cheap, "gaps": gaps}).to_csv(path, index=False)
    return path


def test_nothing_is_computed_unless_it_is_named(choose: Callable[..., Any]) -> None:
    assert choose() is None


def test_names_are_columns_counts_proxies_or_the_encoder(choose: Callable[..., Any], columns: Path) -> None:
    chosen = choose(
        features="gaps,params,nwot,encoder", feature_table=columns, feature_option=SMALL, features_per_proposal=7
    )
    table, params, encoder = chosen.features.free
    assert (
        isinstance(table, KnownColumns) and isinstance(params, CountedColumns) and isinstance(encoder, EncoderColumns)
    )
    assert isinstance(chosen.features.paid, MeasuredColumns) and chosen.features.paid.names == ("nwot",)
    assert chosen.features.per_proposal == 7 and encoder.paid is chosen.features.paid
    assert "input 3x8x8" in chosen.identity and "gaps of table" in chosen.identity


def test_a_table_without_names_gives_all_its_columns(choose: Callable[..., Any], columns: Path, chains: Any) -> None:
    (table,) = choose(feature_table=columns).features.free
    found = table(chains.sample(10, np.random.default_rng(0)))
    assert found.shape == (10, 4) and not found[:, 2].any()
    assert choose(features="cheap", feature_table=columns).features.free[0].columns == ("cheap",)


@pytest.mark.parametrize(
    ("settings", "error", "reason"),
    [
        ({"features": "nwott"}, UnknownNameError, "feature 'nwott'. Did you mean nwot"),
        ({"features": "aznas"}, ConfigError, "ranks a population"),
        ({"feature_option": {"batch_size": 4}}, ConfigError, "give --features PROXY"),
        ({"features": "nwot", "feature_option": {"batch_sizes": 4}}, ConfigError, "batch_size"),
        ({"features": "nwot", "feature_option": {"batch": "cora"}}, ConfigError, "batch=noise"),
    ],
)
def test_what_cannot_be_is_refused(
    choose: Callable[..., Any], settings: dict[str, Any], error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason) as found:
        choose(**settings)
    assert "\n" not in str(found.value)


def test_labels_and_strangers_in_a_table_are_refused(
    choose: Callable[..., Any], table: Path, columns: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="'val_accuracy' is what the search is for"):
        choose(feature_table=table)
    with pytest.raises(UnknownNameError, match=r"column of --feature-table 'chep'\. Did you mean cheap"):
        choose(features="chep", feature_table=columns)
    empty = tmp_path / "empty.csv"
    pd.read_csv(columns).assign(hollow="nan", endless=np.inf).to_csv(empty, index=False)
    for name in ("hollow", "endless"):
        with pytest.raises(ConfigError, match=f"expected numbers in '{name}', got none"):
            choose(features=name, feature_table=empty)
    other = tmp_path / "other.csv"
    other.write_text("arch,x\n|none~0|+|none~0|none~1|+|none~0|none~1|none~2|,1\n")
    with pytest.raises(TableError, match="another space"):
        choose(feature_table=other)


def test_a_proxy_that_is_searched_is_no_feature() -> None:
    config = SearchConfig(
        space="macro-chain", space_option=CHAINS, proxy="nwot,params", objective=("nwot:max",), features="nwot,params"
    )
    with pytest.raises(ConfigError, match="'nwot' is what the search is for, which would be a label"):
        choose_features(config, make_problem(config))
    sizes = replace(config, features=("params",))
    assert choose_features(sizes, make_problem(sizes)) is not None


def test_a_search_computes_charges_and_shows_them(make_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_run(**BAYESIAN, features="nwot,params", feature_option=SMALL, features_per_proposal=3, report=True)
    spent = sum(t.cost.get("feature_seconds", 0.0) for t in run.result.trials)
    assert spent > 0 and run.summary()["feature_s"] == spent
    assert "computing features" in (run.directory / "report.html").read_text()
    again = open_run(run.directory)
    assert [t.arch for t in again.result.trials] == [t.arch for t in run.result.trials]
    longer = make_run(**BAYESIAN, features="nwot,params", feature_option=SMALL, features_per_proposal=3, budget=10)
    whole = make_run(
        **BAYESIAN, features="nwot,params", feature_option=SMALL, features_per_proposal=3, budget=10, out=tmp_path / "b"
    )
    assert [t.arch for t in longer.result.trials] == [t.arch for t in whole.result.trials]
    with pytest.raises(ConfigError, match="features_per_proposal: 3 there, 4 now"):
        make_run(**BAYESIAN, features="nwot,params", feature_option=SMALL, features_per_proposal=4)


def test_another_table_under_the_same_name_is_another_search(make_run: Callable[..., Run], columns: Path) -> None:
    make_run(**BAYESIAN, feature_table=columns)
    columns.write_text(columns.read_text().replace("1.0", "1.5"))
    with pytest.raises(ArchiveError, match="--features holds other values"):
        make_run(**BAYESIAN, feature_table=columns, budget=10)


def test_strategies_without_a_surrogate_refuse_them(make_run: Callable[..., Run], columns: Path) -> None:
    with pytest.raises(ConfigError, match=r"--features is for strategies with a surrogate.*random has none"):
        make_run(feature_table=columns)


def test_a_proxy_without_a_value_is_said_before_the_search(make_run: Callable[..., Run], tmp_path: Path) -> None:
    file = tmp_path / "never.py"
    file.write_text(
        "from gennas.eval.proxies import Proxy\n"
        "class Never(Proxy):\n"
        "    '''Has no value.'''\n"
        "    name = 'never'\n"
        "    passes = frozenset({'weights'})\n"
        "    def score(self, passes):\n"
        "        raise ValueError('not here')\n"
    )
    with pytest.raises(ConfigError, match=r"never has no value here.*not here"):
        make_run(**BAYESIAN, features=f"{file}:Never", feature_option=SMALL)


def test_proxies_look_at_the_task_that_is_trained_on(blobs: Task) -> None:
    config = SearchConfig(
        space="macro-chain", space_option=CHAINS, task=blobs, features="nwot", feature_option={"batch_size": 8}
    )
    problem = make_problem(config)
    chosen = choose_features(config, problem)
    assert chosen is not None and chosen.identity.startswith("proxies(nwot; blobs x8; init default; input 1x8x8")
    chosen.check(problem, 0)
    assert chosen.features.paid is not None
    archs = problem.space.sample(2, np.random.default_rng(0))
    chosen.features.paid.compute(archs)
    assert np.isfinite(chosen.features.paid.raw(archs)).all()


def test_equipment_of_nothing_changes_nothing(table: Path) -> None:
    config = SearchConfig(space="macro-chain", space_option=CHAINS, table=str(table))
    problem = make_problem(config)
    equipment = make_equipment(config, problem)
    assert equipment.problem is problem and equipment.chosen is None and not equipment.runs
