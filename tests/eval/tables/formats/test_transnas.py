"""TransNAS-Bench-101: one architecture of each part in the official structure, made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gennas.errors import TableError
from gennas.eval.tables.formats import Source, open_official


@pytest.fixture
def official(tmp_path: Path) -> Path:
    def result(base: float) -> dict[str, Any]:
        metrics = {"valid_top1": [base, base + 2, base + 1], "test_top1": torch.tensor([base, base + 4])}
        return {"total_epochs": 3, "metrics": metrics, "model_info": {"encoder_params": np.int64(7)}}

    tasks = ["jigsaw", "class_scene"]
    content = {
        "metrics_dict": {task: ["valid_top1", "test_top1"] for task in tasks}, "info_names": ["encoder_params"],
        "task_list": tasks,
        "data": {
            "macro": {"64-1234-basic": {"jigsaw": result(50), "class_scene": result(60)}},
            "micro": {"64-41414-1_02_333": {"jigsaw": result(70), "class_scene": result(80)}},
        },
    }  # fmt: skip
    torch.save(content, tmp_path / "transnas.pth")
    return tmp_path / "transnas.pth"


def test_a_part_with_all_tasks(official: Path) -> None:
    name, rows = open_official(Source(official, part="micro"))
    assert name == "transnas" and rows.space == "transnas-micro" and rows.cells["arch"] == ["64-41414-1_02_333"]
    assert rows.cells["jigsaw_valid_top1"] == [71] and rows.cells["jigsaw_valid_top1_best"] == [72]
    assert rows.cells["class_scene_test_top1"] == [84] and rows.cells["jigsaw_encoder_params"] == [7]


def test_one_task_has_short_names(official: Path) -> None:
    rows = open_official(Source(official, part="macro", dataset="jigsaw"))[1]
    assert set(rows.cells) == {"arch", "valid_top1", "valid_top1_best", "test_top1", "encoder_params"}


def test_what_is_asked_for_must_be_there(official: Path) -> None:
    with pytest.raises(TableError, match=r"choose with --part among macro \(1 architectures\), micro"):
        open_official(Source(official))
    with pytest.raises(TableError, match="no dataset 'normal'; it holds jigsaw, class_scene"):
        open_official(Source(official, part="micro", dataset="normal"))
