"""The tables of NAS-Bench-Graph against published values, and their cache."""

from __future__ import annotations

import pickle
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gennas.errors import ConfigError, TableError, UnknownNameError
from gennas.eval.tables import nasbench_graph
from gennas.eval.tables.nasbench_graph import DATASETS, load_nasbench_graph, read_bench
from gennas.graph import Population
from gennas.spaces.nasbench_graph.space import NASBenchGraph

# Rows, best test accuracy, test accuracy of the row with the best validation accuracy.
PUBLISHED = {
    "cora": (26206, 0.8313, 0.8263),
    "citeseer": (26206, 0.7157, 0.7103),
    "pubmed": (26206, 0.7860, 0.7560),
    "cs": (26206, 0.9126, 0.9059),
    "physics": (26206, 0.9300, 0.9135),
    "photo": (26206, 0.9279, 0.9208),
    "computers": (26206, 0.8558, 0.8203),
    "arxiv": (26206, 0.7239, 0.7195),
    "proteins": (2021, 0.7926, 0.7611),
}


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENNAS_CACHE", str(folder))
        yield folder


@pytest.mark.parametrize("dataset", DATASETS)
def test_rows_and_optima_are_the_published_ones(dataset: str) -> None:
    table = load_nasbench_graph(dataset)
    rows, best_test, test_of_best = PUBLISHED[dataset]
    assert len(table) == rows
    assert table.coverage == 1.0
    assert round(table.optimum("test_accuracy")[0], 4) == best_test
    incumbent = table.keys.index(table.optimum("val_accuracy")[1][0])
    assert round(table.columns["test_accuracy"][incumbent], 4) == test_of_best


def test_metrics_have_units_and_directions() -> None:
    metrics = load_nasbench_graph("cora").metrics
    assert {name: (m.direction, m.unit) for name, m in metrics.items()} == {
        "val_accuracy": ("max", ""),
        "test_accuracy": ("max", ""),
        "latency_s": ("min", "s"),
        "params_m": ("min", "M"),
    }


@pytest.mark.parametrize(("dataset", "variant"), [("cora", "default"), ("proteins", "proteins")])
def test_rows_are_joined_by_the_official_hash(dataset: str, variant: str) -> None:
    space = NASBenchGraph(variant)  # type: ignore[arg-type]
    published = pickle.loads(nasbench_graph._source(dataset).read_bytes())
    links, operations = ([0, 0, 1, 2], [0, 1, 1, 3], [0, 1, 2, 3]), ["gcn", "sage", "fc", "arma"]
    archs = Population.of(space.schema, [space.from_links(parents, operations) for parents in links])
    # Digits: index of the shape, then of each operation among gat gcn gin cheb sage arma graph fc skip.
    # The graph 0113 is a renumbering of 0112, which swaps the middle two operations.
    rows = [published[31475], published[61745], published[81475]]
    found = load_nasbench_graph(dataset, space).lookup_population(archs)
    assert found["val_accuracy"].tolist() == [row["valid_perf"] for row in rows]
    assert found["test_accuracy"].tolist() == [row["perf"] for row in rows]
    assert found["latency_s"].tolist() == [row["latency"] for row in rows]
    assert found["params_m"].tolist() == [row["para"] for row in rows]


def test_second_load_comes_from_the_cache_and_is_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_nasbench_graph("arxiv")
    monkeypatch.setattr(nasbench_graph, "read_bench", lambda file: pytest.fail("the source was read again"))
    start = time.process_time()
    second = load_nasbench_graph("arxiv")
    assert time.process_time() - start < 1.5  # 0.05 s on an idle core
    assert second.keys == first.keys
    assert all(np.array_equal(second.columns[name], first.columns[name]) for name in first.columns)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 not really", None])
def test_a_damaged_cache_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes | None) -> None:
    monkeypatch.setenv("GENNAS_CACHE", str(tmp_path))
    first = load_nasbench_graph("proteins")
    (file,) = tmp_path.iterdir()
    sound = file.read_bytes()
    file.write_bytes(sound[: len(sound) // 2] if damage is None else damage)
    assert load_nasbench_graph("proteins").keys == first.keys
    with np.load(file, allow_pickle=False) as arrays:
        assert arrays["values"].shape == (4, 2021)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]  # nothing temporary is left


def test_an_unwritable_cache_is_warned_of_and_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GENNAS_CACHE", str(tmp_path / "file"))
    with pytest.warns(RuntimeWarning, match="Cannot cache the table") as caught:
        assert len(load_nasbench_graph("proteins")) == 2021
    assert len(caught) == 1


def test_default_cache_is_below_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GENNAS_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert nasbench_graph.cache_folder() == tmp_path / ".cache" / "gennas"


def test_the_space_must_be_the_tables_own() -> None:
    assert load_nasbench_graph("cora", NASBenchGraph(hidden=128)).space.hidden == 128  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match="proteins belongs to the space nasbench-graph-proteins, got nasbench-graph"):
        load_nasbench_graph("proteins", NASBenchGraph())
    with pytest.raises(UnknownNameError, match="Did you mean cora"):
        load_nasbench_graph("coraa")


def row(**changes: object) -> dict[str, object]:
    return {"valid_perf": 0.5, "perf": np.float64(0.4), "latency": 0.01, "para": 1.0} | changes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "expected a mapping of architectures, got list"),
        ({}, "expected a mapping of architectures"),
        ({"a": row()}, "'a' is not an integer"),
        ({10: {"perf": 0.5}}, "KeyError"),
        ({10: row(perf="high")}, "ValueError"),
        ({10: 3.0}, "TypeError"),
        ({10: row(), 11: row(latency=float("nan"))}, "architecture 11, latency: expected a finite number, got nan"),
    ],
)
def test_files_of_another_form_are_refused(tmp_path: Path, content: object, message: str) -> None:
    file = tmp_path / "cora.bench"
    file.write_bytes(pickle.dumps(content))
    with pytest.raises(TableError, match=message):
        read_bench(file)


def test_a_table_with_other_rows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "cora.bench"
    file.write_bytes(pickle.dumps({0: row(), 99999: row()}))
    monkeypatch.setattr(nasbench_graph, "_source", lambda dataset: file)
    with pytest.raises(
        TableError, match=r"one row for each of 26206 architectures, got 2 \(1 unknown, 26205 missing\)"
    ):
        load_nasbench_graph("cora")


def test_a_missing_package_or_file_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nasbench_graph.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(TableError, match="pip install nas-bench-graph"):
        load_nasbench_graph("cora")


def test_the_package_is_not_run() -> None:
    import subprocess
    import sys

    code = (
        "import sys\nfrom gennas.eval.tables import load_nasbench_graph\nload_nasbench_graph('proteins')\n"
        "print([m for m in ('nas_bench_graph', 'torch', 'wandb', 'torch_geometric') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_loading_gives_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_nasbench_graph("cora")
