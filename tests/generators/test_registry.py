"""One registry of generators: names, classes of one's own, and none that a checkpoint brings."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gennas.errors import CheckpointError, ConfigError, UnknownNameError
from gennas.generators.autoregressive import AutoregressiveGenerator
from gennas.generators.registry import GENERATORS, is_generator, new_generator
from gennas.generators.trained import generator_class
from gennas.generators.weights import pack_weights
from gennas.search import strategies
from gennas.spaces import NASBench201
from gennas.workbench.run import search

OWN = """
import numpy as np


class Own:
    def __init__(self, space, num_conditions, seed):
        self.space, self.made_with = space, (num_conditions, seed)

    def fit(self, archs, conditions=None, weights=None, steps=1, seed=0):
        pass

    def sample(self, n, conditions=None, seed=0):
        return self.space.sample(n, np.random.default_rng(seed))


class Demanding(Own):
    def __init__(self, space, temperature):
        pass


def maker(schema, legal, guidance_scale):
    return schema.name, legal is not None, guidance_scale
"""


@pytest.fixture
def own(tmp_path: Path):
    (tmp_path / "own_generators.py").write_text(OWN)
    yield f"{tmp_path / 'own_generators.py'}:"
    sys.modules.pop("_gennas_user_own_generators", None)


def test_names() -> None:
    assert strategies.GENERATORS is GENERATORS
    assert list(GENERATORS) == ["autoregressive", "diffusion", "latent"] and len(GENERATORS) == 3
    assert GENERATORS.get("autoregressive") is AutoregressiveGenerator and "magic" not in GENERATORS
    assert all(GENERATORS.get(name).kind == name and is_generator(GENERATORS.get(name)) for name in GENERATORS)
    with pytest.raises(UnknownNameError, match="Did you mean latent"):
        GENERATORS.get("latnet")


def test_made_with_conditions_seed_and_guidance() -> None:
    first, again, other = (new_generator("diffusion", NASBench201(), 2, seed, 1.5) for seed in (1, 1, 2))
    assert first.num_conditions == 2 and first.settings.guidance_scale == 1.5
    weights = [pack_weights(generator) for generator in (first, again, other)]
    assert all((weights[0][name] == array).all() for name, array in weights[1].items())
    assert any((weights[0][name] != array).any() for name, array in weights[2].items())


def test_ones_own_get_what_they_name(own: str) -> None:
    assert new_generator(f"{own}Own", NASBench201(), 2, 7).made_with == (2, 7)
    assert new_generator(f"{own}maker", NASBench201(), 2, 7, 1.5) == ("nasbench201", True, 1.5)
    with pytest.raises(ConfigError, match="Missing option 'temperature'"):
        new_generator(f"{own}Demanding", NASBench201(), 2, 7)


def test_weights_bring_no_code_with_them(own: str) -> None:
    with pytest.raises(CheckpointError, match="Expected a generator of kind autoregressive, diffusion, latent"):
        generator_class(f"{own}Own")


def test_a_search_with_a_generator_that_has_nothing_to_save(own: str, tmp_path: Path) -> None:
    options = {"shares": {f"{own}Own": 1.0}, "warm_start": 4, "round_size": 2, "pool_size": 20, "refit_every": 2}
    settings = {"space": "nasbench201", "evaluator": lambda arch: float(arch.decisions.sum()), "report": False}
    run = search(**settings, strategy="generative", strategy_option=options, budget=10, out=tmp_path / "run")
    assert {t.proposal.origin.source for t in run.result.trials} == {"random", f"{own}Own"}
    assert not (tmp_path / "run" / "generator").exists()
