"""Tests of the AutoFormer spaces: exact sizes, published networks, their official files."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.graph import Population
from gennas.spaces import AutoFormerBase, AutoFormerSmall, AutoFormerTiny, TaskSpec
from gennas.spaces.autoformer import AutoFormer
from gennas.testing import SpaceContract

IMAGENET = TaskSpec("image", (3, 224, 224), 1000)
DIGITS = TaskSpec("image", (1, 8, 8), 10)


def small(**options: object) -> AutoFormerTiny:
    sizes = {"embeds": (12, 16), "depths": (1, 2), "ratios": (1.5, 2), "heads": (1, 2), "head_dim": 6}
    return AutoFormerTiny(**sizes | options)


class TestSmall(SpaceContract):
    def make_space(self) -> AutoFormer:
        return small()


class TestTiny(SpaceContract):
    num_samples, num_built = 24, 1
    specs = (DIGITS,)

    def make_space(self) -> AutoFormer:
        return AutoFormerTiny(patch=2)


def count_as_built(space: AutoFormer, text: str, spec: TaskSpec = IMAGENET) -> int:
    """Parameters of the network, without memory for them; the vectorised count must agree."""
    arch = space.from_text(text)
    assert space.to_text(arch) == text
    with torch.device("meta"):
        built = sum(p.numel() for p in space.build(arch, spec).parameters())
    assert space.count_parameters(Population.of(space.schema, [arch]), spec).tolist() == [built]
    return built


@pytest.mark.parametrize(
    ("space", "size"),
    [
        (AutoFormerTiny(), 1_056_964_608),
        (AutoFormerSmall(), 77_103_263_459_313),
        (AutoFormerBase(), 10_108_977_168_384),
        (AutoFormerBase(heads=(8, 9, 10)), 6_245_364_340_204_353),
        (AutoFormerTiny(ratios=(3, 3.5, 4)), 280_804_921_344),
    ],
)
def test_sizes(space: AutoFormer, size: int) -> None:
    """As published, and as the formula gives for what the released files list."""
    assert space.size == size


@pytest.mark.parametrize(
    ("space", "text", "params"),
    [
        (AutoFormerTiny(ratios=(3, 3.5, 4)), AutoFormerTiny.released, 5_867_944),
        (AutoFormerSmall(), AutoFormerSmall.reference["AutoFormer-S"], 22_891_432),
        (AutoFormerBase(), AutoFormerBase.reference["AutoFormer-B"], 53_691_688),
    ],
)
def test_released_networks_have_the_published_parameters(space: AutoFormer, text: str, params: int) -> None:
    """5.8, 22.9 and 53.7 million in the paper."""
    assert count_as_built(space, text) == params


@pytest.mark.parametrize(
    ("space", "smallest", "largest"),
    [
        (AutoFormerTiny(), 5_366_056, 10_517_272),
        (AutoFormerSmall(), 13_057_320, 34_790_440),
        (AutoFormerBase(), 41_687_896, 76_882_264),
    ],
)
def test_smallest_and_largest(space: AutoFormer, smallest: int, largest: int) -> None:
    """The lowest and the highest choice everywhere."""
    found = []
    for pick in (min, max):
        embed, depth, ratio, heads = map(pick, choices_of(space))
        depth = int(depth)
        config = {"embed": embed, "depth": depth, "mlp": [ratio] * depth, "heads": [heads] * depth}
        found.append(count_as_built(space, space.to_text(space.from_config(config))))
    assert found == [smallest, largest]


def choices_of(space: AutoFormer) -> list[list[float]]:
    """Numbers of the decisions embed, depth, mlp and heads, of the labels of the first four nodes."""
    schema = space.schema
    return [[schema.ordinals[schema.node_labels[i]] for i in np.flatnonzero(schema.node_mask[v])] for v in range(4)]


@pytest.mark.parametrize(
    ("embed", "heads", "params"), [(192, 3, 5_717_416), (384, 6, 22_050_664), (768, 12, 86_567_656)]
)
def test_deit_is_a_network_without_relative_positions(embed: int, heads: int, params: int) -> None:
    """deit_tiny, deit_small and deit_base."""
    assert count_as_built(*deit(embed, heads)) == params


def deit(embed: int, heads: int, depth: int = 12, **options: object) -> tuple[AutoFormer, str]:
    settings = {"embeds": (embed,), "depths": (depth,), "ratios": (4,), "heads": (heads, heads + 1)}
    space = AutoFormerBase(**settings, relative=False, pooling="token", **options)
    return space, f"embed={embed};depth={depth};mlp={','.join(['4'] * depth)};heads={','.join([str(heads)] * depth)}"


def test_the_official_file_and_configuration_are_read(shared_data: Path) -> None:
    """RETRAIN of the yaml, and the dictionary that the official code makes of it."""
    file = shared_data / "published_architectures.json"
    if not file.exists():
        pytest.skip("no published_architectures.json")
    spaces = {
        "autoformer-tiny": (AutoFormerTiny(ratios=(3, 3.5, 4)), AutoFormerTiny.released),
        "autoformer-small": (AutoFormerSmall(), AutoFormerSmall.reference["AutoFormer-S"]),
        "autoformer-base": (AutoFormerBase(), AutoFormerBase.reference["AutoFormer-B"]),
    }
    for name, found in json.loads(file.read_text())["autoformer"].items():
        space, text = spaces[name]
        lists = {"MLP_RATIO": found["ratio"], "NUM_HEADS": found["heads"]}
        official = {"RETRAIN": {"EMBED_DIM": found["embed"], "DEPTH": found["depth"], **lists}}
        sampled = {
            "layer_num": found["depth"],
            "embed_dim": [found["embed"]] * found["depth"],
            "num_heads": found["heads"],
            "mlp_ratio": found["ratio"],
        }
        assert [space.to_text(space.from_config(c)) for c in (official, sampled)] == [text, text]


def test_every_architecture_of_a_small_space_once_and_uniformly() -> None:
    """Enumeration against the size, chi-square against uniform."""
    space = small(depths=(1, 2, 3))
    allowed = [np.flatnonzero(row).tolist() for row in space.schema.decision_mask]
    everything = Population.from_decisions(space.schema, np.array(list(product(*allowed))))
    found = everything[space.is_valid(everything)]
    assert space.size == 2 * (4 + 16 + 64) == len(set(found.keys)) == len(found)
    keys, counts = np.unique(space.sample(60 * 168, np.random.default_rng(0)).keys, return_counts=True)
    assert len(keys) == 168 and chisquare(counts).pvalue > 1e-3


def test_low_fidelity_scales_channels_and_layers() -> None:
    """Half the channels of tokens and of heads, as many heads; half and twice the layers."""
    space = small(embeds=(16, 24), depths=(2, 3), head_dim=8)
    arch = space.from_text("embed=16;depth=3;mlp=2,1.5,2;heads=2,1,2")
    half = space.scaled(0.5).build(arch, DIGITS)
    assert half.head.in_features == 8 and [b.attention.head_dim for b in half.blocks] == [4, 4, 4]
    assert [b.attention.qkv.out_features // 12 for b in half.blocks] == [2, 1, 2]
    population = Population.of(space.schema, [arch, space.from_text("embed=24;depth=2;mlp=2,1.5;heads=1,2")])
    for depth, layers in ((0.5, [2, 1]), (2, [6, 4])):
        scaled = space.scaled(0.5, depth)
        nets = [scaled.build(a, DIGITS) for a in population]
        assert [len(net.blocks) for net in nets] == layers
        counted = scaled.count_parameters(population, DIGITS).tolist()
        assert counted == [sum(p.numel() for p in net.parameters()) for net in nets]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("embed=192;depth=11;mlp=4;heads=3", "expected depth out of 12, 13, 14, got '11'"),
        ("embed=192;depth=12;mlp=4,4;heads=3,3", "expected 12 entries of mlp, one for each layer, got 2"),
        ("embed=200;depth=12;mlp=4;heads=3", "expected embed out of 192, 216, 240, got '200'"),
        (f"embed=192;depth=12;mlp={'4,' * 11}3;heads={'3,' * 11}3", "expected mlp of layer 12 out of 3.5, 4, got '3'"),
        ("embed=192;depth=12;width=4", "unknown field 'width'"),
    ],
)
def test_bad_text(text: str, message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        AutoFormerTiny().from_text(text)


def test_bad_configurations() -> None:
    with pytest.raises(InvalidArchitectureError, match="one width in all layers"):
        small().from_config({"layer_num": 2, "embed_dim": [12, 16], "num_heads": [1, 1], "mlp_ratio": [2, 2]})
    with pytest.raises(InvalidArchitectureError, match="'depth' is missing"):
        small().from_config({"EMBED_DIM": 12, "NUM_HEADS": [1], "MLP_RATIO": [2]})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"embeds": (0, 4)}, "positive embeds"),
        ({"heads": (0, 1)}, "positive heads"),
        ({"ratios": (0.01, 1)}, "ratios that leave a channel"),
        ({"head_dim": 0}, "head_dim >= 1"),
        ({"patch": 0}, "patch >= 1"),
        ({"max_distance": 0}, "max_distance >= 1 or relative=false"),
        ({"pooling": "max"}, "pooling out of mean, token, got 'max'"),
        ({"depths": (0, 1)}, "different positive depths"),
    ],
)
def test_bad_settings(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        small(**options)


def test_an_image_smaller_than_the_patch() -> None:
    space = small(patch=16)
    arch = space.sample(1, np.random.default_rng(0))[0]
    with pytest.raises(ConfigError, match="at least 16 x 16 pixels, the size of a patch, got 8 x 8"):
        space.build(arch, DIGITS)
    with pytest.raises(ConfigError, match="at least 16 x 16 pixels"):
        space.count_parameters(Population.of(space.schema, [arch]), DIGITS)
