"""Tests of what mobile spaces share: counting of parameters, scaling, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gennas.errors import ConfigError
from gennas.spaces import OFA, FBNet, NASBenchMacro, ProxylessNAS, TaskSpec
from gennas.spaces.mobilenet.base import MobileSpace

SPACES = [FBNet(), OFA(resolutions=(128, 160)), ProxylessNAS("gpu"), NASBenchMacro()]


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
@pytest.mark.parametrize("width", [1, 0.3])
def test_parameters_are_counted_as_built(space: MobileSpace, width: float) -> None:
    """At the published width and at others, whose rounding may make widths of neighbouring stages equal."""
    scaled, spec = space.scaled(width=width), TaskSpec("image", (1, 8, 8), 10)
    population = scaled.sample(4, np.random.default_rng(0))
    with torch.device("meta"):
        built = [sum(p.numel() for p in scaled.build(arch, spec).parameters()) for arch in population]
    assert scaled.count_parameters(population, spec).tolist() == built
    assert (max(built) < 1_000_000) == (width < 1) or space.name == "nasbench-macro"


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_scaling_keeps_architectures_and_changes_the_identity(space: MobileSpace) -> None:
    """The original stays what it is; a depth is refused."""
    before = space.identity
    scaled = space.scaled(width=0.5)
    assert scaled.schema is space.schema and scaled.identity != before == space.identity
    with pytest.raises(ConfigError, match=f"{space.name!r} has no depth fidelity"):
        space.scaled(depth=0.5)
