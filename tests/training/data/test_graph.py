"""Many graphs, and batches of them as torch-geometric makes them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from gennas.training.data import GraphData


def graphs(count: int, seed: int) -> list[tuple[Tensor, Tensor, int]]:
    generator = torch.Generator().manual_seed(seed)
    found = []
    for label in range(count):
        n = int(torch.randint(1, 7, (), generator=generator))
        edges = torch.randint(n, (2, int(torch.randint(9, (), generator=generator))), generator=generator)
        found.append((torch.randn(n, 3, generator=generator), edges, label % 2))
    return found


def test_batches_are_those_of_torch_geometric() -> None:
    known = {"train": graphs(11, 0), "validation": graphs(3, 1), "test": graphs(4, 2)}
    data = GraphData.of(known)
    assert data.input_shape == (3,) and data.labels("train").tolist() == [0, 1] * 5 + [0]
    for part, given in known.items():
        reference = Batch.from_data_list([Data(x=x, edge_index=e) for x, e, _ in given])
        (batch,) = data.batches(part, 99)
        x, edge_index, which = batch.inputs
        assert torch.equal(x, reference.x) and torch.equal(edge_index, reference.edge_index)
        assert torch.equal(which, reference.batch) and batch.y.tolist() == [y for _, _, y in given]
        assert batch.examples == len(given)


def test_shuffled_graphs_keep_their_labels() -> None:
    known = [(torch.full((k + 1, 1), float(k)), torch.zeros(2, 0, dtype=torch.long), k) for k in range(6)]
    data = GraphData.of({"train": known, "validation": known[:1], "test": known[:1]})
    for batch in data.batches("train", 2, torch.Generator().manual_seed(0)):
        x, edges, which = batch.inputs
        assert edges.shape == (2, 0) and torch.equal(x[:, 0].long(), batch.y[which])
    few = data.share(0.5, seed=0)
    assert len(few.labels("train")) == 6, "one of each class is kept"
