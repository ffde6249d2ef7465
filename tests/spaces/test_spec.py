"""Tests of what spaces know of tasks."""

from __future__ import annotations

import pytest

from gennas.errors import ConfigError
from gennas.spaces import TaskSpec
from gennas.spaces.spec import KINDS

SPECS = {
    "image": TaskSpec("image", (3, 8, 6), 5),
    "node": TaskSpec("node", (7,), 5),
    "graph": TaskSpec("graph", (7,), 5),
    "language": TaskSpec("language", (9,), 11, vocabulary=11),
    "tagging": TaskSpec("tagging", (9,), 5, vocabulary=11),
    "text": TaskSpec("text", (9,), 5, vocabulary=11),
    "segmentation": TaskSpec("segmentation", (3, 8, 6), 5),
    "pair": TaskSpec("pair", (3, 4), 5, second_shape=(2,)),
}
INPUTS = {
    "image": [(2, 3, 8, 6)],
    "node": [(2, 7), (2, 4)],
    "graph": [(8, 7), (2, 16), (8,)],
    "language": [(2, 9)],
    "tagging": [(2, 9)],
    "text": [(2, 9)],
    "segmentation": [(2, 3, 8, 6)],
    "pair": [(2, 3, 4), (2, 2)],
}
OUTPUTS = {"language": (2, 9, 11), "tagging": (2, 9, 5), "segmentation": (2, 5, 8, 6)}


@pytest.mark.parametrize("kind", KINDS)
def test_inputs_and_outputs_have_the_shapes_of_their_kind(kind: str) -> None:
    """One row of the table of kinds each."""
    spec = SPECS[kind]
    assert [tuple(x.shape) for x in spec.random_inputs(2)] == INPUTS[kind]
    assert spec.output_shape(2) == OUTPUTS.get(kind, (2, 5))
    assert all(x.equal(y) for x, y in zip(spec.random_inputs(2, seed=3), spec.random_inputs(2, seed=3), strict=True))
    spec.require("here", spec.kind)


def test_the_edges_of_every_random_graph_stay_inside_it() -> None:
    """Graph ``i`` has the nodes ``4 i`` to ``4 i + 3``, each with two neighbours."""
    _, edge_index, batch = SPECS["graph"].random_inputs(3)
    assert batch.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert (batch[edge_index[0]] == batch[edge_index[1]]).all()
    assert edge_index[1].bincount().tolist() == [2] * 12


@pytest.mark.parametrize(
    "spec",
    [
        TaskSpec("text", (8,), 2),
        TaskSpec("text", (8, 8), 2, vocabulary=3),
        TaskSpec("segmentation", (3,), 2),
        TaskSpec("pair", (3,), 2),
        TaskSpec("graph", (), 2),
    ],
)
def test_a_shape_that_is_not_that_of_its_kind_is_refused(spec: TaskSpec) -> None:
    """The message names the kind's shape and what came."""
    with pytest.raises(ConfigError, match=r"here has networks for .* only: expected kind"):
        spec.require("here", spec.kind)
