"""Data of the user's: what is taken, and how what is not is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from gennas.errors import ConfigError
from gennas.training.data import NodeData
from gennas.training.datasets.user import check_graph, check_images, digest, stack

IMAGES, LABELS = torch.rand(4, 1, 2, 2), torch.tensor([0, 1, 2, 1])
GRAPH = NodeData(
    torch.zeros(5, 3),
    torch.tensor([[0, 1, 2], [1, 2, 4]]),
    torch.tensor([0, 1, 0, 1, 0]),
    {"train": torch.tensor([0, 1]), "validation": torch.tensor([2]), "test": torch.tensor([4])},
)


def test_good_data_pass() -> None:
    check_images("mine", "train", IMAGES, LABELS, 3)
    check_images("mine", "train", (255 * IMAGES).byte(), LABELS, 3)
    check_graph("mine", GRAPH)
    check_graph("mine", replace(GRAPH, edge_index=torch.zeros(2, 0, dtype=torch.long)))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (IMAGES[0], LABELS, r"got \(1, 2, 2\) and \(4,\)"),
        (IMAGES, LABELS[:3], r"got \(4, 1, 2, 2\) and \(3,\)"),
        (IMAGES[:0], LABELS[:0], r"got \(0, 1, 2, 2\)"),
        (IMAGES / 0, LABELS, "NaN or infinite"),
        (IMAGES, LABELS + 1, "whole labels from 0 to 2, got 1 to 3"),
        (IMAGES, LABELS - 1, "got -1 to 1"),
        (IMAGES, LABELS.float(), "float32"),
    ],
)
def test_images_that_do_not_fit(x: torch.Tensor, y: torch.Tensor, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        check_images("mine", "train", x, y, 3)
    assert str(caught.value).startswith("Task 'mine', train:")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.zeros(5)}, "expected x"),
        ({"y": torch.zeros(4)}, "expected x"),
        ({"edge_index": torch.zeros(3, 2)}, "expected x"),
        ({"edge_index": torch.tensor([[0], [5]])}, "edge_index names nodes outside 0 to 4"),
        ({"nodes": {**GRAPH.nodes, "test": torch.tensor([-1])}}, "train, validation and test names nodes outside"),
        ({"nodes": {**GRAPH.nodes, "test": torch.tensor([2])}}, "share no node"),
        ({"nodes": {**GRAPH.nodes, "test": torch.tensor([], dtype=torch.long)}}, "non-empty"),
    ],
)
def test_graphs_that_do_not_fit(change, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_graph("mine", replace(GRAPH, **change))


def test_a_dataset_becomes_two_tensors() -> None:
    x, y = stack("mine", "test", [(image, int(label)) for image, label in zip(IMAGES, LABELS, strict=True)])
    assert torch.equal(x, IMAGES) and torch.equal(y, LABELS) and y.dtype == torch.int64


@pytest.mark.parametrize("dataset", [[("text", 0)], [(IMAGES[0], 0), (IMAGES[0, :, :1], 1)], [(IMAGES[0], None)], [3]])
def test_what_is_no_dataset_of_images_is_explained(dataset) -> None:
    with pytest.raises(ConfigError, match="Task 'mine', test: expected a dataset"):
        stack("mine", "test", dataset)


def test_digests_tell_values_types_and_shapes_apart() -> None:
    x = torch.arange(6)
    others = [x, x + 1, x.int(), x.reshape(2, 3), x.flip(0)]
    assert len({digest(t) for t in others}) == 5
    assert digest(x, x) != digest(x) and digest(x) == digest(torch.arange(12)[::2] // 2)
    assert digest(torch.zeros(0)) == digest(torch.zeros(0)) and len(digest(x)) == 12
