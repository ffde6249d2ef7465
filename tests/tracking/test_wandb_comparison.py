"""A comparison's result as a W&B run: a real offline run, read back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from gennas.tracking import WandbOptions, track_comparison

Reader = Callable[[Any], list[Any]]
QUICK = {"x_disable_stats": True, "x_disable_meta": True, "disable_git": True}


def test_tables_figures_files_and_findings(tmp_path: Path, offline_records: Reader) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "curves.png")
    (tmp_path / "summary.tex").write_text("table")
    names = pd.Categorical(["random", "x"])
    summary = pd.DataFrame({"strategy": names, "objective_mean": [0.5, 0.75], "seeds": [3, 3]})
    place = track_comparison(
        WandbOptions("gennas-tests", group="g"), tmp_path, "c-summary", {"budget": 10},
        {"summary": summary, "tests": pd.DataFrame({"p": [0.01]})}, [tmp_path / "curves.png"],
        [tmp_path / "summary.tex"], ["x better than random"], "offline", QUICK,
    )  # fmt: skip
    found = offline_records(tmp_path)
    run = next(r.run for r in found if r.WhichOneof("record_type") == "run")
    assert (run.job_type, run.run_group, run.display_name) == ("compare", "g", "c-summary")
    kept = {u.key: u.value_json for r in found if r.WhichOneof("record_type") == "summary" for u in r.summary.update}
    assert json.loads(kept["x/objective_mean"]) == 0.75 and json.loads(kept["findings"]) == ["x better than random"]
    (table,) = tmp_path.glob("wandb/offline-run-*/files/media/table/summary*.json")
    assert json.loads(table.read_text())["data"] == [["random", 0.5, 3], ["x", 0.75, 3]]
    assert len(list(tmp_path.glob("wandb/offline-run-*/files/media/images/figure/*.png"))) == 1
    assert [r.artifact.type for r in found if r.WhichOneof("record_type") == "artifact"].count("comparison") == 1
    assert "wandb sync" in place


def test_a_failure_warns(tmp_path: Path) -> None:
    frame = pd.DataFrame({"strategy": ["x"]})
    with pytest.warns(RuntimeWarning, match="The comparison's files are complete"):
        place = track_comparison("t", tmp_path, "c", {}, {"summary": frame}, [tmp_path / "no.png"], [], (), "offline",
                                 QUICK)  # fmt: skip
    assert "wandb sync" in place  # what was told until then
