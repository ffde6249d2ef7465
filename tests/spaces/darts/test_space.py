"""The DARTS space: exact size, 120 neighbours, published networks, texts and configurations."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from gennas.errors import ConfigError
from gennas.spaces import DARTS, TaskSpec
from gennas.testing import SpaceContract

CIFAR = TaskSpec("image", (3, 32, 32), 10)
IMAGENET = TaskSpec("image", (3, 224, 224), 1000)
PUBLISHED = [
    (DARTS(), "DARTS-V1", CIFAR, 3_169_414),
    (DARTS(), "DARTS-V2", CIFAR, 3_349_342),
    (DARTS(auxiliary=True), "DARTS-V2", CIFAR, 3_825_768),
    (DARTS(width=50, auxiliary=True), "NAS-Bench-301-example", CIFAR, 6_369_358),
    (DARTS(14, 48, stem="imagenet"), "DARTS-V1", IMAGENET, 4_510_432),
    (DARTS(14, 48, stem="imagenet"), "DARTS-V2", IMAGENET, 4_718_752),
]


class TestDARTS(SpaceContract):
    num_samples = 24
    num_built = 2

    def make_space(self) -> DARTS:
        return DARTS(num_cells=3, width=4)


def test_the_size_is_exact() -> None:
    assert DARTS().size == 1_037_664_180**2 == 1_076_746_950_455_072_400
    assert DARTS().schema.num_decisions == 28


def test_every_architecture_has_120_neighbours() -> None:
    """96 with another operation, 24 with an edge from elsewhere that keeps its operation."""
    space = DARTS()
    for arch in space.sample(5, np.random.default_rng(0)):
        near = space.neighbours(arch)
        changed = (near.decisions != arch.decisions).sum(1)
        assert [(changed == k).sum() for k in (1, 2)] == [96, 24] and len(near) == 120
        for row in near.decisions[changed == 2]:
            assert sorted(row) == sorted(arch.decisions)


def test_samples_have_two_inputs_per_node_and_operations_equally_often() -> None:
    D = DARTS().sample(3000, np.random.default_rng(0)).decisions
    assert ((D > 0).sum(1) == 16).all()
    shares = np.bincount(D[D > 0])[1:] / (D > 0).sum()
    np.testing.assert_allclose(shares, 1 / 7, atol=0.01)


@pytest.mark.parametrize(("space", "name", "spec", "expected"), PUBLISHED)
def test_published_networks_have_their_parameters(space: DARTS, name: str, spec: TaskSpec, expected: int) -> None:
    arch = space.from_text(space.reference[name])
    with torch.device("meta"):
        module = space.build(arch, spec)
    assert sum(p.numel() for p in module.parameters()) == expected
    assert space.count_parameters(space.from_texts([space.reference[name]]), spec).tolist() == [expected]


@pytest.mark.slow
def test_multiply_accumulates_of_darts_v2() -> None:
    from gennas.eval.complexity import count_flops

    module = DARTS().build(DARTS().from_text(DARTS.reference["DARTS-V2"]), CIFAR).eval()
    assert count_flops(module, CIFAR.random_inputs(1)).flops == 528_359_040


def test_counting_agrees_with_heads_and_stems() -> None:
    for space in (DARTS(4, 5, auxiliary=True), DARTS(3, 6, stem="imagenet"), DARTS(7, 2)):
        for spec in (CIFAR, TaskSpec("image", (1, 8, 8), 3)):
            population = space.sample(3, np.random.default_rng(0))
            built = [sum(p.numel() for p in space.build(arch, spec).parameters()) for arch in population]
            assert space.count_parameters(population, spec).tolist() == built


def test_published_data_agree(shared_data: Path) -> None:
    file = shared_data / "published_architectures.json"
    if not file.exists():
        pytest.skip(f"{file} is not here")
    published, names = json.loads(file.read_text())["darts"], {"DARTS_V1": "DARTS-V1", "DARTS_V2": "DARTS-V2"}
    for key, name in {**names, "nasbench301_example_record": "NAS-Bench-301-example"}.items():
        cells = published[key]["genotype"]
        text = f"Genotype(normal={cells['normal']}, normal_concat=range(2, 6), reduce={cells['reduce']}, "
        assert DARTS().to_text(DARTS().from_text(f"{text}reduce_concat=range(2, 6))")) == DARTS.reference[name]


def test_another_tools_text_is_a_configuration_in_json() -> None:
    from tests.spaces.darts.test_genotype import config_of

    space = DARTS()
    arch = space.from_text(space.reference["DARTS-V1"])
    config = config_of(space.genotype(arch))
    assert space.from_config(config) == arch
    read = space.formats["nasbench301"]
    record = {"optimized_hyperparamater_config": config, "budget": 100}
    assert read(json.dumps(config)) == read(json.dumps(record)) == space.to_text(arch)
    for wrong in ("Genotype(", "[1]", "{}"):
        with pytest.raises(ValueError, match="darts: expected"):
            read(wrong)


def test_scaled_keeps_a_normal_cell() -> None:
    small = DARTS(auxiliary=True, drop_path=0.2).scaled(width=0.25, depth=0.1)
    assert small.options == {
        "num_cells": 3, "width": 9, "auxiliary": True, "drop_path": 0.2, "stem": "cifar",
    }  # fmt: skip


@pytest.mark.parametrize(
    "options", [{"num_cells": 2}, {"width": 1}, {"drop_path": 1.0}, {"drop_path": -0.1}, {"stem": "mnist"}]
)
def test_bad_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="darts: expected num_cells >= 3"):
        DARTS(**options)  # type: ignore[arg-type]
