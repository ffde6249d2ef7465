"""torchvision's datasets, read from tiny files in the official formats."""

from __future__ import annotations

import hashlib
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import datasets

from gennas.errors import ConfigError
from gennas.training import make_task
from gennas.training.data import PARTS


def write_idx(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes())


@pytest.mark.parametrize(("name", "folder"), [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST")])
def test_idx_files(tmp_path, rng, name, folder):
    for part, n in (("train", 40), ("t10k", 10)):
        images = rng.integers(256, size=(n, 28, 28), dtype=np.uint8)
        write_idx(tmp_path / folder / "raw" / f"{part}-images-idx3-ubyte", images)
        write_idx(tmp_path / folder / "raw" / f"{part}-labels-idx1-ubyte", (np.arange(n) % 4).astype(np.uint8))
    task = make_task(name, root=tmp_path)
    data = task.data
    assert [len(data.labels(part)) for part in PARTS] == [36, 4, 10]
    assert torch.equal(data.x["test"][:, 0], torch.from_numpy(images))
    assert data.labels("test").tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert data.labels("validation").tolist() == [0, 1, 2, 3] or sorted(data.labels("validation").tolist()) == [
        0,
        1,
        2,
        3,
    ]


def write_cifar(folder: Path, files: dict[str, int], key: str, rng: np.random.Generator) -> dict[str, str]:
    """Write batches and the list of names; the md5 of each file."""
    folder.mkdir(parents=True)
    contents = {
        name: {"data": rng.integers(256, size=(n, 3072), dtype=np.uint8), key: [i % 2 for i in range(n)]}
        for name, n in files.items()
    }
    contents["meta"] = {"names": ["a", "b"]}
    for name, content in contents.items():
        (folder / name).write_bytes(pickle.dumps(content))
    return {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in contents}


@pytest.fixture
def cifar100(tmp_path, rng, monkeypatch):
    """A tiny CIFAR-100 whose checksums are the expected ones."""
    sums = write_cifar(tmp_path / "cifar-100-python", {"train": 20, "test": 6}, "fine_labels", rng)
    monkeypatch.setattr(datasets.CIFAR100, "train_list", [["train", sums["train"]]])
    monkeypatch.setattr(datasets.CIFAR100, "test_list", [["test", sums["test"]]])
    monkeypatch.setattr(datasets.CIFAR100, "meta", {"filename": "meta", "key": "names", "md5": sums["meta"]})
    return tmp_path


def test_cifar_batches(cifar100):
    data = make_task("cifar100", root=cifar100).data
    stored = pickle.loads((cifar100 / "cifar-100-python" / "test").read_bytes())
    assert [len(data.labels(part)) for part in PARTS] == [18, 2, 6]
    assert np.array_equal(data.x["test"].flatten(1).numpy(), stored["data"])
    assert data.labels("test").tolist() == [0, 1, 0, 1, 0, 1]


def test_damaged_file_is_refused(cifar100):
    task = make_task("cifar100", root=cifar100)
    file = cifar100 / "cifar-100-python" / "train"
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(ConfigError, match="not \\(completely\\) there"):
        _ = task.data


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10", "cifar100"])
def test_missing_files_name_the_folder_and_the_option(tmp_path, monkeypatch, name):
    monkeypatch.setenv("GENNAS_DATASETS", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match=rf"'{name}' was looked for in .*nowhere .*--download"):
        make_task(name)


def test_download_that_fails_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.MNIST, "mirrors", [f"file://{tmp_path}/none/"])
    with pytest.raises(ConfigError, match="'mnist' could not be fetched") as caught:
        make_task("mnist", root=tmp_path / "data", download=True)
    assert "\n" not in str(caught.value)
