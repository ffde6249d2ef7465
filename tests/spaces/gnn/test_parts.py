"""What graph networks share: pooling, and that networks leave the workbench."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from torch_geometric.nn import global_add_pool, global_max_pool, global_mean_pool

from gennas.export import export_module
from gennas.spaces import GNN, SANE, TaskSpec, make_space
from gennas.spaces.gnn.parts import pool

REFERENCES = {"mean": global_mean_pool, "sum": global_add_pool, "max": global_max_pool}


@pytest.mark.parametrize("how", ["mean", "sum", "max"])
def test_pooling_is_torch_geometrics(how: Literal["mean", "sum", "max"]) -> None:
    x = torch.randn(7, 3, generator=torch.Generator().manual_seed(0)) - 2  # largest values below zero, too
    batch = torch.tensor([0, 0, 1, 1, 1, 1, 2])
    torch.testing.assert_close(pool(x, batch, how), REFERENCES[how](x, batch))


@pytest.mark.parametrize(
    ("space", "text"),
    [
        (
            GNN(),
            "hidden=16;pre=0;post=1;connectivity=skip-sum;batch_norm=1;dropout=0;depth=2;op=gin,gat;aggr=sum,-;"
            "heads=-,2;act=relu,elu",
        ),
        (SANE(), "join=max;depth=3;op=geniepath,sage-sum,gat;skip=1,0,0"),
    ],
    ids=["gnn", "sane"],
)
@pytest.mark.parametrize("kind", ["node", "graph"])
def test_networks_are_exported_for_graphs_of_any_size(
    space: GNN | SANE, text: str, kind: Literal["node", "graph"], tmp_path: Path
) -> None:
    spec = TaskSpec(kind, (5,), 3)
    network = space.build(space.from_text(text), spec).eval()
    others = [spec.random_inputs(9, seed=1), spec.random_inputs(3, seed=2)]
    assert export_module(network, spec.random_inputs(6), tmp_path / "net.pt2", "pt2", checks=others) <= 1e-6


@pytest.mark.parametrize("kind", ["node", "graph"])
@pytest.mark.parametrize("name", ["gnn", "graphgym", "sane"])
def test_a_graph_may_have_no_edges(name: str, kind: Literal["node", "graph"]) -> None:
    """Isolated nodes occur in real data, so they are taken, and every network gives them numbers."""
    space, spec = make_space(name), TaskSpec(kind, (4,), 3)
    x, edges, graphs = torch.randn(5, 4), torch.zeros(2, 0, dtype=torch.long), torch.tensor([0, 0, 0, 1, 1])
    inputs = (x, edges) if kind == "node" else (x, edges, graphs)
    for arch in space.sample(12, np.random.default_rng(0)):
        assert space.build(arch, spec).eval()(*inputs).isfinite().all(), space.to_text(arch)
