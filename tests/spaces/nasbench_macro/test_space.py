"""Tests of NAS-Bench-Macro: distinct networks among the published strings, published counts, its table."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from torch.utils.flop_counter import FlopCounterMode

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.graph import Population
from gennas.spaces import NASBenchMacro, TaskSpec
from gennas.testing import SpaceContract

CIFAR10 = TaskSpec("image", (3, 32, 32), 10)
STRINGS = ["".join(digits) for digits in product("012", repeat=8)]


class TestNASBenchMacro(SpaceContract):
    num_samples = 32

    def make_space(self) -> NASBenchMacro:
        return NASBenchMacro(width=4, head=16)


def test_all_strings_are_read_and_3969_are_different() -> None:
    """What is written is the string with the identities of each stage moved to its end."""
    space = NASBenchMacro()
    population = space.from_texts(STRINGS)
    assert len(STRINGS) == 6561 and space.size == 3969 == len(set(population.keys)) == 9 * 21 * 21
    for text, arch in list(zip(STRINGS, population, strict=True))[::13]:
        stages = [text[:2], text[2:5], text[5:]]
        moved = "".join(s[0] + s[1:].replace("0", "") + "0" * s[1:].count("0") for s in stages)
        assert space.to_text(arch) == moved
        assert space.from_text(moved) == arch


def test_networks_of_equal_strings_are_the_same_function() -> None:
    """The network of a string is that of its layers one after the other, identities left out."""
    space = NASBenchMacro(width=4, head=16)
    a, b = space.from_text("20201000"), space.from_text("20210000")
    assert a == b
    assert [block.kernel for block in space.blocks(a) if block.hidden] == [5, 5, 3]


def test_samples_are_uniform_over_networks() -> None:
    """Chi-square over all 3,969."""
    space = NASBenchMacro()
    keys, counts = np.unique(space.sample(20 * space.size, np.random.default_rng(1)).keys, return_counts=True)
    assert len(keys) == space.size
    assert chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize(
    ("text", "parameters", "macs"),
    [
        ("00000000", 387_882, 7.71328),
        ("11111111", 1_588_874, 53.246464),
        ("22212220", 1_985_514, 85.164544),
        ("22222222", 2_932_586, 105.660928),
    ],
)
def test_published_counts(text: str, parameters: int, macs: float) -> None:
    """Published for the best: 1.99 M parameters and 85.2 M multiply-adds."""
    space = NASBenchMacro()
    arch = space.from_text(text)
    with torch.device("meta"):
        network = space.build(arch, CIFAR10).eval()
        with FlopCounterMode(display=False) as counter:
            network(torch.empty(1, 3, 32, 32))
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert space.count_parameters(Population.of(space.schema, [arch]), CIFAR10).tolist() == [parameters]
    assert counter.get_total_flops() / 2e6 == pytest.approx(macs, abs=1e-6)
    assert space.reference["NAS-Bench-Macro-best"] == "22212220"


def test_all_counts_agree_with_what_is_built() -> None:
    """A sample over all depths, at another width."""
    space = NASBenchMacro(width=6, head=10)
    population = space.from_texts(STRINGS[::331])
    with torch.device("meta"):
        built = [sum(p.numel() for p in space.build(arch, CIFAR10).parameters()) for arch in population]
    assert space.count_parameters(population, CIFAR10).tolist() == built


def test_the_official_table_is_searched_and_equal_rows_are_one(tmp_path: Path) -> None:
    """Rows of one network are one row of the table; where they disagree their mean is read, and a note says so."""
    from gennas.eval.tables.formats import Source, convert_table
    from gennas.eval.tables.user import read_table

    def entry(accuracy: float) -> dict[str, object]:
        return {"test_acc": [accuracy] * 3, "mean_acc": accuracy, "std": 0.1, "params": 1e6, "flops": 1e7}

    rows = {"00201000": entry(90), "00210000": entry(92), "22212220": entry(93), "00000000": entry(91)}
    official, out = tmp_path / "nas-bench-macro_cifar10.json", tmp_path / "macro.csv"
    official.write_text(json.dumps(rows))
    conversion = convert_table(Source(official, seeds=False), out)
    assert conversion.space == "nasbench-macro" and conversion.searchable
    table = read_table(out, NASBenchMacro(), metrics=["test_accuracy"])
    assert len(table.keys) == 3 and table.columns["test_accuracy"].tolist() == [91, 93, 91]
    assert "1 architectures stand in several rows that disagree: their means are taken" in table.notes[0]
    first = read_table(out, NASBenchMacro(), metrics=["test_accuracy"], duplicates="first")
    assert first.columns["test_accuracy"].tolist() == [90, 93, 91]


@pytest.mark.parametrize("text", ["2221222", "222122200", "22212223", "2221222a", "2221 2220"])
def test_other_strings_are_refused(text: str) -> None:
    """One line that shows the form."""
    with pytest.raises(InvalidArchitectureError, match="expected eight digits 0, 1 or 2 as in '22212220'"):
        NASBenchMacro().from_text(text)


def test_widths_are_checked() -> None:
    """Positive numbers of channels."""
    with pytest.raises(ConfigError, match="expected positive widths, got width=0 and head=1280"):
        NASBenchMacro(width=0)
