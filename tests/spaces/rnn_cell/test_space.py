"""Tests of the space of recurrent cells."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.graph import Population
from gennas.spaces import RNNCell, Space, TaskSpec
from gennas.testing import SpaceContract

PENN = TaskSpec("language", (35,), 10_000, vocabulary=10_000)


class _Recurrent(SpaceContract):
    num_samples = 24
    specs = (
        TaskSpec("language", (8,), 11, vocabulary=11),
        TaskSpec("tagging", (8,), 3, vocabulary=11),
        TaskSpec("text", (8,), 3, vocabulary=11),
    )


class TestENAS(_Recurrent):
    def make_space(self) -> Space:
        return RNNCell()


class TestDARTS(_Recurrent):
    def make_space(self) -> Space:
        return RNNCell(4, "darts", hidden=8)


class TestTwelveNodes(_Recurrent):
    num_built = 1

    def make_space(self) -> Space:
        return RNNCell(12, hidden=8)


@pytest.mark.parametrize(
    ("space", "size", "decisions"),
    [
        (RNNCell(), 330_301_440, 35),
        (RNNCell(12), 669_692_775_628_800, 77),
        (RNNCell(8, "darts"), 2_642_411_520, 43),
    ],
)
def test_sizes_are_exact(space: RNNCell, size: int, decisions: int) -> None:
    assert (space.size, space.schema.num_decisions) == (size, decisions)


@pytest.mark.parametrize(("space", "size"), [(RNNCell(4), 4**4 * 6), (RNNCell(3, "darts"), 4**3 * 6)])
def test_every_cell_is_there_once_and_sampled_alike(space: RNNCell, size: int) -> None:
    """All activations and predecessors, against uniform samples by chi-square."""
    nodes = len(space.schema.node_names)
    first = ("tanh",) if space.style == "darts" else space.schema.node_labels
    parts = [first] + [[f"{a}~{p}" for a in space.schema.node_labels for p in range(1, k)] for k in range(2, nodes + 1)]
    everything = space.from_texts(["|".join(row) for row in product(*parts)])
    assert len(everything.unique()) == len(everything) == space.size == size
    keys, counts = np.unique(space.sample(40 * size, np.random.default_rng(0)).keys, return_counts=True)
    assert set(keys) == set(everything.keys) and chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize(("style", "moves"), [("enas", 24 + 21), ("darts", 24 + 28)])
def test_a_neighbour_has_one_other_activation_or_predecessor(style: str, moves: int) -> None:
    space = RNNCell(8, style)
    for arch in space.sample(5, np.random.default_rng(0)):
        near = space.neighbours(arch)
        assert len(near) == moves
        parts = space.to_text(arch).split("|")
        for other in near:
            changed = [(a, b) for a, b in zip(parts, space.to_text(other).split("|"), strict=True) if a != b]
            assert (
                len(changed) == 1 and sum(x != y for x, y in zip(*(c.split("~") for c in changed[0]), strict=True)) == 1
            )
            assert arch.key in space.neighbours(other).keys


def test_mutants_are_drawn_uniformly_from_the_neighbours() -> None:
    space = RNNCell(4)
    arch = space.sample(1, np.random.default_rng(3))[0]
    mutants = space.mutate(Population.of(space.schema, [arch] * 1500), np.random.default_rng(4))
    keys, counts = np.unique(mutants.keys, return_counts=True)
    assert set(keys) == set(space.neighbours(arch).keys) and chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize(
    ("name", "space", "text"),
    [
        (
            "ENAS",
            RNNCell(12),
            "tanh|tanh~1|tanh~2|relu~2|tanh~4|tanh~4|relu~4|relu~5|relu~8|relu~9|relu~9|relu~9",
        ),
        ("DARTS_V1", RNNCell(8, "darts"), "tanh|relu~1|relu~2|tanh~3|relu~4|relu~5|identity~2|relu~6|relu~2"),
        (
            "DARTS_V2",
            RNNCell(8, "darts"),
            "tanh|sigmoid~1|relu~2|relu~2|identity~2|tanh~3|sigmoid~6|tanh~4|relu~6",
        ),
    ],
)
def test_published_genotypes_parse(name: str, space: RNNCell, text: str) -> None:
    """The nodes that they average are those that the space averages: ENAS's leaves, all of DARTS's."""
    arch = space.from_text(space.published[name])
    assert space.to_text(arch) == text and space.from_text(text) == arch


def test_darts_on_penn_treebank_has_23_million_parameters() -> None:
    """850 channels, tied: 8.51 M embeddings, 2.89 M and 11.56 M in the cell; 23 M are published."""
    space = RNNCell(8, "darts", hidden=850, tied=True)
    arch = space.from_text(space.published["DARTS_V2"])
    assert space.count_parameters(Population.of(space.schema, [arch]), PENN).tolist() == [22_960_000]
    with torch.device("meta"):
        assert sum(p.numel() for p in space.build(arch, PENN).parameters()) == 22_960_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tanh|relu~1", "expected 8 nodes, got 2"),
        ("tanh|relu", "expected node 2 like 'relu~1', got 'relu'"),
        ("tanh|relu~2" + "|relu~1" * 6, "expected node 2 to read one of 1 to 1, got 2"),
        ("tanh|gelu~1" + "|relu~1" * 6, "expected activations out of tanh, relu, sigmoid, identity, got 'gelu'"),
        ("Genotype(recurrent=[('relu', 0)], concat=range(1, 9)", r"expected Genotype\(recurrent="),
        ("Genotype(recurrent=[('relu', 0, 1)], concat=[1])", r"expected Genotype\(recurrent="),
        (
            "Genotype(recurrent=" + str([("relu", 0)] * 7) + ", concat=range(0, 8))",
            r"expected a mean over nodes \[1, 2, 3, 4, 5, 6, 7\] \(style 'enas'\), got .*; choose the other style",
        ),
    ],
)
def test_wrong_text_is_one_clear_line(text: str, message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        RNNCell().from_text(text)


def test_darts_first_node_is_tanh() -> None:
    with pytest.raises(InvalidArchitectureError, match="expected 'tanh' in node 1, got 'relu'"):
        RNNCell(2, "darts").from_text("relu|relu~1|relu~1")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nodes": 1}, "2 to 24 nodes, got 1"),
        ({"style": "lstm"}, "style 'enas' or 'darts', got 'lstm'"),
        ({"hidden": 0}, "a positive hidden width, got 0"),
    ],
)
def test_settings_are_checked(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RNNCell(**options)


def test_a_width_is_scaled_and_a_depth_refused() -> None:
    space = RNNCell(hidden=16)
    arch = space.sample(1, np.random.default_rng(0))[0]
    spec = TaskSpec("text", (8,), 3, vocabulary=11)
    half = space.scaled(width=0.5)
    built = sum(p.numel() for p in half.build(arch, spec).parameters())
    assert half.count_parameters(Population.of(space.schema, [arch]), spec).tolist() == [built]
    assert half.identity != space.identity
    with pytest.raises(ConfigError, match=r"expected depth 1, got 0\.5"):
        space.scaled(depth=0.5)
