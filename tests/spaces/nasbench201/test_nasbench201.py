from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.graph import Population
from gennas.spaces import NASBench201, TaskSpec
from gennas.spaces.nasbench201.networks import Cell, stage
from gennas.spaces.parts import Plain

CIFAR10 = TaskSpec("image", (3, 32, 32), 10)
TEXT = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|none~1|avg_pool_3x3~2|"
EMPTY = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


@pytest.fixture(scope="module")
def space() -> NASBench201:
    return NASBench201()


@pytest.fixture(scope="module")
def classes(shared_data: Path) -> pd.DataFrame:
    """One row of the published table for each number of 3x3 and 1x1 convolutions."""
    table = pd.read_csv(shared_data / "nb201.csv.gz")
    table["convolutions"] = [(a.count("conv_3x3"), a.count("conv_1x1")) for a in table["arch"]]
    return table.drop_duplicates("convolutions")


def num_parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_text_reads_edges_by_target_and_source(space: NASBench201) -> None:
    arch = space.from_text(TEXT)
    assert arch.edges.tolist() == [[0, 3, 0, 2], [0, 0, 1, 0], [0, 0, 0, 4], [0, 0, 0, 0]]
    assert space.to_text(arch) == TEXT


@pytest.mark.parametrize(
    "text",
    [
        TEXT[:-1],
        TEXT.replace("none~1", "none~2"),
        TEXT.replace("none~0", "zero~0"),
        TEXT + "+|none~0|",
        TEXT.replace("|none~0", "none~0"),
        "x" + TEXT,
    ],
)
def test_malformed_text_is_refused(space: NASBench201, text: str) -> None:
    with pytest.raises(InvalidArchitectureError):
        space.from_text(text)


def test_size_counts_every_string(space: NASBench201) -> None:
    assert space.size == 5**6
    symbols = np.stack(np.meshgrid(*[range(5)] * 6), axis=-1).reshape(-1, 6)
    assert len(set(Population.from_decisions(space.schema, symbols).keys)) == 15625


def test_every_published_string_is_read_and_written(space: NASBench201, shared_data: Path) -> None:
    texts = pd.read_csv(shared_data / "nb201.csv.gz", usecols=["arch"])["arch"]
    archs = [space.from_text(text) for text in texts[::7]]
    assert [space.to_text(arch) for arch in archs] == list(texts[::7])


def test_parameters_equal_the_published_ones(space: NASBench201, classes: pd.DataFrame) -> None:
    assert len(classes) == 28
    for row in classes.itertuples():
        arch = space.from_text(str(row.arch))
        for num_classes, published in ((10, row.params_c10_m), (100, row.params_c100_m)):
            with torch.device("meta"):
                network = space.build(arch, TaskSpec("image", (3, 32, 32), num_classes))
            assert num_parameters(network) == round(published * 1e6), row.arch


def test_flops_equal_the_published_ones_to_their_two_decimals(space: NASBench201, classes: pd.DataFrame) -> None:
    for row in classes.iloc[::6].itertuples():
        with torch.device("meta"):  # the column is that of the networks with 100 outputs
            network = space.build(space.from_text(str(row.arch)), TaskSpec("image", (3, 32, 32), 100)).eval()
            with FlopCounterMode(display=False) as counter:
                network(torch.empty(1, 3, 32, 32))
        assert counter.get_total_flops() / 2e6 == pytest.approx(row.flops_m, abs=0.0051)


def test_golden_parameter_counts_without_the_table(space: NASBench201) -> None:
    with torch.device("meta"):
        assert num_parameters(space.build(space.from_text(EMPTY), CIFAR10)) == 73_306
        assert num_parameters(space.build(space.from_text(TEXT), CIFAR10)) == 344_346


def test_network_without_operations_gives_the_same_logits_for_all_images() -> None:
    space = NASBench201(num_cells=1, width=4)
    network = space.build(space.from_text(EMPTY), CIFAR10).eval()
    logits = network(torch.randn(3, 3, 32, 32))
    assert logits.shape == (3, 10)
    assert torch.equal(logits[0], logits[1]) and torch.equal(logits[0], logits[2])


def test_cell_sums_what_its_edges_compute() -> None:
    space = NASBench201()
    x = torch.randn(2, 3, 5, 5)
    skips = space.from_text("|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|none~1|skip_connect~2|")
    assert torch.allclose(Cell(Plain(skips), 3)(x), 3 * x)  # node 2 = x + x, output = x + node 2
    pool = space.from_text("|none~0|+|none~0|none~1|+|avg_pool_3x3~0|none~1|nor_conv_3x3~2|")
    padding = torch.nn.functional.avg_pool2d
    expected = padding(x, 3, 1, 1) / padding(torch.ones_like(x), 3, 1, 1)  # the border averages what is there
    assert torch.allclose(Cell(Plain(pool), 3).eval()(x), expected, atol=1e-6)  # conv of nothing is nothing


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 7, 9), (1, 1, 1)])
def test_small_and_odd_images_fit(shape: tuple[int, int, int]) -> None:
    space = NASBench201(num_cells=1, width=4)
    network = space.build(space.from_text(TEXT), TaskSpec("image", shape, 4)).eval()
    assert network(torch.zeros(2, *shape)).shape == (2, 4)


def test_other_tasks_are_refused(space: NASBench201) -> None:
    with pytest.raises(ConfigError, match="expected kind 'image'"):
        space.build(space.from_text(TEXT), TaskSpec("node", (16,), 3))


def test_neighbours_change_one_edge(space: NASBench201) -> None:
    arch = space.from_text(TEXT)
    near = space.neighbours(arch)
    assert len(near) == 6 * 4
    assert ((near.decisions != arch.decisions).sum(axis=1) == 1).all()


def test_mutation_draws_every_neighbour_equally_often(space: NASBench201, rng: np.random.Generator) -> None:
    arch = space.from_text(TEXT)
    mutants = space.mutate(Population.of(space.schema, [arch] * 4800), rng)
    _, counts = np.unique(np.array(mutants.keys), return_counts=True)
    assert len(counts) == 24
    assert ((counts - 200) ** 2 / 200).sum() < 49.7  # chi-square, 23 degrees of freedom, p = 0.001


def parameters_of(network: torch.nn.Module) -> Iterator[str]:
    return (name for name, _ in network.named_parameters())


def test_edges_that_lead_nowhere_keep_their_weights() -> None:
    space = NASBench201(num_cells=1, width=4)
    dead = space.from_text("|nor_conv_1x1~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|")
    names = set(parameters_of(space.build(dead, CIFAR10)))
    assert sum("operations.0_1" in name and name.endswith("1.weight") for name in names) == 3  # one per stage


def test_cells_of_a_stage_are_drawn_as_if_built_one_after_the_other(space: NASBench201) -> None:
    arch = space.from_text("|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|")
    torch.manual_seed(0)
    copied = stage(Cell(Plain(arch), 4), 3)
    torch.manual_seed(0)
    built = torch.nn.Sequential(*[Cell(Plain(arch), 4) for _ in range(3)])
    found, expected = copied.state_dict(), built.state_dict()
    assert list(found) == list(expected) and all(torch.equal(found[name], expected[name]) for name in expected)
    assert len({p.data_ptr() for p in copied.parameters()}) == len(list(built.parameters()))
