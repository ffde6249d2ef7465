"""Tests of what the spaces of causal transformers share: low fidelities, and settings that make no sense."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gennas.errors import ConfigError
from gennas.spaces import GPT, GPTSmall, Space, TaskSpec

SPECS = (TaskSpec("language", (8,), 11, vocabulary=11), TaskSpec("text", (8,), 3, vocabulary=11))


@pytest.mark.parametrize("space", [GPT(), GPT(positions="learned", bias=False, residual="sequential"), GPTSmall()])
@pytest.mark.parametrize(("width", "depth"), [(0.25, 0.5), (0.1, 1.5)])
def test_scaled_networks_have_the_counted_parameters(space: Space, width: float, depth: float) -> None:
    small = space.scaled(width, depth)
    assert small.schema is space.schema and small.identity != space.identity
    population = space.sample(4, np.random.default_rng(0))
    for spec in SPECS:
        with torch.device("meta"):
            built = [small.build(arch, spec) for arch in population]
        assert small.count_parameters(population, spec).tolist() == [
            sum(p.numel() for p in net.parameters()) for net in built
        ]
    depths = [len(net.blocks) for net in built]
    assert depths == [max(1, int(depth * d + 0.5)) for d in space.depth(population.decisions)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"positions": "absolute"}, "positions 'rotary' or 'learned', got 'absolute'"),
        ({"residual": "serial"}, "residual 'parallel' or 'sequential', got 'serial'"),
        ({"rotary": 0}, r"rotary in \(0, 1\], got 0"),
        ({"context": 0}, "a positive context, got 0"),
    ],
)
def test_settings_are_checked(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        GPT(**options)


def test_a_text_beyond_the_context_is_one_clear_line() -> None:
    space = GPT(context=16)
    arch = space.sample(1, np.random.default_rng(0))[0]
    with pytest.raises(ConfigError, match=r"^Expected texts of at most 16 tokens \(context\), got 17: shorten them\.$"):
        space.build(arch, TaskSpec("language", (17,), 5, vocabulary=5))
