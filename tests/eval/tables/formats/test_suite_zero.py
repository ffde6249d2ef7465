"""NAS-Bench-Suite-Zero: two architectures of each space in the official structure, made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gennas.errors import TableError
from gennas.eval.tables.formats import Source, open_official
from gennas.spaces import NASBench101, NASBench201


def entry(accuracy: float, synflow: float) -> dict[str, Any]:
    return {"id": 3, "val_accuracy": accuracy, "synflow": {"score": synflow, "time": 0.5}}


def write(folder: Path, keys: list[str], datasets: tuple[str, ...] = ("cifar10",), name: str = "zc.json") -> Path:
    path = folder / name
    path.write_text(json.dumps({d: {k: entry(90.0 + i, float(i)) for i, k in enumerate(keys)} for d in datasets}))
    return path


def test_cells_of_nasbench201_get_their_official_text(tmp_path: Path) -> None:
    # The edges 1-2, 1-3, 1-4, 2-3, 2-4, 3-4 hold skip, none, 3x3, 1x1, pooling, skip.
    path = write(tmp_path, ["(0, 1, 2, 3, 4, 0)", "(1, 1, 1, 1, 1, 1)"], ("cifar10", "ImageNet16-120"))
    name, rows = open_official(Source(path))
    first = "|skip_connect~0|+|none~0|nor_conv_1x1~1|+|nor_conv_3x3~0|avg_pool_3x3~1|skip_connect~2|"
    assert name == "suite-zero" and rows.space == "nasbench201" and rows.cells["arch"][0] == first
    assert NASBench201().to_text(NASBench201().from_text(rows.cells["arch"][1])) == rows.cells["arch"][1]
    assert rows.cells["hash"][0] == "(0, 1, 2, 3, 4, 0)"
    assert rows.cells["cifar10_val_accuracy"] == [90, 91] and rows.cells["imagenet16_120_synflow"] == [0, 1]
    assert not any("time" in column or column.endswith("id") for column in rows.cells)


def test_one_dataset_has_short_names(tmp_path: Path) -> None:
    path = write(tmp_path, ["(0, 1, 2, 3, 4, 0)"], ("cifar10", "cifar100"))
    _, rows = open_official(Source(path, dataset="cifar100"))
    assert set(rows.cells) == {"arch", "hash", "val_accuracy", "synflow"}
    with pytest.raises(TableError, match="no dataset 'x'; it holds cifar10, cifar100"):
        open_official(Source(path, dataset="x"))


def test_cells_of_nasbench101_are_read_from_matrix_and_operations(tmp_path: Path) -> None:
    chain = "(0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 2, 1)"
    split = "(0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 4, 3, 1)"
    _, rows = open_official(Source(write(tmp_path, [chain, split])))
    assert rows.space == "nasbench101"
    wanted = NASBench101().from_text("conv3x3-bn-relu~0|conv1x1-bn-relu~0|output~1,2")
    assert rows.cells["arch"] == ["maxpool3x3~0|output~1", NASBench101().to_text(wanted)]


@pytest.mark.parametrize(
    ("keys", "name", "space", "texts"),
    [
        (["(1, 0, 2, 3, 3, 3)", "(0, 0, 0, 0, 0, 1)"], "a.json", "transnas-micro",
         ["64-41414-1_02_333", "64-41414-0_00_001"]),
        (["(1, 2, 3, 4, 0, 0)", "(4, 1, 1, 1, 1)"], "a.json", "transnas-macro", ["64-1234-basic", "64-41111-basic"]),
        (["(1, 2, 3, 3, 1, 2)"], "zc_transbench101_macro.json", "transnas-macro", ["64-123312-basic"]),
    ],
)  # fmt: skip
def test_transnas_digits_are_its_texts(
    tmp_path: Path, keys: list[str], name: str, space: str, texts: list[str]
) -> None:
    _, rows = open_official(Source(write(tmp_path, keys, ("jigsaw",), name)))
    assert rows.space == space and rows.cells["arch"] == texts


def test_darts_cells_become_genotypes(tmp_path: Path) -> None:
    cell = "((0, 3), (1, 3), (0, 2), (1, 2), (0, 4), (1, 4), (0, 5), (2, 6))"
    _, rows = open_official(Source(write(tmp_path, [f"({cell}, {cell})"])))
    assert rows.space == "darts"
    assert rows.cells["arch"][0].startswith(
        "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('skip_connect'"
    )


def test_scores_that_are_no_numbers_are_missing(tmp_path: Path) -> None:
    path = tmp_path / "zc.json"
    content = {"cifar10": {"(0, 1, 2, 3, 4, 0)": entry(90, float("nan")), "(1, 1, 2, 3, 4, 0)": entry(91, 1)}}
    path.write_text(json.dumps(content))
    assert open_official(Source(path))[1].cells["cifar10_synflow"] == [None, 1]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("__import__('os').system('x')", "cannot read an architecture"),
        ("(9, 1, 1, 1, 1, 1)", "cannot read an architecture"),
        ("(1, 2, 3)", "expected v . v . v numbers"),
        ("'abc'", "expected tuples"),
    ],
)
def test_other_architectures_are_refused(tmp_path: Path, key: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        open_official(Source(write(tmp_path, [key])))
