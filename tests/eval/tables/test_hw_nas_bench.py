"""HW-NAS-Bench: the form of the official pickle, and the published example."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gennas.errors import ConfigError, TableError, UnknownNameError
from gennas.eval.tables import open_table
from gennas.eval.tables.hw_nas_bench import FILE_NAME, METRICS, load_hw_nas_bench
from gennas.spaces import NASBench101, NASBench201

SPACE = NASBench201()
FIRST = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
SECOND = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|"
# Published in the benchmark's documentation for architecture 0 on CIFAR-10.
EXAMPLE = {
    "edgegpu_latency": 5.807418537139893,
    "edgegpu_energy": 24.226614330768584,
    "raspi4_latency": 10.481976820010459,
    "edgetpu_latency": 0.9571811309997429,
    "pixel3_latency": 3.6058499999999998,
    "eyeriss_latency": 3.645620000000001,
    "eyeriss_energy": 0.6872827644999999,
    "fpga_latency": 2.57296,
    "fpga_energy": 18.01072,
}


def content(**changes: Any) -> dict[str, Any]:
    config = [{"name": "infer.tiny", "C": 16, "N": 5, "arch_str": t, "num_classes": 10} for t in (FIRST, SECOND)]
    values = {name: [np.float64(first), 2 * first] for name, first in EXAMPLE.items()}
    part = {"config": config, **values, "edgetpu_latency": [0.9571811309997429, -1], **changes}
    return {"nasbench201": {"cifar10": part}, "fbnet": {"cifar100": {}}}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GENNAS_CACHE", str(tmp_path))
    return tmp_path / FILE_NAME


def test_the_published_example_is_found_by_its_string(file: Path) -> None:
    file.write_bytes(pickle.dumps(content(), 4))
    table = open_table("nasbench201/hw-cifar10", SPACE)
    assert len(table) == 2 and table.space is SPACE
    assert table.lookup(SPACE.from_text(FIRST)) == {k: v for k, v in EXAMPLE.items() if k != "edgetpu_latency"}
    assert table.lookup(SPACE.from_text(SECOND))["fpga_energy"] == 2 * 18.01072
    assert table.metrics["edgegpu_energy"].unit == "mJ" and table.metrics["edgegpu_energy"].direction == "min"


def test_what_was_not_measured_is_no_row(file: Path) -> None:
    file.write_bytes(pickle.dumps(content(eyeriss_arithmetic_intensity=[6.3, 20.9]), 4))
    table = open_table("nasbench201/hw-cifar10-edgetpu", SPACE)
    assert len(table) == 1 and set(table.metrics) == set(METRICS)
    assert table.lookup(SPACE.from_text(FIRST))["edgetpu_latency"] == EXAMPLE["edgetpu_latency"]


def test_configurations_may_be_numbered(file: Path) -> None:
    whole = content()
    part = whole["nasbench201"]["cifar10"]
    part["config"] = dict(enumerate(part["config"]))
    file.write_bytes(pickle.dumps(whole, 4))
    assert len(load_hw_nas_bench("cifar10")) == 2


def test_another_space_dataset_or_metric(file: Path) -> None:
    file.write_bytes(pickle.dumps(content(), 4))
    with pytest.raises(ConfigError, match="belongs to the space nasbench201, got nasbench101"):
        load_hw_nas_bench("cifar10", NASBench101())
    with pytest.raises(UnknownNameError, match="Did you mean cifar10"):
        load_hw_nas_bench("cifar")
    with pytest.raises(UnknownNameError, match="edgegpu_latency"):
        load_hw_nas_bench("cifar10", metrics=["edgegpu"])
    with pytest.raises(TableError, match="KeyError: 'cifar100'"):
        load_hw_nas_bench("cifar100")


def test_a_missing_file_says_where_it_belongs(file: Path) -> None:
    with pytest.raises(TableError, match=r"is missing: download .* set GENNAS_CACHE"):
        load_hw_nas_bench("cifar10")


class _Runs:
    def __reduce__(self) -> tuple[Any, ...]:
        return eval, ("1 + 1",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fpga_latency": [1.0]}, "expected 2 values of 'fpga_latency', got 1"),
        ({"fpga_latency": [1.0, float("nan")]}, "architecture 1, fpga_latency: expected a finite number"),
        ({"fpga_latency": [1.0, "x"]}, "ValueError"),
        ({"config": [{"arch_str": "|none~0|"}, {"arch_str": FIRST}]}, "expected '|op~0"),
        ({"config": [{}, {}]}, "KeyError: 'arch_str'"),
        ({"config": _Runs()}, "Refused to load builtins.eval"),
    ],
)
def test_files_of_another_form_are_refused(file: Path, changes: dict[str, Any], message: str) -> None:
    file.write_bytes(pickle.dumps(content(**changes), 4))
    with pytest.raises(TableError) as caught:
        load_hw_nas_bench("cifar10")
    assert message in str(caught.value)


def test_the_republished_table_holds_the_published_example(shared_data: Path) -> None:
    strings = pd.read_csv(shared_data / "nb201.csv.gz").set_index("index")["arch"]
    costs = pd.read_csv(shared_data / "hwnasbench_nb201_cifar10.csv.gz").set_index("index")
    first = SPACE.from_text(strings[0])
    assert strings[0] == FIRST and first.decisions.tolist() == SPACE.from_text(FIRST).decisions.tolist()
    assert {name: costs.loc[0, name] for name in EXAMPLE} == EXAMPLE
    assert (costs["edgetpu_latency"] <= 0).sum() == 4699


def test_the_official_form_of_the_real_table(shared_data: Path, file: Path) -> None:
    strings = pd.read_csv(shared_data / "nb201.csv.gz").set_index("index")["arch"]
    costs = pd.read_csv(shared_data / "hwnasbench_nb201_cifar10.csv.gz").set_index("index")
    part = {"config": [{"arch_str": text} for text in strings.sort_index()]}
    part |= {name: costs[name].sort_index().tolist() for name in costs.columns}
    file.write_bytes(pickle.dumps({"nasbench201": {"cifar10": part}}, 4))
    table = load_hw_nas_bench("cifar10", SPACE)
    assert len(table) == 15625 and "edgetpu_latency" not in table.metrics
    assert table.optimum("edgegpu_latency")[0] == costs["edgegpu_latency"].min()
    assert len(load_hw_nas_bench("cifar10", SPACE, metrics=["edgetpu_latency"])) == 15625 - 4699


def test_of_cells_of_one_structure_the_row_of_the_first_is_read(file: Path) -> None:
    first = "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|"
    twin = "|skip_connect~0|+|none~0|none~1|+|none~0|nor_conv_3x3~1|none~2|"
    config = [{"arch_str": text} for text in (twin, first)]
    file.write_bytes(pickle.dumps(content(config=config), 4))
    space = NASBench201(distinct=True)
    table = open_table("nasbench201/hw-cifar10", space)
    assert len(table) == 1 and table.lookup(space.from_text(twin))["fpga_energy"] == 2 * EXAMPLE["fpga_energy"]
    assert len(open_table("nasbench201/hw-cifar10", SPACE)) == 2
