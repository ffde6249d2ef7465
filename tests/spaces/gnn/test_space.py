"""Tests of the general space of graph networks: size, conditions, counting, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.graph import Population
from gennas.spaces import GNN, TaskSpec
from gennas.testing import SpaceContract

SPECS = (TaskSpec("node", (5,), 3), TaskSpec("graph", (16,), 4))
TEXT = (
    "hidden=16;pre=0;post=1;connectivity=skip-cat;batch_norm=1;dropout=0.3;depth=2;"
    "op=gat,gin;aggr=-,max;heads=4,-;act=elu,prelu"
)


class TestGNN(SpaceContract):
    num_samples, num_built = 32, 3
    specs = SPECS

    def make_space(self) -> GNN:
        return GNN()


def test_size() -> None:
    """432 choices of the whole, 130 of each of one to four layers."""
    assert GNN().size == 4 * 2 * 3 * 3 * 2 * 3 * sum(130**d for d in (1, 2, 3, 4)) == 124_339_980_960


def test_layers_are_drawn_uniformly() -> None:
    """Operators with more settings come as often as they have settings: 12 of 26 attend, 9 aggregate, 5 do neither."""
    space = GNN()
    population = space.sample(4000, np.random.default_rng(0))
    drawn = [space.chosen(population, "op", op)[:, 0].sum() for op in ("gat", "sage", "gcn", "fc")]
    expected = np.array([4, 3, 1, 1]) * 4000 / 26
    assert chisquare([*drawn, 4000 - sum(drawn)], [*expected, 4000 - sum(expected)]).pvalue > 1e-3


def test_settings_that_do_not_exist_are_off() -> None:
    """Aggregations of sage, gin and graph, heads of the three attentions, and nothing else."""
    space = GNN()
    config = space.config(space.from_text(TEXT))
    assert config["aggr"] == [None, "max"] and config["heads"] == [4, None]
    for wrong in (TEXT.replace("aggr=-,max", "aggr=sum,max"), TEXT.replace("heads=4,-", "heads=-,-")):
        with pytest.raises(InvalidArchitectureError, match="not a valid architecture"):
            space.from_text(wrong)
    with pytest.raises(InvalidArchitectureError, match="expected heads of layer 1 out of 1, 2, 4, 8, -, got '3'"):
        space.from_text(TEXT.replace("heads=4,-", "heads=3,-"))


def test_published_networks_by_hand() -> None:
    """GCN (Kipf and Welling) on Cora's shape, with a linear classifier after its two layers."""
    space, spec = GNN(), TaskSpec("node", (1433,), 7)
    population = space.from_texts([space.reference["GCN"], space.reference["GAT"]])
    gcn = 1433 * 16 + 16 + 16 * 16 + 16 + 17 * 7
    gat = 1433 * 64 + 3 * 64 + 64 * 64 + 3 * 64 + 65 * 7
    assert space.count_parameters(population, spec).tolist() == [gcn, gat]


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("width", [1, 0.3])
def test_parameters_are_counted_as_built(spec: TaskSpec, width: float) -> None:
    """All operators, connectivities and widths; a feature count that equals a width, too."""
    space = GNN().scaled(width=width)
    deep, shallow = space.sample(30, np.random.default_rng(1)), space.neighbours(space.from_text(TEXT))
    population = Population.concat([deep, shallow])
    assert set(space.column(population, "depth")) == {1, 2, 3, 4}
    with torch.device("meta"):
        built = [sum(p.numel() for p in space.build(arch, spec).parameters()) for arch in population]
    assert space.count_parameters(population, spec).tolist() == built


def test_heads_divide_scaled_widths() -> None:
    """Widths are multiples of eight however small the factor; a depth is refused."""
    space = GNN().scaled(width=0.1)
    arch = space.from_text(TEXT.replace("heads=4", "heads=8"))
    assert space.build(arch, SPECS[0]).layers[0].operation.out_channels == 1
    assert space.identity != GNN().identity
    with pytest.raises(ConfigError, match="has no depth fidelity"):
        GNN().scaled(depth=2)


def test_an_unknown_pooling_is_refused() -> None:
    """The known ones are listed."""
    with pytest.raises(ConfigError, match="gnn: expected pooling 'mean', 'sum' or 'max', got 'median'"):
        GNN(pooling="median")  # type: ignore[arg-type]


def test_an_empty_population_has_no_parameters() -> None:
    """Counting nothing gives nothing."""
    assert GNN().count_parameters(Population.of(GNN().schema, []), SPECS[0]).shape == (0,)
