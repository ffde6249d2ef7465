"""One graph."""

from __future__ import annotations

import pytest
import torch

from gennas.errors import ConfigError
from gennas.training.data import NodeData


def test_graphs_are_one_batch_with_the_rows_of_the_part():
    nodes = {"train": torch.tensor([2, 0]), "validation": torch.tensor([1]), "test": torch.tensor([3])}
    data = NodeData(torch.eye(4), torch.tensor([[0, 1], [1, 2]]), torch.tensor([5, 6, 7, 8]), nodes)
    (batch,) = data.batches("train", 1)
    assert batch.rows.tolist() == [2, 0]
    assert batch.y.tolist() == [7, 5]
    assert data.take(torch.tensor([1])).labels("train").tolist() == [5]
    with pytest.raises(ConfigError, match="no resolution"):
        data.resized(0.5)
