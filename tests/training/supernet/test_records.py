"""What is read of a supernet's directory, and what of its figures fits into a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gennas.errors import CheckpointError
from gennas.training.supernet import read_record
from gennas.training.supernet.records import headline, line_of

FIGURES = {
    "train_loss": 2.33284,
    "val_loss": 2.31123,
    "val_accuracy": 0.102778,
    "alpha_entropy": 1.609438,
    "skip_share": 0.2,
    "alpha_curvature": -0.0061912,
    "collapsed": 0.0,
    **{f"alpha_entropy/{t:02}_edge_{t}": 1.6 for t in range(40)},
}


def test_a_line_has_the_mean_and_fits() -> None:
    assert line_of(FIGURES) == "loss 2.33 · accuracy 0.103 · entropy 1.61 · skips 0.2 · curvature -0.00619"
    assert len(f"{line_of(FIGURES)}") <= 80
    assert line_of({"train_loss": 1.0, "val_loss": 2.0, "collapsed": 1.0}) == "loss 1 · val_loss 2 · collapsed 1"
    assert list(headline(FIGURES)) == list(FIGURES)[:7]


@pytest.mark.parametrize(
    "changes",
    [{"curves": [1]}, {"curves": {"loss": 3}}, {"curves": {"loss": ["x"]}}, {"method": 3}, {"seconds": "1"},
     {"fidelity": {"depths": 3}}],
)  # fmt: skip
def test_a_damaged_record_is_refused(trained: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    whole = json.loads((trained / "supernet.json").read_text())
    (tmp_path / "supernet.json").write_text(json.dumps(whole))
    assert read_record(tmp_path) == read_record(trained)
    (tmp_path / "supernet.json").write_text(json.dumps({**whole, **changes}))
    with pytest.raises(CheckpointError, match="is damaged"):
        read_record(tmp_path)
