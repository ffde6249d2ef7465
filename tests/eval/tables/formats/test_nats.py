"""NATS-Bench and NAS-Bench-201: two architectures in each official packing, made by hand."""

from __future__ import annotations

import bz2
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gennas.errors import TableError
from gennas.eval.tables.formats import Source, open_official

A = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
B = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
SEEDS = {"cifar10-valid": [777, 888], "cifar10": [777], "cifar100": [777], "ImageNet16-120": [777]}


def trial(text: str, seed: int, epochs: int, sets: list[str], base: float) -> dict[str, Any]:
    return {
        "name": "infer.tiny", "net_state_dict": None, "arch_config": {"arch_str": text, "channel": 16},
        "train_acc1es": OrderedDict((e, base + e) for e in range(epochs)), "train_acc5es": None,
        "train_losses": {}, "train_times": {e: np.float64(2.0) for e in range(epochs)}, "params": 0.3, "flop": 40.0,
        "seed": seed, "epochs": epochs, "latency": [0.01, 0.02], "eval_names": sets,
        "eval_acc1es": {f"{s}@{e}": base + i + e for i, s in enumerate(sets) for e in range(epochs)},
        "eval_times": {}, "eval_losses": {},
    }  # fmt: skip


def record(index: int, text: str, epochs: int, base: float) -> dict[str, Any]:
    sets = {"cifar10-valid": ["x-valid", "ori-test"], "cifar10": ["ori-test"]}
    results = {
        (dataset, seed): trial(text, seed, epochs, sets.get(dataset, ["x-valid", "x-test"]), base + (seed - 777))
        for dataset, seeds in SEEDS.items()
        for seed in seeds
    }
    return {"arch_index": index, "arch_str": text, "all_results": results, "dataset_seed": SEEDS, "clear_net_done": 1}


def infos(budgets: dict[str, int]) -> dict[int, dict[str, Any]]:
    return {i: {k: record(i, text, n, 50.0) for k, n in budgets.items()} for i, text in enumerate((A, B))}


def whole(budgets: dict[str, int]) -> dict[str, Any]:
    return {"meta_archs": [A, B], "arch2infos": infos(budgets), "evaluated_indexes": {0, 1}}


def write(folder: Path, packing: str) -> Path:
    if packing == "folder":
        path = folder / "NATS-tss-v1_0-3ffb9-simple"
        path.mkdir()
        (path / "meta.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps({"meta_archs": [A, B]}, 4)))
        for i, content in infos({"12": 12, "200": 200}).items():
            (path / f"{i:06d}.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(content, 4)))
        return path
    path = folder / ("NATS-tss-v1_0-3ffb9.pickle.pbz2" if packing == "file" else "NAS-Bench-201-v1_1-096897.pth")
    if packing == "file":
        path.write_bytes(bz2.compress(pickle.dumps(whole({"12": 12, "200": 200}), 4)))
    else:
        torch.save(whole({"less": 12, "full": 200}), path, _use_new_zipfile_serialization=packing == "zip")
    return path


@pytest.mark.parametrize("packing", ["folder", "file", "zip", "sequence"])
def test_every_packing_gives_the_same_rows(tmp_path: Path, packing: str) -> None:
    name, rows = open_official(Source(write(tmp_path, packing)))
    cells = rows.cells
    assert name == "nats" and rows.space == "nasbench201"
    assert cells["arch"] == [A, B] and cells["hash"] == ["#0", "#1"]
    # 50 + last epoch (199), the second seed's base is 111 higher
    assert cells["cifar10_val_accuracy_200"] == [249 + 111 / 2] * 2
    assert cells["cifar10_val_accuracy_200_seed888"] == [360.0] * 2
    assert cells["cifar10_test_accuracy_12"] == [61.0] * 2 and cells["cifar100_test_accuracy_200"] == [250.0] * 2
    assert cells["imagenet16_120_val_accuracy_12"] == [61.0] * 2 and cells["cifar100_train_accuracy_12"] == [61.0] * 2
    assert cells["cifar10_train_seconds_200"] == [400.0] * 2 and cells["cifar10_train_seconds_12"] == [24.0] * 2
    assert cells["cifar10_latency_s_200"] == [0.015] * 2 and cells["cifar10_params_m_12"] == [0.3] * 2


def test_one_dataset_has_short_names_and_one_seed_no_columns(tmp_path: Path) -> None:
    _, rows = open_official(Source(write(tmp_path, "folder"), dataset="cifar100", seeds=False))
    accuracies = {"val_accuracy_12", "val_accuracy_200", "test_accuracy_12", "test_accuracy_200"}
    assert accuracies <= rows.cells.keys() and not any("cifar" in name or "seed" in name for name in rows.cells)
    with pytest.raises(TableError, match="no dataset 'svhn'; it holds cifar10, cifar100, ImageNet16-120"):
        open_official(Source(tmp_path / "NATS-tss-v1_0-3ffb9-simple", dataset="svhn"))


def test_unmeasured_values_are_empty(tmp_path: Path) -> None:
    content = whole({"200": 200})
    result = content["arch2infos"][1]["200"]
    result["dataset_seed"] = {"cifar10": [777]}
    result["all_results"]["cifar10", 777] |= {"latency": [-1.0], "train_times": None}
    path = tmp_path / "x.pickle.pbz2"
    path.write_bytes(bz2.compress(pickle.dumps(content, 4)))
    _, rows = open_official(Source(path))
    assert rows.cells["cifar100_val_accuracy_200"] == [249.0, None]
    assert rows.cells["cifar10_latency_s_200"] == [0.015, None]
    assert rows.cells["cifar10_train_seconds_200"] == [400.0, None]


def test_the_size_space_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "NATS-sss-v1_0-50262.pickle.pbz2"
    content = {"meta_archs": ["8:8:8:8:8"], "arch2infos": {0: {"90": record(0, "8:8:8:8:8", 90, 1.0)}}}
    path.write_bytes(bz2.compress(pickle.dumps(content, 4)))
    with pytest.raises(TableError, match=r"belongs to NATS-Bench's size space .* gennas has no such space"):
        open_official(Source(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"200": {"arch_str": A}}, r"000000.pickle.pbz2: architecture 0: expected a record .*dataset_seed"),
        ({"200": record(0, A, 2, 1.0), "12": record(0, B, 2, 1.0)}, "two architectures"),
        ({}, "without records"),
        ([1], "expected a record"),
    ],
)
def test_other_structures_are_named(tmp_path: Path, content: Any, message: str) -> None:
    (tmp_path / "000000.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(content, 4)))
    with pytest.raises(TableError, match=message):
        open_official(Source(tmp_path), "nats")
