"""Cora, CiteSeer and PubMed through torch-geometric: one citation graph each, the public split.

Source: Yang, Cohen and Salakhutdinov, "Revisiting Semi-Supervised Learning with Graph Embeddings",
ICML 2016, arXiv 1603.08861: 20 training nodes of each class, 500 for validation, 1,000 for test. The
features of a node are scaled to sum to one, as in Kipf and Welling 2017 (arXiv 1609.02907).
"""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gennas.spaces.spec import TaskSpec
from gennas.training.data import NodeData, Part
from gennas.training.datasets._root import dataset_root, missing, not_fetched
from gennas.training.task import NODE_CONFIG, TASKS, Task

__all__ = ["citeseer", "cora", "pubmed"]

FILES = ("x", "tx", "allx", "y", "ty", "ally", "graph", "test.index")


@TASKS.register("cora")
def cora(root: str | Path | None = None, download: bool = False) -> Task:
    """2,708 papers, 1,433 words, seven classes.

    Args:
        root: folder of the files (``Planetoid/Cora/raw`` in it), by default the variable
            GENNAS_DATASETS or ``~/.cache/gennas``.
        download: fetch them now if they are not there.

    Raises:
        ConfigError: they are not there, or could not be fetched.
    """
    return _task("cora", "Cora", 1433, 7, root, download)


@TASKS.register("citeseer")
def citeseer(root: str | Path | None = None, download: bool = False) -> Task:
    """3,327 papers, 3,703 words, six classes.

    Args:
        root: folder of the files, by default the variable GENNAS_DATASETS or ``~/.cache/gennas``.
        download: fetch them now if they are not there.

    Raises:
        ConfigError: the data are not there, or cannot be fetched.
    """
    return _task("citeseer", "CiteSeer", 3703, 6, root, download)


@TASKS.register("pubmed")
def pubmed(root: str | Path | None = None, download: bool = False) -> Task:
    """19,717 papers, 500 words, three classes.

    Args:
        root: folder of the files, by default the variable GENNAS_DATASETS or ``~/.cache/gennas``.
        download: fetch them now if they are not there.

    Raises:
        ConfigError: the data are not there, or cannot be fetched.
    """
    return _task("pubmed", "PubMed", 500, 3, root, download)


def _task(name: str, kind: str, features: int, classes: int, root: str | Path | None, download: bool) -> Task:
    folder = dataset_root(root) / "Planetoid"
    if download:
        _open(name, kind, folder)
    elif not _is_complete(kind, folder):
        raise missing(name, folder / kind / "raw")
    elif not (folder / kind / "processed" / "data.pt").is_file():
        _open(name, kind, folder)  # converted once, now, not by several workers at the same time
    return Task(name, TaskSpec("node", (features,), classes), partial(_load, name, kind, folder), "public", NODE_CONFIG)


def _is_complete(kind: str, folder: Path) -> bool:
    return all((folder / kind / "raw" / f"ind.{kind.lower()}.{file}").is_file() for file in FILES)


def _open(name: str, kind: str, folder: Path) -> Any:
    """The graph, fetched and converted if it is not there."""
    from torch_geometric.datasets import Planetoid

    try:
        return Planetoid(str(folder), kind)[0]
    except Exception as error:  # fsspec, aiohttp and pickle raise errors without a common root
        raise not_fetched(name, folder, error) from error


@cache
def _load(name: str, kind: str, folder: Path) -> NodeData:
    if not _is_complete(kind, folder):
        raise missing(name, folder / kind / "raw")
    graph = _open(name, kind, folder)
    x = graph.x / graph.x.sum(1, keepdim=True).clamp(min=1)
    masks: dict[Part, Tensor] = {"train": graph.train_mask, "validation": graph.val_mask, "test": graph.test_mask}
    return NodeData(x, graph.edge_index, graph.y, {part: torch.nonzero(m).flatten() for part, m in masks.items()})
