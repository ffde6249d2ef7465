"""Tests of HW-GPT-Bench's spaces."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from gennas.errors import InvalidArchitectureError
from gennas.graph import Population
from gennas.spaces import GPTLarge, GPTMedium, GPTSmall, TaskSpec
from gennas.spaces.gpt import HWGPT
from gennas.testing import SpaceContract


class TestGPTSmall(SpaceContract):
    num_samples = 24
    num_built = 2
    specs = (
        TaskSpec("language", (8,), 11, vocabulary=11),
        TaskSpec("tagging", (8,), 3, vocabulary=11),
        TaskSpec("text", (8,), 3, vocabulary=11),
    )

    def make_space(self) -> HWGPT:
        return GPTSmall().scaled(0.05)


@pytest.mark.parametrize(
    ("space", "size", "smallest", "largest"),
    [
        (GPTSmall(), 1_903_784_282_946, 22_746_240, 162_246_144),
        (GPTMedium(), 537_684_912_592_251_733_153_026, 43_054_592, 405_231_616),
        (GPTLarge(), 151_858_100_636_256_657_146_478_033_822_541_506, 68_415_360, 837_040_640),
    ],
)
def test_sizes_and_extremes_are_exact(space: HWGPT, size: int, smallest: int, largest: int) -> None:
    """Counted by the formula; the smallest is built, too. There are no published counts to compare with."""
    extremes = []
    for pick, bias in ((0, False), (-1, True)):
        config = {"sample_embed_dim": space.embeds[pick], "sample_n_layer": space.depths[pick], "sample_bias": bias}
        most = space.depths[-1]
        lists = {"sample_n_head": [space.head_counts[pick]] * most, "sample_mlp_ratio": [(2, 3, 4)[pick]] * most}
        extremes.append(space.from_config(config | lists))
    population = Population.of(space.schema, extremes)
    assert space.size == size
    assert space.count_parameters(population, space.published_spec).tolist() == [smallest, largest]
    with torch.device("meta"):
        net = space.build(extremes[1], space.published_spec)
    assert sum(p.numel() for p in net.parameters()) == largest


def test_tied_and_untied_counts_differ_by_one_matrix() -> None:
    space = GPTSmall()
    population = space.sample(5, np.random.default_rng(0))
    untied, tied = (space.count_parameters(population, space.published_spec, tied=t) for t in (False, True))
    assert (untied - tied).tolist() == (50254 * space.column(population, "embed")).tolist()
    assert GPTSmall(tied=True).count_parameters(population, space.published_spec).tolist() == tied.tolist()


def test_a_head_more_costs_what_whittle_tests() -> None:
    """One head less in every layer: (E 64 + 3 64 E) per layer without biases."""
    space = GPTSmall()
    layers = {"embed": 192, "bias": 0, "depth": 10, "mlp": [2] * 10}
    archs = [space.from_config({**layers, "heads": [h] * 10}) for h in (4, 8)]
    counts = space.count_parameters(Population.of(space.schema, archs), space.published_spec)
    assert counts[1] - counts[0] == 4 * (192 * 64 + 3 * 64 * 192) * 10


def test_the_benchmarks_own_flops() -> None:
    """2 P T + 4 L E T^2, by hand for the smallest network."""
    space = GPTSmall()
    arch = space.from_config({"embed": 192, "bias": 0, "depth": 10, "heads": [4] * 10, "mlp": [2] * 10})
    population = Population.of(space.schema, [arch])
    assert space.flops_hwgpt(population).tolist() == [2 * 22_746_240 * 1024 + 4 * 10 * 192 * 1024**2]
    assert space.flops_hwgpt(population, 8).tolist() == [2 * 22_746_240 * 8 + 4 * 10 * 192 * 64]


def official(depth: int = 10, length: int = 12) -> dict[str, object]:
    return {
        "sample_embed_dim": 384,
        "sample_n_layer": depth,
        "sample_layer_indices": list(range(depth)),
        "sample_n_head": [4, 8, 12] * (length // 3),
        "sample_mlp_ratio": [2, 3, 4] * (length // 3),
        "sample_bias": True,
    }


def test_the_official_dictionary_round_trips() -> None:
    """Its lists are drawn for the largest depth; what stands beyond the layers is not used."""
    space = GPTSmall()
    arch = space.from_config(official())
    assert space.config(arch)["heads"] == [4, 8, 12] * 3 + [4] and space.config(arch)["bias"] == 1
    again = space.official_config(arch)
    assert again["sample_bias"] is True and len(again["sample_n_head"]) == 10
    assert space.from_config(again) == arch
    assert space.from_text(space.formats["hw-gpt-bench"](json.dumps(official()))) == arch
    assert space.from_config(official() | {"sample_bias": "True"}) == arch
    for other in space.sample(8, np.random.default_rng(0)):
        assert space.from_config(space.official_config(other)) == other


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sample_embed_dim": 100}, "expected embed out of 192, 384, 768, got '100'"),
        ({"sample_n_layer": 13}, "expected depth out of 10, 11, 12, got '13'"),
        ({"sample_n_head": [4] * 9}, "expected 10 entries of heads, one for each layer, got 9"),
        ({"sample_bias": 1}, "sample_bias True or False, got '1'"),
        ({"sample_heads": 1}, "expected the names sample_embed_dim, .*; see 'sample_heads'"),
    ],
)
def test_wrong_dictionaries_are_one_clear_line(change: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        GPTSmall().from_config(official() | change)


def test_text_that_is_no_dictionary_is_refused() -> None:
    read = GPTSmall.formats["hw-gpt-bench"]
    for text, message in (("{", "a dictionary in JSON"), ("[1]", "a dictionary with sample_embed_dim")):
        with pytest.raises(InvalidArchitectureError, match=message):
            read(text)
