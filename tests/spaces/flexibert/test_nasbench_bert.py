"""Tests of NAS-Bench-BERT's space, and of its table searched with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gennas.errors import InvalidArchitectureError
from gennas.eval.tables import read_table
from gennas.eval.tables.formats import Source, convert_table
from gennas.spaces import NASBenchBERT, Space, TaskSpec
from gennas.testing import SpaceContract

SPECS = (TaskSpec("text", (8,), 3, vocabulary=11), TaskSpec("tagging", (8,), 3, vocabulary=11))


class TestNASBenchBERT(SpaceContract):
    num_samples = 32
    specs = SPECS

    def make_space(self) -> Space:
        return NASBenchBERT()


def layer(kind: str, parameter: str | int, heads: int, width: int, stack: int) -> dict[str, Any]:
    return {
        "operation_type": kind,
        "operation_parameter": parameter,
        "num_operation_heads": heads,
        "feed_forward_dimension": width,
        "num_feed_forward": stack,
    }


# The first records of the published file.
RECORDS = [
    (256, [layer("SA", "WMA", 4, 1024, 3), layer("LT", "DCT", 2, 512, 3), layer("SA", "SDP", 4, 512, 3),
           layer("SA", "SDP", 4, 1024, 1)], 74.73375),
    (256, [layer("LT", "DFT", 4, 1024, 3), layer("SA", "SDP", 2, 1024, 1), layer("DSC", 9, 4, 512, 3),
           layer("DSC", 5, 2, 512, 1)], 73.455),
    (128, [layer("DSC", 9, 4, 512, 1), layer("DSC", 5, 2, 512, 1)], 63.62125),
]  # fmt: skip


def test_size_is_exact() -> None:
    assert NASBenchBERT().size == 2 * (48**2 + 48**4) == 10_621_440


def test_the_official_dictionary_round_trips() -> None:
    space = NASBenchBERT()
    for hidden, layers, _ in RECORDS:
        config = {"hidden_size": hidden, "encoder_layers": layers}
        arch = space.from_config(config)
        assert space.official_config(arch) == config
        assert space.from_config({"hidden_size": hidden, "nas_config": {"encoder_layers": layers}}) == arch
        assert space.from_config(space.config(arch)) == arch
        assert space.from_text(space.to_text(arch)) == space.from_text(json.dumps(config, indent=1)) == arch


def test_references_parse() -> None:
    space = NASBenchBERT()
    arch = space.from_text(space.reference["NAS-Bench-BERT-0"])
    assert space.official_config(arch) == {"hidden_size": RECORDS[0][0], "encoder_layers": RECORDS[0][1]}


def test_the_converted_table_is_searched_with_the_space(tmp_path: Path) -> None:
    records = [
        {
            "id": i,
            "scores": {"cola": 0.5, "glue": glue},
            "hparams": {"model_hparam_overrides": {"hidden_size": h, "nas_config": {"encoder_layers": layers}}},
        }
        for i, (h, layers, glue) in enumerate(RECORDS)
    ]
    (tmp_path / "BERT_benchmark.json").write_text(json.dumps(records))
    done = convert_table(Source(tmp_path / "BERT_benchmark.json"), tmp_path / "bert.csv")
    assert done.searchable and done.space == "nasbench-bert"
    space = NASBenchBERT()
    table = read_table(tmp_path / "bert.csv", space, metrics=["glue"])
    texts = (tmp_path / "bert.csv").read_text()
    best = space.from_config({"hidden_size": 256, "encoder_layers": RECORDS[0][1]})
    assert table.optimum("glue")[0] == 74.73375 and table.optimum("glue")[1] == (best.key,)
    assert space.to_text(best) in texts.replace('""', '"')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"hidden_size": 128', "expected a dictionary in JSON"),
        ('{"hidden_size": 128}', "expected a list of layers 'encoder_layers', got None"),
        ('{"hidden_size": 128, "encoder_layers": [{"operation_type": "SA"}]}', "expected layer 1 with operation_type"),
        (json.dumps({"hidden_size": 64, "encoder_layers": RECORDS[2][1]}), "expected hidden out of 128, 256, got '64'"),
        (json.dumps({"hidden_size": 128, "encoder_layers": RECORDS[2][1][:1]}), "expected depth out of 2, 4, got '1'"),
        ('{"encoder_layers": []}', "unknown field 'encoder_layers'"),
    ],
)
def test_wrong_dictionaries_are_one_clear_line(text: str, message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        NASBenchBERT().from_text(text)


@pytest.mark.parametrize(("width", "depth"), [(0.25, 1.0), (0.1, 2.0)])
def test_scaled_networks_have_the_counted_parameters(width: float, depth: float) -> None:
    space = NASBenchBERT().scaled(width, depth)
    population = space.sample(6, np.random.default_rng(0))
    built = [sum(p.numel() for p in space.build(arch, SPECS[0]).parameters()) for arch in population]
    assert space.count_parameters(population, SPECS[0]).tolist() == built
