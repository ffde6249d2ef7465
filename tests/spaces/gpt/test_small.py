"""Tests of the small space of causal transformers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.graph import Population
from gennas.spaces import GPT, TaskSpec
from gennas.testing import SpaceContract


class TestGPT(SpaceContract):
    num_samples = 32
    specs = (
        TaskSpec("language", (8,), 11, vocabulary=11),
        TaskSpec("tagging", (8,), 3, vocabulary=11),
        TaskSpec("text", (8,), 3, vocabulary=11),
    )

    def make_space(self) -> GPT:
        return GPT()


def test_size_is_exact() -> None:
    assert GPT().size == 4 * sum(15**d for d in range(1, 5)) == 216_960
    assert GPT(mixers=("conv", "none")).size == 4 * sum(6**d for d in range(1, 5))


def test_samples_are_uniform_over_a_space_of_variable_depth() -> None:
    """A layer has four ways: attention with one of two numbers of heads, conv or none."""
    space = GPT(embeds=(16, 32), depths=(1, 2), heads=(1, 2), mlp=(2,))
    assert space.size == 2 * (4 + 16)
    keys, counts = np.unique(space.sample(100 * space.size, np.random.default_rng(0)).keys, return_counts=True)
    assert len(keys) == space.size
    assert chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize(
    ("embed", "depth", "heads", "parameters"),
    [
        (768, 12, 12, 124_439_808),
        (1024, 24, 16, 354_823_168),
        (1280, 36, 20, 774_030_080),
        (1600, 48, 25, 1_557_611_200),
    ],
)
def test_gpt2_comes_out_of_the_same_blocks(embed: int, depth: int, heads: int, parameters: int) -> None:
    """The published counts of the four GPT-2, head and embedding being one matrix."""
    space = GPT(
        embeds=(embed,),
        depths=(1, depth),
        heads=(heads,),
        mlp=(4,),
        mixers=("attention",),
        positions="learned",
        residual="sequential",
        tied=True,
        context=1024,
    )
    config = {
        "embed": embed,
        "depth": depth,
        "mixer": ["attention"] * depth,
        "heads": [heads] * depth,
        "mlp": [4] * depth,
    }
    arch = space.from_config(config)
    spec = TaskSpec("language", (1024,), 50257, vocabulary=50257)
    population = Population.of(space.schema, [arch])
    assert space.count_parameters(population, spec).tolist() == [parameters]
    assert space.count_parameters(population, spec, tied=False).tolist() == [parameters + 50257 * embed]
    with torch.device("meta"):
        assert sum(p.numel() for p in space.build(arch, spec).parameters()) == parameters


def test_pythia_comes_out_with_its_options() -> None:
    """Pythia 70m has 70,426,624 parameters: six GPT-NeoX blocks, rotary on a quarter of each head, two matrices."""
    space = GPT(embeds=(512,), depths=(1, 6), heads=(8,), mlp=(4,), mixers=("attention",), rotary=0.25)
    arch = space.from_config({"embed": 512, "depth": 6, "mixer": ["attention"] * 6, "heads": [8] * 6, "mlp": [4] * 6})
    spec = TaskSpec("language", (2048,), 50304, vocabulary=50304)
    assert space.count_parameters(Population.of(space.schema, [arch]), spec).tolist() == [70_426_624]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": (3,)}, "expected heads that divide every width, got 3 for 16 channels"),
        ({"heads": (8,)}, "expected at least 32 channels, so that rotary positions turn two a head, got 16"),
        ({"embeds": ()}, "expected some widths and heads"),
        ({"mixers": ("lstm",)}, "expected mixers out of"),
        ({"mixers": ()}, "expected mixers out of"),
        ({"mlp": (0,)}, "expected positive numbers"),
    ],
)
def test_settings_are_checked(options: dict[str, tuple[object, ...]], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        GPT(**options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("embed=16;depth=5;mixer=none;heads=-;mlp=1", "expected depth out of 1, 2, 3, 4, got '5'"),
        ("embed=16;depth=2;mixer=none;heads=-;mlp=1", "expected 2 entries of mixer, one for each layer, got 1"),
        ("embed=16;depth=1;mixer=none;heads=2;mlp=1", "gpt: decisions"),
        (
            "embed=16;depth=1;mixer=rnn;heads=2;mlp=1",
            "expected mixer of layer 1 out of attention, conv, none, got 'rnn'",
        ),
    ],
)
def test_wrong_text_is_one_clear_line(text: str, message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        GPT().from_text(text)
