"""Less data, smaller images, narrower networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gennas.errors import ConfigError
from gennas.eval.base import Fidelity
from gennas.graph import GraphSchema
from gennas.spaces.base import Space
from gennas.spaces.nasbench201.space import NASBench201
from gennas.spaces.spec import TaskSpec
from gennas.training import apply_fidelity, make_task, scale_space, scale_spec


class Rigid(Space):
    name = "rigid"
    schema = GraphSchema("rigid", ("a", "b"), ("none",), np.ones((1, 2), dtype=bool), np.ones((1, 1, 1), dtype=bool))

    def build(self, arch, spec):
        return torch.nn.Identity()


def test_full_fidelity_changes_nothing():
    data = make_task("digits").data
    assert apply_fidelity(data, Fidelity(), seed=0) is data


def test_data_fraction_touches_only_the_training_part():
    data = make_task("digits").data
    part = apply_fidelity(data, Fidelity(data_fraction=0.25), seed=3)
    assert abs(len(part.labels("train")) - 0.25 * len(data.labels("train"))) <= 10
    assert part.x["test"] is data.x["test"] and part.x["validation"] is data.x["validation"]
    again = apply_fidelity(data, Fidelity(data_fraction=0.25), seed=3)
    assert torch.equal(part.x["train"], again.x["train"])
    assert not torch.equal(part.x["train"], apply_fidelity(data, Fidelity(data_fraction=0.25), seed=4).x["train"])


def test_resolution_resizes_all_parts_and_the_spec():
    data = apply_fidelity(make_task("digits").data, Fidelity(resolution=0.5), seed=0)
    assert {tuple(x.shape[1:]) for x in data.x.values()} == {(1, 4, 4)}
    assert scale_spec(TaskSpec("image", (3, 9, 1), 10), Fidelity(resolution=0.3)).input_shape == (3, 3, 1)
    with pytest.raises(ConfigError, match="no resolution"):
        scale_spec(TaskSpec("node", (5,), 2), Fidelity(resolution=0.5))


def test_width_and_depth_need_the_spaces_help():
    space = NASBench201()
    assert scale_space(space) is space
    half = scale_space(space, 0.5, 0.5)
    assert (half.width, half.num_cells) == (8, 3)
    for factors in ({"width": 0.5}, {"depth": 0.5}):
        with pytest.raises(ConfigError, match="'rigid' has no width or depth fidelity"):
            scale_space(Rigid(), **factors)


@pytest.mark.parametrize("factors", [{"width": 0.0}, {"depth": -1.0}, {"depth": float("nan")}, {"width": float("inf")}])
def test_factors_must_be_positive(factors):
    with pytest.raises(ConfigError, match="positive factors"):
        scale_space(NASBench201(), **factors)
