from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from gennas.errors import ConfigError
from gennas.graph import Architecture
from gennas.spaces import MacroChain, NASBenchGraph, Space, TaskSpec, make_space
from gennas.spaces.spec import KINDS
from gennas.workbench.example import EXAMPLES, build_example, describe


def test_every_kind_has_an_example_that_keeps_its_shape() -> None:
    assert {spec.kind for spec in EXAMPLES} == set(KINDS)
    for spec in EXAMPLES:
        spec.require("any", *KINDS)
        assert spec.random_inputs(2)


@pytest.mark.parametrize(("space", "kind"), [(MacroChain(max_depth=2), "image"), (NASBenchGraph(), "node")])
def test_the_first_kind_that_the_space_builds(space: Space, kind: str) -> None:
    import numpy as np

    archs = list(space.sample(2, np.random.default_rng(0)))
    spec, modules = build_example(space, archs)
    assert spec.kind == kind and len(modules) == 2
    with torch.no_grad():
        assert modules[0].eval()(*spec.random_inputs(3)).shape == spec.output_shape(3)


class Nothing(MacroChain):
    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        raise ConfigError(f"nothing for {spec.kind}")


def test_a_space_that_builds_none_says_so() -> None:
    import numpy as np

    space = Nothing(max_depth=2)
    with pytest.raises(ConfigError, match="nothing for image"):
        build_example(space, list(space.sample(1, np.random.default_rng(0))))


def test_inputs_in_words() -> None:
    assert describe(EXAMPLES[-1]) == "1×8×3 and 1×3×8 inputs, 10 classes"


def test_a_space_that_builds_nothing_says_why() -> None:
    """Not that it has no networks for images."""
    space = make_space("hat")
    with pytest.raises(ConfigError, match="no task of translation"):
        build_example(space, [space.sample(1, np.random.default_rng(0))[0]])
