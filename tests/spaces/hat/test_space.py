"""Tests of HAT's spaces."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.spaces import HAT, Space, TaskSpec
from gennas.testing import SpaceContract

SPECS = (TaskSpec("text", (8,), 3, vocabulary=11), TaskSpec("tagging", (8,), 3, vocabulary=11))
OFFICIAL = {  # of titanxp@146.7ms, for WMT'14 English-German
    "encoder-embed-dim-subtransformer": 640,
    "decoder-embed-dim-subtransformer": 640,
    "encoder-ffn-embed-dim-all-subtransformer": [3072] * 6,
    "decoder-ffn-embed-dim-all-subtransformer": [3072] * 3,
    "encoder-layer-num-subtransformer": 6,
    "decoder-layer-num-subtransformer": 3,
    "encoder-self-attention-heads-all-subtransformer": [4, 8, 8, 8, 4, 4],
    "decoder-self-attention-heads-all-subtransformer": [8, 8, 8],
    "decoder-ende-attention-heads-all-subtransformer": [4, 8, 8],
    "decoder-arbitrary-ende-attn-all-subtransformer": [-1, 1, 1],
}


class TestWhole(SpaceContract):
    num_samples = 24
    specs = ()

    def make_space(self) -> Space:
        return HAT()


class TestEncoder(SpaceContract):
    num_samples = 24
    specs = SPECS

    def make_space(self) -> Space:
        return HAT(part="encoder").scaled(0.05)


def test_sizes_are_exact() -> None:
    assert HAT().size == HAT("iwslt").size == 4 * 3**6 * 2**6 * sum(36**d for d in range(1, 7)) == 417_846_678_672_384
    assert HAT(part="encoder").size == 2 * 6**6 == 93_312


def test_encoders_are_sampled_uniformly() -> None:
    """Uniform by chi-square over the 93,312 encoders, in 729 classes of six layers' widths."""
    space = HAT(part="encoder")
    population = space.sample(729 * 20, np.random.default_rng(0))
    classes = (space.column(population, "ffn") / 1024 - 1) @ 3 ** np.arange(6)
    counts = np.bincount(classes.astype(int), minlength=729)
    assert len(counts) == 729 and chisquare(counts).pvalue > 1e-3
    assert len(population.unique()) > 0.9 * len(population)


def test_the_official_dictionary_is_read() -> None:
    space = HAT()
    arch = space.from_config(OFFICIAL)
    assert arch == space.from_text(space.reference["wmt14ende_titanxp@146.7ms_bleu@28.1"])
    assert space.official_config(arch) == OFFICIAL
    encoder = HAT(part="encoder")
    assert encoder.config(encoder.from_config(OFFICIAL))["heads"] == [4, 8, 8, 8, 4, 4]


@pytest.mark.parametrize("part", [(1.0, 1.0), (0.1, 0.5), (0.05, 1.5)])
def test_encoders_have_the_counted_parameters(part: tuple[float, float]) -> None:
    space = HAT(part="encoder", context=20).scaled(*part)
    population = space.sample(3, np.random.default_rng(0))
    with torch.device("meta"):
        built = [sum(p.numel() for p in space.build(arch, SPECS[1]).parameters()) for arch in population]
    assert space.count_parameters(population, SPECS[1]).tolist() == built


def test_an_encoder_layer_costs_what_is_published() -> None:
    """4,201,984 of width 512 with 3,072 channels in its feed-forward layer, six times."""
    space = HAT(part="encoder")
    arch = space.from_config({"embed": 512, "depth": 6, "ffn": [3072] * 6, "heads": [8] * 6})
    with torch.device("meta"):
        layers = space.build(arch, SPECS[0]).layers
    assert sum(p.numel() for p in layers.parameters()) == 6 * 4_201_984


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decoder-layer-num-subtransformer": 7}, "expected decoder.depth out of 1, 2, 3, 4, 5, 6, got '7'"),
        ({"decoder-layer-num-subtransformer": 4}, "expected 4 entries of decoder.ffn, one for each layer, got 3"),
        ({"encoder-embed-dim-subtransformer": 768}, "expected encoder_embed out of 512, 640, got '768'"),
        ({"arch": "transformersuper"}, "expected names like encoder-embed-dim-subtransformer, got 'arch'"),
    ],
)
def test_wrong_dictionaries_are_one_clear_line(change: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        HAT().from_config(OFFICIAL | change)


def test_what_cannot_be_is_refused() -> None:
    arch = HAT().from_config(OFFICIAL)
    with pytest.raises(ConfigError, match=r"no task of translation .* part='encoder'"):
        HAT().build(arch, SPECS[0])
    with pytest.raises(ConfigError, match="expected part 'whole', got 'encoder': there is no decoder"):
        HAT(part="encoder").count_subtransformer(HAT(part="encoder").sample(1, np.random.default_rng(0)))
    for options, message in (({"dataset": "wmt14"}, "dataset 'wmt'"), ({"part": "decoder"}, "part 'whole'")):
        with pytest.raises(ConfigError, match=message):
            HAT(**options)
