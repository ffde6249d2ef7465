"""Graphs with a fixed number of inputs per node: counting, uniform samples, moves."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare
from torch import nn

from gennas.errors import ConfigError
from gennas.graph import Architecture, GraphSchema
from gennas.spaces.in_degree import InDegreeSpace
from gennas.spaces.spec import TaskSpec
from gennas.testing import SpaceContract


def schema_of(nodes: int, labels: int, node_labels: int, first: int) -> GraphSchema:
    """A graph whose nodes from ``first`` on choose a label and edges from all before."""
    node_mask = np.zeros((nodes, node_labels), dtype=bool)
    node_mask[:first, 0] = True
    node_mask[first:] = True
    edge_mask = np.zeros((nodes, nodes, labels + 1), dtype=bool)
    edge_mask[..., 0] = True
    for v in range(first, nodes):
        edge_mask[:v, v] = True
    names = tuple("abcdef"[:node_labels])
    return GraphSchema("toy", names, ("none", *"rstu"[:labels]), node_mask, edge_mask)


class Toy(InDegreeSpace):
    """Two of the nodes before it for nodes 2 and 3; two node labels, two edge labels."""

    name = "toy"

    def __init__(self) -> None:
        super().__init__(schema_of(4, 2, 2, 2), {2: 2, 3: 2})

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        spec.require(self.name, "node")
        return _Rows(spec)


class _Rows(nn.Module):
    def __init__(self, spec: TaskSpec) -> None:
        super().__init__()
        self.layer = nn.Linear(spec.input_shape[0], spec.num_outputs)

    def forward(self, x: Any, edges: Any) -> Any:
        return self.layer(x)


class TestToy(SpaceContract):
    specs = (TaskSpec("node", (4,), 3),)

    def make_space(self) -> Toy:
        return Toy()


def test_all_are_counted_once_and_drawn_equally_often() -> None:
    space = Toy()
    assert space.size == (2 * 1 * 4) * (2 * 3 * 4) == 192
    mask = space.schema.decision_mask
    rows = [row for row in product(*[np.flatnonzero(m).tolist() for m in mask])]
    degree = [sum(x > 0 for x in row[1:3]) == 2 and sum(x > 0 for x in row[4:]) == 2 for row in rows]
    assert sum(degree) == 192
    drawn = Counter(space.sample(192 * 40, np.random.default_rng(0)).keys)
    assert len(drawn) == 192
    assert chisquare(list(drawn.values())).pvalue > 1e-3


def test_moves_change_one_thing() -> None:
    """Node 2 has no other source, node 3 one: labels 1 + 1, edges 2 * 2 * 1, redirected 2 * 1."""
    space = Toy()
    for arch in space.sample(20, np.random.default_rng(1)):
        near = space.neighbours(arch)
        assert len(near) == 2 + 4 + 2
        changed = (near.decisions != arch.decisions).sum(1)
        assert Counter(changed.tolist()) == {1: 6, 2: 2}
        for row in near.decisions[changed == 2]:  # an edge that moves keeps its label
            assert sorted(row[4:]) == sorted(arch.decisions[4:])


def test_mutants_are_all_neighbours() -> None:
    space = Toy()
    arch = space.sample(1, np.random.default_rng(2))
    drawn = Counter(space.mutate(arch[np.zeros(8 * 200, dtype=int)], np.random.default_rng(3)).keys)
    assert set(drawn) == set(space.neighbours(arch[0]).keys)
    assert chisquare(list(drawn.values())).pvalue > 1e-3


def test_large_spaces_are_counted_exactly() -> None:
    class Wide(Toy):
        def __init__(self) -> None:
            InDegreeSpace.__init__(self, schema_of(24, 4, 6, 2), dict.fromkeys(range(2, 24), 2))

    expected = 1
    for v in range(2, 24):
        expected *= 6 * v * (v - 1) // 2 * 16
    assert Wide().size == expected > 2**53


def test_a_node_without_enough_sources_is_refused() -> None:
    with pytest.raises(ConfigError, match="node 2 to take 3 of its 2 free edges"):

        class Wrong(Toy):
            def __init__(self) -> None:
                InDegreeSpace.__init__(self, schema_of(4, 2, 2, 2), {2: 3, 3: 2})

        Wrong()
