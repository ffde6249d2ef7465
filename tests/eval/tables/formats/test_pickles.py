"""Pickles and torch files of numbers: what torch wrote comes through, everything else is refused before it runs."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gennas.errors import TableError
from gennas.eval.tables.formats.base import Source
from gennas.eval.tables.formats.pickles import load_pickle


def read(file: Path, **options: Any) -> Any:
    return load_pickle(Source(file, **options), file)


def saved(file: Path, content: Any, zipped: bool) -> Path:
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    return file


@pytest.mark.parametrize("zipped", [True, False])
def test_what_torch_wrote_comes_through(tmp_path: Path, zipped: bool) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    content = {
        "t": base.t()[1:], "scalar": torch.tensor(1.5), "long": torch.tensor([3, -1]), "bool": torch.tensor([True]),
        "half": torch.tensor([0.5], dtype=torch.half), "empty": torch.zeros(0, 2), "row": base[1],
        "numpy": np.float64(0.25), "array": np.arange(6).reshape(2, 3), "d": OrderedDict(a=1), "set": {1, 2},
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }  # fmt: skip
    found = read(saved(tmp_path / "x.pth", content, zipped))
    assert found["t"].tolist() == content["t"].tolist() and found["scalar"].item() == 1.5
    assert found["long"].tolist() == [3, -1] and found["bool"].tolist() == [True] and found["half"].tolist() == [0.5]
    assert found["empty"].numpy().shape == (0, 2) and found["row"].tolist() == [4, 5, 6, 7]
    assert found["numpy"] == 0.25 and found["array"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["d"] == {"a": 1} and found["set"] == {1, 2} and found["parameter"].tolist() == [1, 1]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("pack", [bytes, bz2.compress, gzip.compress])
def test_plain_pickles_of_every_protocol(tmp_path: Path, protocol: int, pack: Any) -> None:
    content = {("a", 1): [np.float32(0.5), np.arange(3.0)], "n": OrderedDict([(0, 2.5)])}
    file = tmp_path / "x.pickle"
    file.write_bytes(pack(pickle.dumps(content, protocol)))
    found = read(file)
    assert found["a", 1][0] == 0.5 and found["a", 1][1].tolist() == [0, 1, 2] and found["n"] == {0: 2.5}


class _Runs:
    """Pickles to a call."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = (function, args)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_torch_file_is_refused_before_it_runs(tmp_path: Path, zipped: bool) -> None:
    proof = tmp_path / "proof"
    file = saved(tmp_path / "x.pth", [torch.ones(2), _Runs(os.system, f"touch {proof}")], zipped)
    with pytest.raises(TableError, match=r"x.pth: Refused to load (posix|nt)\.system"):
        read(file)
    assert not proof.exists()


def test_a_whole_module_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"Refused to load torch\.nn"):
        read(saved(tmp_path / "x.pth", torch.nn.Linear(1, 1), True))


@pytest.mark.parametrize("pack", [bz2.compress, gzip.compress])
def test_a_bomb_is_stopped_at_the_limit(tmp_path: Path, pack: Any) -> None:
    file = tmp_path / "x.pickle.pbz2"
    file.write_bytes(pack(b"\0" * 10_000_000))
    with pytest.raises(TableError, match=r"x\.pickle\.pbz2: holds more than .* raise --max-gb"):
        read(file, max_bytes=1_000_000)


def test_a_zip_bomb_is_stopped_at_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "x.pth"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", b"\0" * 10_000_000)
    with pytest.raises(TableError, match="holds more than"):
        read(file, max_bytes=1_000_000)


def test_a_tensor_may_not_reach_beyond_its_storage(tmp_path: Path) -> None:
    file = saved(tmp_path / "x.pth", torch.arange(3.0), True)
    content = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(content, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, data.replace(b"K\x03\x85", b"K\x7f\x85") if name.endswith("data.pkl") else data)
    file.write_bytes(content.getvalue())
    with pytest.raises(TableError, match="reaches beyond its storage"):
        read(file)


@pytest.mark.parametrize("zipped", [True, False])
def test_cut_files_are_damaged(tmp_path: Path, zipped: bool) -> None:
    file = saved(tmp_path / "x.pth", {"a": torch.arange(50.0)}, zipped)
    content = file.read_bytes()
    for share in (0.3, 0.6, 0.95):
        file.write_bytes(content[: int(share * len(content))])
        with pytest.raises(TableError, match=r"x\.pth: "):
            read(file)


def test_a_zip_of_something_else_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a/b.txt", "c")
    with pytest.raises(TableError, match=r"without data\.pkl"):
        read(tmp_path / "x.zip")
