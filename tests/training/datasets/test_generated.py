"""Tasks that are generated from seeds, or made of the digits."""

from __future__ import annotations

import networkx as nx
import pytest
import torch

from gennas.training import make_task
from gennas.training.data import PARTS
from gennas.training.datasets.digits import slant
from gennas.training.datasets.motifs import MOTIFS


def test_every_graph_holds_its_motif_and_no_other_cycle() -> None:
    data = make_task("motifs").data
    shapes = [nx.Graph(edges) for edges in MOTIFS.values()]
    assert [(len(g), g.number_of_edges()) for g in shapes] == [(6, 7)] * 4
    (batch,) = data.batches("test", 400)
    x, edge_index, which = batch.inputs
    assert bool((x == 1).all()) and torch.bincount(batch.y).tolist() == [100] * 4
    for i in range(12):
        edges = edge_index[:, which[edge_index[0]] == i].T.tolist()
        found = nx.Graph(edges)
        bare = nx.k_core(shapes[int(batch.y[i])], 2)
        assert nx.is_connected(found) and len(found) == int((which == i).sum()) and 14 <= len(found) <= 21
        assert nx.is_isomorphic(nx.k_core(found, 2), bare)


def test_shapes_are_of_their_class_and_differ_between_parts() -> None:
    data = make_task("shapes").data
    assert [len(data.labels(part)) for part in PARTS] == [1200, 300, 300]
    shares = torch.bincount(data.labels("train").flatten().long(), minlength=4) / data.labels("train").numel()
    assert shares[0] > 0.75 and bool((shares[1:] > 0.02).all())
    images = [data.x[part] for part in PARTS]  # type: ignore[attr-defined]
    assert not torch.equal(images[1], images[2]) and not torch.equal(images[0][:300], images[1])


def test_the_halves_are_of_one_digit() -> None:
    halves, whole = make_task("digit-halves").data, make_task("digits").data
    assert torch.equal(halves.first["test"], whole.x["test"][..., :3])  # type: ignore[attr-defined]
    assert torch.equal(halves.second["test"], whole.x["test"][:, :, 5:])  # type: ignore[attr-defined]
    assert torch.equal(halves.labels("test"), whole.labels("test"))


def test_the_slant_of_a_line_is_its_slope() -> None:
    upright, leaning = torch.zeros(8, 8), torch.eye(8)
    upright[:, 3] = 5
    assert slant(torch.stack([upright, leaning, leaning.flip(1), 9 * leaning])).tolist() == pytest.approx([0, 1, -1, 1])
