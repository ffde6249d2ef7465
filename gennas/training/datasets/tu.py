"""Graph classification on the TU collection, through torch-geometric.

Source: Morris et al., "TUDataset: A collection of benchmark datasets for learning with graphs", 2020, arXiv 2007.08663.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch

from gennas.errors import ConfigError, shown
from gennas.training.data import PARTS, stratified_split
from gennas.training.datasets._root import dataset_root, missing, not_fetched
from gennas.training.recipe import TrainConfig
from gennas.training.task import TASKS, Task

__all__ = ["tu"]

_CONFIG = TrainConfig(epochs=60, batch_size=64, lr=5e-3)


@TASKS.register("tu")
def tu(dataset: str = "MUTAG", root: str | Path | None = None, download: bool = False) -> Task:
    """A dataset of the TU collection, such as MUTAG, PROTEINS or ENZYMES; split 80/10/10, stratified.

    Nodes without features have the feature 1.

    Args:
        dataset: its name in the collection.
        root: folder of the files (``TUDataset/NAME/raw`` in it), by default the variable GENNAS_DATASETS or
            ``~/.cache/gennas``.
        download: fetch them now if they are not there.

    Raises:
        ConfigError: they are not there, or could not be fetched.
    """
    folder = dataset_root(root) / "TUDataset"
    if not download and not (folder / dataset / "raw" / f"{dataset}_A.txt").is_file():
        raise missing(dataset, folder / dataset / "raw")
    graphs, labels = _graphs(dataset, folder)
    parts = dict(zip(PARTS, stratified_split(labels, (0.8, 0.1, 0.1), seed=0), strict=True))
    train, validation, test = ([graphs[i] for i in parts[part]] for part in PARTS)
    return Task.from_graphs(
        f"tu:{dataset}",
        train=train,
        validation=validation,
        test=test,
        num_outputs=int(labels.max()) + 1,
        config=_CONFIG,
    )


@cache
def _graphs(dataset: str, folder: Path) -> tuple[list[Any], torch.Tensor]:
    from torch_geometric.datasets import TUDataset

    try:
        found = list(TUDataset(str(folder), dataset))
    except Exception as error:  # fsspec, aiohttp and pandas raise errors without a common root
        raise not_fetched(dataset, folder, error) from error
    labels = torch.cat([graph.y.view(-1) for graph in found]) if found else torch.zeros(0)
    if labels.is_floating_point() or labels.numel() != len(found):
        raise ConfigError(f"Dataset {shown(dataset)} has no class for each graph; expected a classification.")
    triples = [
        (torch.ones(graph.num_nodes, 1) if graph.x is None else graph.x, graph.edge_index, int(graph.y))
        for graph in found
    ]
    return triples, labels
