"""Tests of TransNAS-Bench-101's cells."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.graph import Population
from gennas.spaces import TaskSpec, TransNASMicro
from gennas.testing import SpaceContract

TEXT = "64-41414-1_02_333"


class TestTransNASMicro(SpaceContract):
    num_samples = 32

    def make_space(self) -> TransNASMicro:
        return TransNASMicro(width=4)


def test_text_is_by_node_and_source() -> None:
    """Digits of node 1, 2 and 3, each from the earliest node on."""
    space = TransNASMicro()
    arch = space.from_text(TEXT)
    assert arch.edges.tolist() == [[0, 1, 0, 3], [0, 0, 2, 3], [0, 0, 0, 3], [0, 0, 0, 0]]
    assert space.to_text(arch) == TEXT


def test_all_texts_are_different_architectures_and_samples_are_uniform() -> None:
    """4^6 cells, chi-square over all."""
    space = TransNASMicro()
    texts = [f"64-41414-{a}_{b}{c}_{d}{e}{f}" for a, b, c, d, e, f in product(range(4), repeat=6)]
    assert space.size == 4096 == len(set(space.from_texts(texts).keys))
    _, counts = np.unique(space.sample(20 * 4096, np.random.default_rng(0)).keys, return_counts=True)
    assert len(counts) == 4096 and chisquare(counts).pvalue > 1e-3


def test_parameters_by_hand() -> None:
    """Without operations stem and head are left; one 3x3 convolution from the input has the widths of every cell."""
    space, spec = TransNASMicro(), TaskSpec("image", (3, 64, 64), 75)
    empty, one = (space.from_text(f"64-41414-{cell}") for cell in ("0_00_000", "3_00_000"))
    stem_and_head = (27 + 2) * 32 + (9 * 32 + 2) * 64 + 513 * 75
    cells = [
        (64, 128),
        (128, 128),
        (128, 128),
        (128, 128),
        (128, 256),
        (256, 256),
        (256, 256),
        (256, 256),
        (256, 512),
        (512, 512),
    ]
    counted = space.count_parameters(Population.of(space.schema, [empty, one]), spec).tolist()
    assert counted == [stem_and_head, stem_and_head + sum((9 * a + 2) * b for a, b in cells)]


@pytest.mark.parametrize("options", [{}, {"modules": "1234", "blocks": 1}])
def test_parameters_are_counted_as_built_at_any_scale(options: dict[str, object]) -> None:
    """Reductions count where the published shape changes, also where the stride is left out."""
    space = TransNASMicro(**options).scaled(width=0.1, depth=1.5)  # type: ignore[arg-type]
    assert space.blocks == (3 if not options else 2)
    spec, population = TaskSpec("image", (1, 8, 8), 10), space.sample(12, np.random.default_rng(0))
    with torch.device("meta"):
        built = [sum(p.numel() for p in space.build(arch, spec).parameters()) for arch in population]
    assert space.count_parameters(population, spec).tolist() == built


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("64-41414-basic", "expected a text like '64-41414-1_02_333'"),
        ("64-41414-1_02_334", "expected a text like"),
        ("64-41414-1_2_333", "expected a text like"),
        ("32-41414-1_02_333", "expected width and modules 64-41414, got '32-41414-1_02_333'"),
        ("64-4141-1_02_333", "expected width and modules 64-41414, got '64-4141-1_02_333'"),
    ],
)
def test_wrong_text_is_one_clear_line(text: str, message: str) -> None:
    """What was expected and what came."""
    with pytest.raises(InvalidArchitectureError, match=message):
        TransNASMicro().from_text(text)


def test_modules_are_checked() -> None:
    """Digits from 1 to 4."""
    with pytest.raises(ConfigError, match="expected digits 1 to 4 as modules, got '415'"):
        TransNASMicro(modules="415")


def test_a_converted_table_is_searched(tmp_path: Path) -> None:
    """The official file, written as CSV, is a table of this space."""
    from gennas.eval.tables.formats import Source, convert_table
    from gennas.eval.tables.user import read_table

    result = {"total_epochs": 1, "metrics": {"valid_top1": [50.0]}, "model_info": {"encoder_params": 7}}
    data = {"micro": {TEXT: {"jigsaw": result}, "64-41414-0_00_000": {"jigsaw": result}}}
    torch.save({"metrics_dict": {}, "task_list": ["jigsaw"], "data": data}, tmp_path / "transnas.pth")
    conversion = convert_table(Source(tmp_path / "transnas.pth", dataset="jigsaw"), tmp_path / "micro.csv")
    assert conversion.searchable and conversion.space == "transnas-micro"
    table = read_table(tmp_path / "micro.csv", TransNASMicro(), metrics=["valid_top1"])
    assert TransNASMicro().from_text(TEXT).key in table.keys and len(table.keys) == 2
