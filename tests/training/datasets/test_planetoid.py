"""Planetoid graphs, read from files in the official format."""

from __future__ import annotations

import pickle
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from gennas.errors import ConfigError
from gennas.training import make_task
from gennas.training.data import PARTS

NODES, TRAIN, REST, TEST = 720, 60, 600, 120  # training labels, nodes before the test nodes, test nodes


@pytest.fixture
def pubmed(tmp_path, rng) -> Path:
    raw = tmp_path / "Planetoid" / "PubMed" / "raw"
    raw.mkdir(parents=True)
    x = sp.random(NODES, 500, density=0.02, format="csr", random_state=1, dtype=np.float32)
    y = np.eye(3, dtype=np.int32)[np.arange(NODES) % 3]
    graph = defaultdict(list)
    for u in range(NODES):
        graph[u] += [(u + 1) % NODES, (u - 1) % NODES]
    arrays = {"x": x[:TRAIN], "allx": x[:REST], "tx": x[REST:], "y": y[:TRAIN], "ally": y[:REST], "ty": y[REST:]}
    for name, value in {**arrays, "graph": graph}.items():
        (raw / f"ind.pubmed.{name}").write_bytes(pickle.dumps(value))
    (raw / "ind.pubmed.test.index").write_text("".join(f"{i}\n" for i in range(REST, NODES)))
    return tmp_path


def test_public_split_and_normalised_features(pubmed):
    task = make_task("pubmed", root=pubmed)
    data = task.data
    assert [len(data.nodes[part]) for part in PARTS] == [60, 500, 120]
    assert data.nodes["test"].tolist() == list(range(600, 720))
    assert data.y.tolist() == [i % 3 for i in range(720)]
    assert data.edge_index.shape == (2, 1440)
    sums = data.x.sum(1)
    assert sums.max() < 1 + 1e-5
    x, _ = task.example_inputs()
    assert x.shape == (720, 500)


def test_missing_files_name_the_folder_and_the_option(tmp_path):
    with pytest.raises(ConfigError, match=r"'cora' was looked for in .*Planetoid.Cora.raw .*--download"):
        make_task("cora", root=tmp_path)


def test_files_that_vanish_are_not_fetched_behind_the_users_back(pubmed):
    task = make_task("pubmed", root=pubmed)
    task.load.func.cache_clear()
    (pubmed / "Planetoid" / "PubMed" / "raw" / "ind.pubmed.graph").unlink()
    with pytest.raises(ConfigError, match="--download"):
        _ = task.data


def test_damaged_file(pubmed):
    (pubmed / "Planetoid" / "PubMed" / "raw" / "ind.pubmed.x").write_bytes(b"not a pickle")
    with pytest.raises(ConfigError, match="could not be fetched into or read from"):
        make_task("pubmed", root=pubmed)


def test_features_are_torch_tensors_of_one_row_per_node(pubmed):
    assert make_task("pubmed", root=pubmed).data.x.dtype == torch.float32
