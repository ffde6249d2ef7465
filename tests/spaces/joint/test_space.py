"""Architectures together with settings of their training: sizes, samples, moves, texts, how they are made."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from gennas.errors import ConfigError, InvalidArchitectureError, UnknownNameError
from gennas.spaces import DARTS, JointSpace, MacroChain, NASBench101, NASBench201, Space, TaskSpec, make_space
from gennas.testing import SpaceContract

CELL = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
IMAGES = (TaskSpec("image", (1, 8, 8), 3),)


class TestOverNASBench201(SpaceContract):
    specs = IMAGES
    num_samples = 32

    def make_space(self) -> Space:
        return JointSpace(NASBench201(1, 4), lr=[0.01, 0.1], optimizer="sgd,adamw", flip=[True])


class TestOverAChain(SpaceContract):
    specs = IMAGES
    num_samples = 32

    def make_space(self) -> Space:
        return JointSpace("macro-chain", {"max_depth": 3, "widths": [4, 8]}, lr=[0.01, 0.1], batch_size=[16, 32, 64])


class TestOverNASBench101(SpaceContract):
    """Its base samples distinct cells and counts labelled ones."""

    specs = IMAGES
    num_samples = 16
    num_built = 1

    def make_space(self) -> Space:
        return JointSpace(NASBench101(8, 1, 1), weight_decay=[0.0, 1e-4])


class TestOverALargeSpace(SpaceContract):
    specs = IMAGES
    num_samples = 16
    num_built = 1

    def make_space(self) -> Space:
        return JointSpace(DARTS(3, 2), lr=[0.01, 0.1])


def test_exact_sizes() -> None:
    assert JointSpace("nasbench201", lr=[0.01, 0.03, 0.1], batch_size=[32, 64]).size == 15_625 * 6
    assert JointSpace(DARTS(), lr=[1, 2, 3]).size == 1_076_746_950_455_072_400 * 3


def test_all_pairs_are_drawn_equally_often() -> None:
    chain = MacroChain(max_depth=2, min_depth=1, operations=("conv",), kernels=(3,), widths=(4,))
    space = JointSpace(chain, lr=[0.01, 0.1, 1.0])
    assert space.size == 18
    drawn = Counter(map(space.to_text, space.sample(18 * 100, np.random.default_rng(0))))
    assert len(drawn) == 18 and chisquare(list(drawn.values())).pvalue > 1e-3


def test_a_move_changes_the_cell_or_one_setting() -> None:
    space = JointSpace("nasbench201", lr=[0.01, 0.03, 0.1], batch_size=[32, 64])
    arch = space.sample(1, np.random.default_rng(0))
    near = space.neighbours(arch[0])
    assert len(near) == 24 + 2 + 1
    changed = (near.decisions != arch[0].decisions).sum(1)
    assert set(changed.tolist()) == {1}
    mutants = space.mutate(arch[np.zeros(4000, dtype=int)], np.random.default_rng(1))
    of_settings = (mutants.decisions[:, 6:] != arch[0].decisions[6:]).any(1)
    assert abs(of_settings.mean() - 2 / 8) < 0.03  # two of eight decisions


def test_settings_are_told() -> None:
    space = JointSpace("nasbench201", lr=[0.01, 0.03], optimizer=["sgd", "adamw"], grad_clip=[None, 5.0])
    arch = space.from_text(f"{CELL} with optimizer=sgd, lr=3e-2, grad_clip=None")
    assert space.hyperparameters(arch) == {"lr": 0.03, "optimizer": "sgd", "grad_clip": None}
    assert space.to_text(arch) == f"{CELL} with lr=0.03, optimizer=sgd, grad_clip=None"
    assert space.base.to_text(space.base_architecture(arch)) == CELL
    assert NASBench201().hyperparameters(NASBench201().from_text(CELL)) == {}
    assert space.schema.node_names[-3:] == ("training.lr", "training.optimizer", "training.grad_clip")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CELL, "expected an architecture with lr=…, batch_size=…"),
        (f"{CELL} with lr=0.01", "the setting 'batch_size' is missing"),
        (f"{CELL} with lr=0.01, lr=0.01", "expected an architecture with"),
        (f"{CELL} with lr=0.01, batch_size=32, momentum=0.9", "expected an architecture with"),
        (f"{CELL} with lr=0.02, batch_size=32", "expected lr out of 0.01, 0.03, got '0.02'"),
        (f"{CELL} with lr=fast, batch_size=32", "expected lr out of 0.01, 0.03, got 'fast'"),
        ("|none~0| with lr=0.01, batch_size=32", "nasbench201: expected"),
    ],
)
def test_malformed_text_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        JointSpace("nasbench201", lr=[0.01, 0.03], batch_size=[32, 64]).from_text(text)


def test_settings_are_drawn_in_a_box_of_their_own() -> None:
    from gennas.graph.draw import draw_svg

    space = JointSpace("macro-chain", lr=[0.01, 0.1], batch_size=[32, 64])
    arch = space.from_text("/".join(["conv3x3-w16-s1"] * 7) + " with lr=0.01, batch_size=64")
    drawing = draw_svg(arch)
    assert "<title>training lr=0.01 batch_size=64</title>" in drawing
    assert drawing.count("<title>layer") == 7
    width = float(drawing.partition('width="')[2].partition('"')[0])
    assert width < 800  # in rows, as the chain alone


def test_options_make_it_again() -> None:
    """A run's record names a space by its class and these."""
    named = JointSpace("macro-chain", {"max_depth": 3}, lr="0.01,0.1")
    given = JointSpace(MacroChain(max_depth=3), lr=[0.01, 0.1])
    assert named.options == given.options == {
        "base": "macro-chain", "base_option": {"max_depth": 3}, "lr": [0.01, 0.1],
    }  # fmt: skip
    again = make_space("joint", **named.options)
    assert again.schema.fingerprint == named.schema.fingerprint and again.identity == named.identity == given.identity
    assert JointSpace().options == {"base": "nasbench201", "base_option": {}, "lr": [0.001, 0.01, 0.1]}
    other = JointSpace("macro-chain", {"max_depth": 3, "max_downsamplings": 1}, lr="0.01,0.1")
    assert other.identity != named.identity


def test_fidelities_are_the_bases() -> None:
    small = JointSpace(NASBench201(4, 16), lr=[0.01, 0.1]).scaled(0.5, 0.5)
    assert small.options["base_option"].items() >= {"num_cells": 2, "width": 8}.items() and small.settings == {
        "lr": (0.01, 0.1)
    }
    space = JointSpace("nasbench201", lr=[0.01, 0.1])
    assert space.for_task("cifar10") is space


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (("nasbench201",), {"lr": []}, ConfigError, "different numbers or words as values of 'lr'"),
        (("nasbench201",), {"lr": [0.1, 0.1]}, ConfigError, "values of 'lr', such as"),
        (("nasbench201",), {"base_options": {"width": 4}}, ConfigError, "values of 'base_options'"),
        (("nasbench201", {"widht": 4}), {"lr": [1]}, ConfigError, "Did you mean width"),
        ((NASBench201(), {"width": 4}), {"lr": [1]}, ConfigError, "made already"),
        (("nasbench-201",), {"lr": [1]}, UnknownNameError, "Did you mean nasbench201"),
    ],
)
def test_bad_arguments_are_refused(arguments: Any, options: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        JointSpace(*arguments, **options)
