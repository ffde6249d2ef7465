from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import chisquare

from gennas.eval.tables import read_table
from gennas.graph import Architecture, Population
from gennas.spaces import NASBench201, TaskSpec, make_space
from gennas.spaces.nasbench201.distinct import distinct_cells, representatives, structure
from gennas.spaces.nasbench201.space import OPERATIONS
from gennas.testing.spaces import SpaceContract

CELLS = list(product(OPERATIONS, repeat=6))
DIRECT = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
BY_WAY_OF_1 = "|skip_connect~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|"


class TestDistinctCells(SpaceContract):
    specs = (TaskSpec("image", (3, 16, 16), 10),)
    num_built = 2

    def make_space(self) -> NASBench201:
        return NASBench201(num_cells=1, width=4, distinct=True)


@pytest.fixture(scope="module")
def space() -> NASBench201:
    return NASBench201(distinct=True)


def function_of(operations: tuple[str, ...]) -> Hashable:
    """What a cell computes: a sum of terms, each an operation of such a sum; zeros are no terms, sums are flat."""
    nodes: list[tuple[Hashable, ...]] = [("input",)]
    edges: Iterator[str] = iter(operations)
    for _ in range(3):
        terms: list[Hashable] = []
        for source in nodes:
            operation = next(edges)
            if operation == "skip_connect":
                terms += source
            elif operation != "none" and source:
                terms.append((operation, source))
        nodes.append(tuple(sorted(terms, key=repr)))
    return nodes[-1]


def test_structures_are_counted_as_published() -> None:
    assert len({structure(cell, zeros=False) for cell in CELLS}) == 12_751
    assert len({structure(cell) for cell in CELLS}) == 6_466
    assert len(distinct_cells(OPERATIONS)) == 6_466


def test_cells_of_one_structure_compute_one_function() -> None:
    functions = defaultdict(set)
    for cell in CELLS:
        functions[structure(cell)].add(function_of(cell))
    assert {len(found) for found in functions.values()} == {1}
    assert len({function_of(cell) for cell in CELLS}) == 4_930


def test_the_first_cell_stands_for_its_structure() -> None:
    found = representatives(OPERATIONS)
    for place in range(0, len(CELLS), 13):
        first = tuple(OPERATIONS[s] for s in found[place])
        assert structure(first) == structure(CELLS[place])
        assert CELLS.index(first) <= place


def test_equal_cells_are_one_architecture_and_others_are_not(space: NASBench201) -> None:
    one, other = (space.from_text(text.replace("none~2", f"{op}~2")) for text, op in
                  [(DIRECT, "none"), (DIRECT, "nor_conv_3x3")])  # fmt: skip
    dead = space.from_text("|skip_connect~0|+|none~0|none~1|+|none~0|nor_conv_3x3~1|none~2|")
    alive = space.from_text("|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|")
    assert one != other  # the benchmark's rule does not see that node 2 is a sum of zeros
    assert dead == alive
    assert NASBench201().from_text(space.to_text(alive)).key == alive.key
    assert space.from_texts([space.to_text(dead), BY_WAY_OF_1]).keys == [dead.key, space.from_text(BY_WAY_OF_1).key]


def test_sampling_is_uniform_over_structures(space: NASBench201) -> None:
    drawn = space.sample(200_000, np.random.default_rng(0))
    counts = np.array(list(Counter(drawn.keys).values()))
    assert len(counts) == 6_466
    assert chisquare(counts).pvalue > 0.001


def test_option_is_read_by_name_and_the_default_stays_what_it_was() -> None:
    assert make_space("nasbench201", distinct=True).size == 6_466
    plain, distinct = NASBench201(), NASBench201(distinct=True)
    assert plain.size == 15_625 and "distinct" not in plain.identity
    assert distinct.identity == plain.identity.replace("nasbench201;", "nasbench201; distinct=True;")
    assert distinct.scaled(0.5).size == 6_466
    every = Population.from_decisions(plain.schema, np.array(list(product(range(5), repeat=6))))
    assert plain.canonical(every) is every
    rng = np.random.default_rng(0)
    assert plain.sample(3, rng).decisions.tolist() == [[4, 3, 2, 1, 1, 0], [0, 0, 0, 4, 3, 4], [2, 3, 4, 3, 3, 2]]


def test_rows_of_one_structure_are_one_row_of_a_table(tmp_path: Path, space: NASBench201) -> None:
    texts = ["|skip_connect~0|+|none~0|none~1|+|none~0|nor_conv_3x3~1|none~2|", DIRECT,
             "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|"]  # fmt: skip
    file = tmp_path / "t.csv"
    pd.DataFrame({"arch": texts, "accuracy": [0.5, 0.2, 0.7]}).to_csv(file, index=False)
    table = read_table(file, space)
    assert len(table) == 2
    assert table.lookup(space.from_text(texts[2])) == {"accuracy": pytest.approx(0.6)}
    first = read_table(file, space, duplicates="first")
    assert first.lookup(space.from_text(texts[2])) == {"accuracy": 0.5}
    assert len(read_table(file, NASBench201())) == 3


def test_the_published_table_covers_the_distinct_cells(shared_data: Path, space: NASBench201) -> None:
    table = read_table(shared_data / "nb201.csv.gz", space)
    assert len(table) == 6_466 and table.coverage == 1.0 and table.archs is None


def test_equivalent_cells_compute_the_same() -> None:
    """Networks whose convolutions of one kind all have the same weights, which leaves the structure alone."""
    space, spec = NASBench201(num_cells=1, width=4), TaskSpec("image", (3, 8, 8), 10)
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))

    def output(arch: Architecture) -> torch.Tensor:
        torch.manual_seed(0)
        network = space.build(arch, spec).eval()
        for name, weight in network.named_parameters():
            if "operations" in name and weight.dim() == 4:
                torch.nn.init.uniform_(weight, generator=torch.Generator().manual_seed(weight.shape[-1]))
        for part in (network.stem, network.reductions, network.classifier):
            for weight in part.parameters():
                torch.nn.init.uniform_(weight, -0.3, 0.5, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            return network(images)

    cell = space.from_text("|nor_conv_3x3~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|")
    others = space.equivalents(cell)
    assert len(others) == 459 and cell.key not in others.keys
    for other in [others[int(i)] for i in np.random.default_rng(0).integers(len(others), size=6)]:
        torch.testing.assert_close(output(other), output(cell))
    strange = space.from_text("|nor_conv_3x3~0|+|none~0|none~1|+|none~0|nor_conv_1x1~1|none~2|")
    assert not torch.allclose(output(strange), output(cell))


def test_equivalents_are_the_others_of_a_function(space: NASBench201) -> None:
    everything = NASBench201()
    classes = defaultdict(set)
    for cell in CELLS:
        classes[function_of(cell)].add(cell)
    for arch in everything.sample(20, np.random.default_rng(3)):
        mine = tuple(OPERATIONS[s] for s in arch.decisions)
        others = {tuple(OPERATIONS[s] for s in other.decisions) for other in everything.equivalents(arch)}
        assert others == classes[function_of(mine)] - {mine}


def test_equivalents_of_a_structure_are_other_structures(space: NASBench201) -> None:
    for arch in space.sample(10, np.random.default_rng(4)):
        others = space.equivalents(arch)
        assert arch.key not in others.keys and space.canonical(others).keys == others.keys
        assert len(set(others.keys)) == len(others)
