"""Tests of GraphGym's design space: sizes, settings of the training, counting."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from gennas.errors import ConfigError
from gennas.spaces import GraphGym, TaskSpec
from gennas.testing import SpaceContract
from gennas.training.recipe import TrainConfig

SPECS = (TaskSpec("node", (5,), 3), TaskSpec("graph", (4,), 4))
NETWORK = "batch_norm=1;dropout=0.3;act=prelu;aggr=sum;connectivity=skip-cat;pre=1;layers=4;post=2"


class TestGraphGym(SpaceContract):
    num_samples, num_built = 32, 2
    specs = SPECS

    def make_space(self) -> GraphGym:
        return GraphGym(hidden=8)


def test_sizes() -> None:
    """5,832 networks; 3 * 3 * 2 * 3 = 54 trainings of each."""
    assert GraphGym(training=False).size == 5832 and GraphGym().size == 5832 * 54 == 314_928


def test_samples_are_uniform_over_networks() -> None:
    """Chi-square over all 5,832, each once."""
    space = GraphGym(training=False)
    _, counts = np.unique(space.sample(20 * 5832, np.random.default_rng(0)).keys, return_counts=True)
    assert len(counts) == 5832 and chisquare(counts).pvalue > 1e-3


def test_training_settings_are_those_of_a_recipe() -> None:
    """An architecture brings them, and a recipe takes them; without them there are none."""
    space = GraphGym()
    arch = space.from_text(f"{NETWORK};batch_size=16;lr=0.001;optimizer=sgd;epochs=200")
    found = space.hyperparameters(arch)
    assert found == {"batch_size": 16, "lr": 0.001, "optimizer": "sgd", "epochs": 200}
    assert TrainConfig(**found).lr == 0.001
    plain = GraphGym(training=False)
    assert plain.hyperparameters(plain.from_text(NETWORK)) == {}


def test_networks_do_not_depend_on_the_training() -> None:
    """The same parameters for all 54."""
    space = GraphGym(hidden=8)
    texts = [f"{NETWORK};batch_size={b};lr=0.1;optimizer={o};epochs=100" for b in (16, 64) for o in ("sgd", "adam")]
    archs = space.from_texts(texts)
    assert len(set(archs.keys)) == 4
    assert len(set(space.count_parameters(archs, SPECS[0]).tolist())) == 1


@pytest.mark.parametrize("spec", SPECS)
def test_parameters_are_counted_as_built(spec: TaskSpec) -> None:
    """All connectivities and depths, and a scaled width."""
    space = GraphGym(training=False).scaled(width=0.1)
    assert space.hidden == 6
    population = space.sample(30, np.random.default_rng(0))
    with torch.device("meta"):
        built = [sum(p.numel() for p in space.build(arch, spec).parameters()) for arch in population]
    assert space.count_parameters(population, spec).tolist() == built


@pytest.mark.parametrize(("options", "message"), [({"hidden": 0}, "positive hidden"), ({"pooling": "x"}, "pooling")])
def test_settings_are_checked(options: dict[str, object], message: str) -> None:
    """One line that says what was expected."""
    with pytest.raises(ConfigError, match=f"graphgym: expected .*{message}"):
        GraphGym(**options)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="has no depth fidelity"):
        GraphGym().scaled(depth=2)
