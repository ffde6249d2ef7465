"""Tests of SANE: size, counting, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.spaces import SANE, TaskSpec
from gennas.testing import SpaceContract

SPECS = (TaskSpec("node", (5,), 3), TaskSpec("graph", (4,), 4))


class TestSANE(SpaceContract):
    num_samples, num_built = 32, 3
    specs = SPECS

    def make_space(self) -> SANE:
        return SANE(hidden=8)


def test_size_and_uniform_samples() -> None:
    """Eleven aggregators and a skip in each of three layers, three joins; chi-square over all 31,944."""
    space = SANE()
    assert space.size == 11**3 * 2**3 * 3 == 31_944
    decisions = space.sample(10 * 31_944, np.random.default_rng(0)).decisions.astype(np.int64)
    _, counts = np.unique(decisions @ 100 ** np.arange(7), return_counts=True)
    counts = np.pad(counts, (0, 31_944 - len(counts)))
    assert (counts > 0).all() or (counts == 0).sum() < 10  # each is missed with probability e^-10
    assert chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("spec", SPECS)
def test_parameters_are_counted_as_built(spec: TaskSpec) -> None:
    """All aggregators and joins, at a scaled width, which the heads divide."""
    space = SANE(heads=4).scaled(width=0.2)
    assert space.hidden == 12
    population = space.sample(40, np.random.default_rng(0))
    with torch.device("meta"):
        built = [sum(p.numel() for p in space.build(arch, spec).parameters()) for arch in population]
    assert space.count_parameters(population, spec).tolist() == built


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("join=cat;depth=3;op=gcn,gat,gin;skip=1,0", "expected 3 entries of skip, one for each layer, got 2"),
        ("join=cat;depth=3;op=gcn,gat,gan;skip=1,0,1", "expected op of layer 3 out of sage-sum"),
        ("join=sum;depth=3;op=gcn,gat,gin;skip=1,0,1", "expected join out of cat, max, lstm, got 'sum'"),
        ("join=cat;depth=2;op=gcn,gat;skip=1,0", "expected depth out of 3, got '2'"),
    ],
)
def test_wrong_text_is_one_clear_line(text: str, message: str) -> None:
    """What was expected and what came."""
    with pytest.raises(InvalidArchitectureError, match=message):
        SANE().from_text(text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": 9, "heads": 2}, "heads that divide hidden, got heads=2, hidden=9"),
        ({"heads": 0}, "heads that divide hidden"),
        ({"dropout": 1.0}, r"a dropout in \[0, 1\), got 1.0"),
        ({"pooling": "median"}, "pooling 'mean', 'sum' or 'max'"),
    ],
)
def test_settings_are_checked(options: dict[str, object], message: str) -> None:
    """One line that says what was expected."""
    with pytest.raises(ConfigError, match=f"sane: expected {message}"):
        SANE(**options)  # type: ignore[arg-type]
