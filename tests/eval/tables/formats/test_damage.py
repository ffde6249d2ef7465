"""Whatever bytes a file holds: rows, or one line that says what is wrong; never another error, never code run."""

from __future__ import annotations

import bz2
import io
import json
import pickle
import runpy
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from gennas.errors import TableError
from gennas.eval.tables.formats import Source, open_official


def made_in(name: str) -> SimpleNamespace:
    """The functions of the test file beside this one, which make the samples."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name(f"{name}.py"))))


nasbench101, nats, other_json = map(made_in, ("test_nasbench101", "test_nats", "test_other_json"))


def torch_bytes(content: Any, zipped: bool) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


def tfrecord() -> bytes:
    last = nasbench101.evaluation(108, 9, 1, 0.9, 0.8)
    record = ["a" * 32, 108, *nasbench101.CHAIN, nasbench101.metrics(last)]
    with tempfile.TemporaryDirectory() as folder:
        return nasbench101.write(Path(folder), [record]).read_bytes()


def transnas() -> dict[str, Any]:
    result = {"total_epochs": 2, "metrics": {"valid_top1": torch.tensor([1.0, 2.0])}, "model_info": {"p": np.int64(7)}}
    tasks = {"metrics_dict": {"jigsaw": ["valid_top1"]}, "info_names": ["p"], "task_list": ["jigsaw"]}
    return tasks | {"data": {"macro": {"64-1234-basic": {"jigsaw": result}}}}


SAMPLES: dict[str, Callable[[], bytes]] = {
    "tfrecord": tfrecord,
    "pickle": lambda: pickle.dumps(nats.whole({"200": 2}), 4),
    "bz2": lambda: bz2.compress(pickle.dumps(nats.whole({"200": 2}), 4)),
    "zip": lambda: torch_bytes(transnas(), True),
    "sequence": lambda: torch_bytes(transnas(), False),
    "macro": lambda: json.dumps({"22212220": other_json.macro(93.0)}).encode(),
    "nasbench301": lambda: json.dumps([other_json.darts_record(94)]).encode(),
    "bert": lambda: json.dumps([other_json.encoder(1, 0.5)]).encode(),
    "suite-zero": lambda: json.dumps({"a": {"(0, 1, 2, 3, 4, 0)": {"val_accuracy": 1, "x": {"score": 2}}}}).encode(),
}


@pytest.mark.parametrize("sample", SAMPLES)
def test_damage_of_any_kind_is_a_table_error(tmp_path: Path, sample: str) -> None:
    rng, whole, path = np.random.default_rng(0), SAMPLES[sample](), tmp_path / "x"
    path.write_bytes(whole)
    assert len(open_official(Source(path))[1].cells["arch"]) > 0
    refused = 0
    for _ in range(300):
        content = bytearray(whole)
        for at in rng.integers(len(content), size=int(rng.integers(1, 4))):
            content[at] = rng.integers(256)
        if rng.random() < 0.2:
            del content[int(rng.integers(len(content))) :]
        path.write_bytes(bytes(content))
        try:
            open_official(Source(path, max_bytes=2**24))
        except TableError as error:
            refused += "\n" not in str(error)
    assert refused > 50
