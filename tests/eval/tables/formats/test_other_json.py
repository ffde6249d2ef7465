"""NAS-Bench-Macro, NAS-Bench-301 and NAS-Bench-BERT: two records each in the official structure, made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gennas.errors import TableError
from gennas.eval.tables.formats import Source, open_official


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def macro(accuracy: float) -> dict[str, Any]:
    return {"test_acc": [accuracy - 1, accuracy, accuracy + 1], "mean_acc": accuracy, "std": 0.8, "params": 1985514,
            "flops": 85165000}  # fmt: skip


def test_macro(tmp_path: Path) -> None:
    path = write(tmp_path / "nas-bench-macro_cifar10.json", {"22212220": macro(93.0), "00000000": macro(88.0)})
    name, rows = open_official(Source(path))
    assert name == "macro" and rows.space == "nasbench-macro" and rows.cells["arch"] == ["22212220", "00000000"]
    assert rows.cells["test_accuracy"] == [93, 88] and rows.cells["test_accuracy_seed2"] == [94, 89]
    assert rows.cells["params"] == [1985514, 1985514]
    assert "test_accuracy_seed0" not in open_official(Source(path, seeds=False))[1].cells
    with pytest.raises(TableError, match="architecture '1': expected test_acc"):
        open_official(Source(write(path, {"22212220": macro(1), "1": macro(1)})))


def darts_record(accuracy: float, epochs: float = 98) -> dict[str, Any]:
    config: dict[str, Any] = {"layers": 20, "init_channels": 50}
    for kind, operation in (("normal", "sep_conv_3x3"), ("reduce", "max_pool_3x3")):
        config |= {f"inputs_node_{kind}_3": "0_1", f"inputs_node_{kind}_4": "1_3", f"inputs_node_{kind}_5": "0_4"}
        config |= {f"edge_{kind}_{i}": operation for i in (0, 1, 2, 3, 6, 8, 9)} | {f"edge_{kind}_13": "skip_connect"}
    return {
        "optimized_hyperparamater_config": {f"NetworkSelectorDatasetInfo:darts:{k}": v for k, v in config.items()},
        "budget": epochs, "runtime": 5000.0, "test_accuracy": accuracy - 1,
        "info": [{"val_accuracy": accuracy, "train_accuracy_final": 99.0, "model_parameters": 6369358}],
    }  # fmt: skip


def test_nasbench301_averages_repeats_of_one_fidelity(tmp_path: Path) -> None:
    for i, record in enumerate([darts_record(94), darts_record(95), darts_record(60, epochs=3)]):
        write(tmp_path / "random" / f"results_{i}.json", record)
    name, rows = open_official(Source(tmp_path))
    assert name == "nasbench301" and rows.space == "darts"
    normal = [("sep_conv_3x3", source) for source in (0, 1, 0, 1, 1, 3, 0)] + [("skip_connect", 4)]
    assert rows.cells["arch"][0].startswith(f"Genotype(normal={normal!r}, normal_concat=range(2, 6), reduce=[")
    assert rows.cells["val_accuracy"] == [94.5] and rows.cells["repeats"] == [2]
    assert rows.cells["params"] == [6369358] and rows.cells["train_seconds"] == [5000]
    assert rows.left_out[0] == "1 records of other fidelities than 98 epochs, 20 layers, 50 init_channels"


def test_nasbench301_in_one_file(tmp_path: Path) -> None:
    path = write(tmp_path / "records.json", [darts_record(94)])
    assert open_official(Source(path))[1].cells["test_accuracy"] == [93]
    with pytest.raises(TableError, match=r"records\.json: record 1: expected a record of NAS-Bench-301"):
        open_official(Source(write(path, [{**darts_record(94), "info": []}])))


def encoder(number: int, glue: float) -> dict[str, Any]:
    layer = {"operation_type": "SA", "operation_parameter": "SDP", "num_operation_heads": 2,
             "feed_forward_dimension": 512, "num_feed_forward": 1}  # fmt: skip
    overrides = {"hidden_size": 128, "nas_config": {"encoder_layers": [layer] * 2}}
    return {"id": number, "scores": {"cola": 0.3, "glue": glue}, "hparams": {"model_hparam_overrides": overrides}}


def test_nasbench_bert(tmp_path: Path) -> None:
    name, rows = open_official(Source(write(tmp_path / "BERT_benchmark.json", [encoder(7, 0.6), encoder(8, 0.7)])))
    assert name == "nasbench-bert" and rows.cells["glue"] == [0.6, 0.7] and rows.cells["hash"] == ["#7", "#8"]
    text = json.loads(rows.cells["arch"][0])
    assert text["hidden_size"] == 128 and text["encoder_layers"][1]["operation_parameter"] == "SDP"
    with pytest.raises(TableError, match="record 2: expected scores"):
        open_official(Source(write(tmp_path / "b.json", [encoder(7, 0.6), {"scores": {}}])))


def test_a_converted_table_of_nasbench301_is_searched(tmp_path: Path) -> None:
    """The space writes the same texts as the table: all of its rows are found, and the search stays among them."""
    from gennas.cli.main import main
    from gennas.search.archive import Archive
    from gennas.spaces import DARTS

    operations = ("sep_conv_3x3", "sep_conv_5x5", "skip_connect", "dil_conv_3x3", "max_pool_3x3")
    for i, operation in enumerate(operations):
        record = darts_record(90 + i)
        config = record["optimized_hyperparamater_config"]
        config |= {key: operation for key in config if "edge_normal" in key}
        write(tmp_path / "random" / f"results_{i}.json", record)
    table, out = tmp_path / "nb301.csv", tmp_path / "run"
    assert main(["convert-table", str(tmp_path / "random"), str(table)]) == 0
    words = ["search", "--space", "darts", "--table", str(table), "--objective", "val_accuracy:max"]
    assert main([*words, "--strategy", "random", "--budget", "5", "--out", str(out)]) == 0
    trials = Archive(out / "archive.sqlite", DARTS()).trials()
    assert sorted(trial.metrics["val_accuracy"] for trial in trials) == [90, 91, 92, 93, 94]
    best = max(trials, key=lambda trial: trial.metrics["val_accuracy"])
    assert {operation for operation, _ in DARTS().genotype(best.arch).normal} == {"max_pool_3x3"}
