"""The TU collection from local files, as its authors write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gennas.errors import ConfigError
from gennas.training import make_task
from gennas.training.data import PARTS


def test_files_of_the_collection(tmp_path: Path) -> None:
    raw = tmp_path / "TUDataset" / "TOY" / "raw"
    with pytest.raises(ConfigError, match="TOY"):
        make_task("tu", dataset="TOY", root=str(tmp_path))
    raw.mkdir(parents=True)
    edges = [f"{2 * g + a}, {2 * g + b}" for g in range(20) for a, b in ((1, 2), (2, 1))]
    (raw / "TOY_A.txt").write_text("\n".join(edges) + "\n")
    (raw / "TOY_graph_indicator.txt").write_text("\n".join(str(g + 1) for g in range(20) for _ in range(2)) + "\n")
    (raw / "TOY_graph_labels.txt").write_text("\n".join(str(g % 2) for g in range(20)) + "\n")
    task = make_task("tu", dataset="TOY", root=str(tmp_path))
    assert task.spec.kind == "graph" and task.spec.input_shape == (1,) and task.spec.num_outputs == 2
    assert [len(task.data.labels(part)) for part in PARTS] == [16, 2, 2]
