"""Tables of costs from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gennas.errors import ConfigError
from gennas.spaces import NASBench201, TaskSpec
from gennas.training.supernet.methods import make_step, read_options
from gennas.training.supernet.methods.latency import read_table

SPACE = NASBench201(num_cells=1, width=4)
LABELS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")


def written(folder: Path, *lines: str) -> Path:
    path = folder / "costs.csv"
    path.write_text("\n".join(["decision,label,cost", *lines]))
    return path


def test_a_file_of_labels_is_a_table(tmp_path: Path) -> None:
    path = written(tmp_path, *(f"*,{label},{i + 1}" for i, label in enumerate(LABELS)), "3, nor_conv_3x3, 9.5")
    table = read_table(path, SPACE.schema)
    expected = np.array([[1.0 + LABELS.index(SPACE.schema.label(t, k)) for k in range(5)] for t in range(6)])
    expected[3, SPACE.schema.symbol(3, "nor_conv_3x3")] = 9.5
    np.testing.assert_array_equal(table, expected)
    step = make_step("fbnet", SPACE, TaskSpec("image", (3, 8, 8), 10), table=str(path))
    np.testing.assert_allclose(step.relaxation.table.numpy(), expected)  # type: ignore[union-attr, operator]
    np.testing.assert_array_equal(read_options({"table": str(path), "b": 1}, SPACE)["table"], expected)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["0,none,1"], "29 are missing"),
        (["0,conv9,1"], "line 2: expected a label of decision 0"),
        (["7,none,1"], "label of decision 7"),
        (["0,none,nan"], "finite cost"),
        (["0,none"], "expected decision"),
        (["x,none,1"], "expected decision"),
    ],
)
def test_files_of_another_form_are_refused(tmp_path: Path, lines: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_table(written(tmp_path, *lines), SPACE.schema)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        make_step("fbnet", SPACE, None, table=str(tmp_path / "no.csv"))
