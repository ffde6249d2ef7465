"""Tests of TransNAS-Bench-101's skeletons."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from gennas.errors import InvalidArchitectureError
from gennas.graph import Population
from gennas.spaces import TaskSpec, TransNASMacro
from gennas.testing import SpaceContract


class TestTransNASMacro(SpaceContract):
    num_samples = 32

    def make_space(self) -> TransNASMacro:
        return TransNASMacro(width=4)


def all_texts() -> list[str]:
    """By brute force over digits: one to four halvings (3, 4), one to three doublings (2, 4)."""
    strings = ("".join(digits) for n in (4, 5, 6) for digits in product("1234", repeat=n))
    return [
        f"64-{s}-basic"
        for s in strings
        if 1 <= s.count("3") + s.count("4") <= 4 and 1 <= s.count("2") + s.count("4") <= 3
    ]


def test_size_is_what_trying_all_digits_finds() -> None:
    """210 of four modules, 750 of five, 2,296 of six."""
    space, texts = TransNASMacro(), all_texts()
    assert [sum(len(t) == n + 9 for t in texts) for n in (4, 5, 6)] == [210, 750, 2296]
    population = space.from_texts(texts)
    assert space.size == 3256 == len(set(population.keys))
    assert space.is_valid(population).all()
    assert [space.to_text(arch) for arch in population[::101]] == texts[::101]


def test_samples_are_uniform() -> None:
    """Chi-square over all 3,256."""
    space = TransNASMacro()
    _, counts = np.unique(space.sample(20 * 3256, np.random.default_rng(0)).keys, return_counts=True)
    assert len(counts) == 3256 and chisquare(counts).pvalue > 1e-3


def test_neighbours_by_hand() -> None:
    """Changes that would leave no halving or doubling, or too many, are no moves; too full a copy is plain."""
    space = TransNASMacro()
    near = {space.to_text(a)[3:-6] for a in space.neighbours(space.from_text("64-1114-basic"))}
    changed = {"2114", "3114", "4114", "1214", "1314", "1414", "1124", "1134", "1144"}
    assert near == {*changed, "11144"}  # the last digit is the only halving and the only doubling
    near = {space.to_text(a)[3:-6] for a in space.neighbours(space.from_text("64-4443-basic"))}
    assert "44431" in near and "44433" not in near and "4444" not in near and "4431" not in near


def test_mutants_are_neighbours() -> None:
    """Every edit is one move."""
    space = TransNASMacro()
    many = space.sample(100, np.random.default_rng(0))
    for parent, child in zip(many, space.mutate(many, np.random.default_rng(1)), strict=True):
        assert child.key in space.neighbours(parent).keys


def test_parameters_by_hand() -> None:
    """64-4111-basic: one projecting block from 64 to 128, and seven blocks of 128."""
    space, spec = TransNASMacro(), TaskSpec("image", (3, 64, 64), 75)
    arch = space.from_text("64-4111-basic")
    blocks = (9 * 64 + 2) * 128 + 15 * (9 * 128 + 2) * 128 + (64 + 2) * 128
    expected = 29 * 32 + (9 * 32 + 2) * 64 + blocks + 129 * 75
    assert space.count_parameters(Population.of(space.schema, [arch]), spec).tolist() == [expected]


def test_parameters_are_counted_as_built_at_any_scale() -> None:
    """Every depth, another width and number of blocks."""
    space, spec = TransNASMacro().scaled(width=0.1, depth=1.5), TaskSpec("image", (1, 8, 8), 10)
    population = space.sample(12, np.random.default_rng(0))
    with torch.device("meta"):
        built = [sum(p.numel() for p in space.build(arch, spec).parameters()) for arch in population]
    assert space.count_parameters(population, spec).tolist() == built and space.blocks == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("64-1234", "expected a text like '64-1234-basic'"),
        ("32-1234-basic", "expected a text like '64-1234-basic'"),
        ("64-1254-basic", "expected a text like"),
        ("64-124-basic", "expected 4 to 6 modules, got 3"),
        ("64-1233333-basic", "expected 4 to 6 modules, got 7"),
        ("64-1222-basic", r"expected 1 to 4 modules of half resolution \(3 and 4\), got 0"),
        ("64-1333-basic", r"expected 1 to 3 modules of double width \(2 and 4\), got 0"),
        ("64-4444-basic", r"expected 1 to 3 modules of double width \(2 and 4\), got 4"),
    ],
)
def test_wrong_text_is_one_clear_line(text: str, message: str) -> None:
    """What was expected and what came."""
    with pytest.raises(InvalidArchitectureError, match=message):
        TransNASMacro().from_text(text)


def test_a_converted_table_is_searched(tmp_path: Path) -> None:
    """The official file, written as CSV, is a table of this space."""
    from gennas.eval.tables.formats import Source, convert_table
    from gennas.eval.tables.user import read_table

    result = {"total_epochs": 1, "metrics": {"valid_top1": [50.0]}, "model_info": {"encoder_params": 7}}
    data = {"macro": {"64-1234-basic": {"jigsaw": result}, "64-4111-basic": {"jigsaw": result}}}
    torch.save({"metrics_dict": {}, "task_list": ["jigsaw"], "data": data}, tmp_path / "transnas.pth")
    conversion = convert_table(Source(tmp_path / "transnas.pth", dataset="jigsaw"), tmp_path / "macro.csv")
    assert conversion.searchable and conversion.space == "transnas-macro"
    table = read_table(tmp_path / "macro.csv", TransNASMacro(), metrics=["valid_top1"])
    assert TransNASMacro().from_text("64-1234-basic").key in table.keys and len(table.keys) == 2
