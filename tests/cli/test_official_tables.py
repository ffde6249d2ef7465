"""From a benchmark's official file, made by hand, to a finished search on it."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from gennas.eval.tables.formats.tfrecord import masked_crc32c
from gennas.spaces import NASBench101, NASBench201, Space
from gennas.workbench.run import open_run

DATASETS = {
    "cifar10-valid": ["x-valid", "ori-test"],
    "cifar10": ["ori-test"],
    "cifar100": ["x-valid", "x-test"],
    "ImageNet16-120": ["x-valid", "x-test"],
}
RANDOM = ("--strategy", "random")
MACRO = '''
from itertools import product
import numpy as np
from gennas.graph import GraphSchema
from gennas.spaces import Space

class Macro(Space):
    """NAS-Bench-Macro: eight layers, written as eight digits."""

    name = "nasbench-macro"

    def __init__(self):
        edges = np.zeros((8, 8, 2), dtype=bool)
        edges[..., 0] = True
        edges[np.arange(7), np.arange(1, 8)] = [False, True]
        names = tuple(f"layer{i}.op" for i in range(8))
        self.schema = GraphSchema(self.name, ("0", "1", "2"), ("none", "next"), np.ones((8, 3), bool), edges, names)

    def to_text(self, arch):
        return "".join(str(s) for s in arch.decisions)

    def from_text(self, text):
        return super().from_text("/".join(text))

    def build(self, arch, spec):
        raise NotImplementedError
'''


@pytest.fixture
def searched(run: Callable[..., int], tmp_path: Path) -> Callable[..., Any]:
    """A search on a table through the command line; the run that it leaves."""

    def search(space: object, table: Path, objective: str, budget: int, *words: object) -> Any:
        out = tmp_path / f"run{len(list(tmp_path.glob('run*')))}"
        settings = ["--space", space, "--table", table, "--objective", objective, "--budget", budget, "--out", out]
        assert run("search", *settings, *words) == 0
        return open_run(out, trust=True)

    return search


def texts_of(space: Space, n: int) -> list[str]:
    return [space.to_text(arch) for arch in space.sample(2 * n, np.random.default_rng(0)).unique()[:n]]


def trial(text: str, seed: int, sets: list[str], last: float) -> dict[str, Any]:
    epochs = 2
    return {
        "name": "infer.tiny", "net_state_dict": None, "arch_config": {"arch_str": text, "channel": 16},
        "train_acc1es": {e: last for e in range(epochs)}, "train_acc5es": None, "train_losses": {},
        "train_times": {e: 2.0 for e in range(epochs)}, "params": 0.3, "flop": 40.0, "seed": seed, "epochs": epochs,
        "latency": [0.01], "eval_names": sets, "eval_times": {}, "eval_losses": {},
        "eval_acc1es": {f"{s}@{e}": last - 10 * (epochs - 1 - e) for s in sets for e in range(epochs)},
    }  # fmt: skip


def record(index: int, text: str, last: float) -> dict[str, Any]:
    results = {(name, 777): trial(text, 777, sets, last) for name, sets in DATASETS.items()}
    seeds = {name: [777] for name in DATASETS}
    return {"arch_index": index, "arch_str": text, "all_results": results, "dataset_seed": seeds, "clear_net_done": 1}


@pytest.mark.parametrize("words", [RANDOM, ("--strategy", "generative", "--strategy-option", "pretrain_steps=3")])
def test_nasbench201(
    words: tuple[str, ...], tmp_path: Path, run: Callable[..., int], searched: Callable[..., Any], capsys
) -> None:
    texts = texts_of(NASBench201(), 100)
    infos = {i: {"less": record(i, t, 20.0), "full": record(i, t, 50.0 + i / 10)} for i, t in enumerate(texts)}
    official, table = tmp_path / "NAS-Bench-201-v1_1-096897.pth", tmp_path / "nb201.parquet"
    torch.save({"meta_archs": texts, "arch2infos": infos, "evaluated_indexes": set(infos)}, official)
    assert run("convert-table", official, table, "--dataset", "cifar10") == 0
    assert "100 architectures" in capsys.readouterr().out
    found = searched("nasbench201", table, "val_accuracy_200:max", 30, *words)
    assert "holds 100 architectures, 0.64% of the space: the search stays among them" in capsys.readouterr().out
    assert len(found.result.trials) == 30 and all(t.ok for t in found.result.trials)
    for one in found.result.trials:
        place = texts.index(found.problem.space.to_text(one.arch))
        assert one.metrics["val_accuracy_200"] == pytest.approx(50 + place / 10)  # the last epoch, not that of 12
    assert found.problem.optimum == pytest.approx(59.9)


def test_nasbench201_by_its_distinct_cells(
    tmp_path: Path, run: Callable[..., int], searched: Callable[..., Any], capsys
) -> None:
    zeros = "|none~0|+|none~0|none~1|+|{}~0|none~1|none~2|"
    twin = "|skip_connect~0|+|none~0|none~1|+|none~0|{}~1|none~2|"
    texts = [form.format(op) for op in ("nor_conv_3x3", "skip_connect", "avg_pool_3x3") for form in (zeros, twin)]
    infos = {i: {"full": record(i, t, 10.0 * i)} for i, t in enumerate(texts)}
    official, table = tmp_path / "nb201.pth", tmp_path / "nb201.csv.gz"
    torch.save({"meta_archs": texts, "arch2infos": infos, "evaluated_indexes": set(infos)}, official)
    assert run("convert-table", official, table, "--dataset", "cifar100") == 0
    words = [*RANDOM, "--space-option", "distinct=true"]
    found = searched("nasbench201", table, "val_accuracy_200:max", 30, *words)
    assert "3 architectures stand in several rows that disagree: their means are taken" in capsys.readouterr().out
    assert sorted(t.metrics["val_accuracy_200"] for t in found.result.trials) == [5.0, 25.0, 45.0]
    assert found.result.stopped == "exhausted"
    first = searched("nasbench201", table, "val_accuracy_200:max", 30, *words, "--table-duplicates", "first")
    assert sorted(t.metrics["val_accuracy_200"] for t in first.result.trials) == [0.0, 20.0, 40.0]


def test_nasbench101(tmp_path: Path, run: Callable[..., int], searched: Callable[..., Any]) -> None:
    space = NASBench101()
    archs = [space.from_text(text) for text in texts_of(space, 60)]
    payloads = []
    for i, arch in enumerate(archs):
        matrix, operations = space.to_matrix(arch)
        cell = ["".join(map(str, matrix.ravel())), ",".join(operations)]
        payloads += [json.dumps([f"{i:032x}", 108, *cell, metrics_101(0.5 + i / 1000)]).encode()] * 3
    official, table = tmp_path / "nasbench_only108.tfrecord", tmp_path / "nb101.parquet"
    official.write_bytes(b"".join(framed(payloads)))
    assert run("convert-table", official, table, "--no-seeds") == 0
    found = searched("nasbench101", table, "validation_accuracy_108:max", 20, "--strategy", "regularized-evolution")
    keys = [arch.key for arch in archs]
    assert len(found.result.trials) == 20
    for one in found.result.trials:
        expected = 0.5 + keys.index(one.arch.key) / 1000
        assert one.metrics["validation_accuracy_108"] == pytest.approx(expected)


def metrics_101(accuracy: float) -> str:
    parts = []
    for epoch, value in ((0, 0.1), (54, accuracy / 2), (108, accuracy)):
        fields = enumerate((epoch, 10.0 * epoch, value, value, value), 1)
        parts.append(b"".join(bytes([i << 3 | 1]) + struct.pack("<d", v) for i, v in fields))
    body = b"".join(b"\x0a" + bytes([len(part)]) + part for part in parts)
    return base64.b64encode(body + b"\x10\x07" + b"\x19" + struct.pack("<d", 1.0)).decode()


def framed(payloads: list[bytes]) -> Iterator[bytes]:
    for payload in payloads:
        head = struct.pack("<Q", len(payload))
        a, b = masked_crc32c([head, payload])
        yield head + struct.pack("<I", a) + payload + struct.pack("<I", b)


def test_suite_zero(tmp_path: Path, run: Callable[..., int], searched: Callable[..., Any]) -> None:
    rng = np.random.default_rng(0)
    cells = {str(tuple(rng.integers(5, size=6).tolist())): 60.0 + i / 10 for i in range(40)}
    entries = {c: {"val_accuracy": a, "synflow": {"score": 2 * a, "time": 0.1}} for c, a in cells.items()}
    official, table = tmp_path / "zc_nasbench201.json", tmp_path / "zc.parquet"
    official.write_text(json.dumps({"cifar10": entries}))
    assert run("convert-table", official, table, "--dataset", "cifar10") == 0
    found = searched(
        "nasbench201", table, "val_accuracy:max", 20, *RANDOM, "--cheap", "synflow", "--constraint", "synflow<=200"
    )
    assert len(found.result.trials) == 20
    assert all(t.metrics["synflow"] == pytest.approx(2 * t.metrics["val_accuracy"]) for t in found.result.trials)
    # the hash is the tuple, which NASLib's form reads as the same cell
    own = pd.read_parquet(table)[["hash", "val_accuracy"]].rename(columns={"hash": "arch"})
    own.to_csv(tmp_path / "own.csv", index=False)
    again = searched("nasbench201", tmp_path / "own.csv", "val_accuracy:max", 20, *RANDOM, "--arch-format", "naslib")
    table_of = {t.arch.key: t.metrics["val_accuracy"] for t in found.result.trials}
    assert {
        k: v for k, v in ((t.arch.key, t.metrics["val_accuracy"]) for t in again.result.trials) if k in table_of
    }.items() <= table_of.items()


def test_a_benchmark_whose_space_is_a_file_of_ones_own(
    tmp_path: Path, run: Callable[..., int], searched: Callable[..., Any], capsys
) -> None:
    rng = np.random.default_rng(0)
    texts = {"".join(map(str, rng.integers(3, size=8))) for _ in range(50)}
    rows = {
        t: {"test_acc": [90.0] * 3, "mean_acc": 80 + t.count("2"), "std": 0.1, "params": 3.0, "flops": 30.0}
        for t in texts
    }
    official, table, space = tmp_path / "nas-bench-macro_cifar10.json", tmp_path / "m.parquet", tmp_path / "macro.py"
    official.write_text(json.dumps(rows))
    space.write_text(MACRO)
    assert run("convert-table", official, table, "--no-seeds") == 0
    assert "--space nasbench-macro" in capsys.readouterr().out
    found = searched(f"{space}:Macro", table, "test_accuracy:max", 30, "--strategy", "local-search")
    assert "reported only" not in capsys.readouterr().out  # the test split is what is optimised here, which is said
    chosen = {found.problem.space.to_text(t.arch): t.metrics["test_accuracy"] for t in found.result.trials}
    assert len(chosen) == 30 and set(chosen) <= texts and chosen == {t: 80 + t.count("2") for t in chosen}


def test_a_benchmark_without_a_space_is_refused_by_a_search(
    tmp_path: Path, run: Callable[..., int], error_of: Callable[..., str]
) -> None:
    layer = {"operation_type": "SA", "operation_parameter": "SDP", "num_operation_heads": 2,
             "feed_forward_dimension": 512, "num_feed_forward": 1}  # fmt: skip
    model = {"hidden_size": 128, "nas_config": {"encoder_layers": [layer, layer]}}
    official, table = tmp_path / "BERT_benchmark.json", tmp_path / "bert.csv"
    official.write_text(json.dumps([{"id": 0, "scores": {"glue": 0.7}, "hparams": {"model_hparam_overrides": model}}]))
    assert run("convert-table", official, table) == 0
    assert run("table", "show", table, "--best", "1") == 0
    assert "another space" in error_of("search", "--space", "nasbench201", "--table", table, "--objective", "glue:max")
