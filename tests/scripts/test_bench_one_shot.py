from __future__ import annotations

import io
import runpy
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench_one_shot"


@pytest.fixture(scope="module")
def names() -> dict:
    return runpy.run_path(str(SCRIPT))


def test_images_of_a_tar_keep_their_labels_and_parts_have_none_in_common(names: dict, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "images.tar", "w") as archive:
        for part, count in (("train", 6), ("test", 2)):
            for label, base in (("bird", 10), ("car", 200)):
                for i in range(count):
                    file = io.BytesIO()
                    Image.new("RGB", (32, 32), (base + i, 0, 0)).save(file, "PNG")
                    about = tarfile.TarInfo(f"{part}/{label}/{i}.png")
                    about.size = file.tell()
                    file.seek(0)
                    archive.addfile(about, file)
    names["make_images"](tmp_path / "images.tar", tmp_path / "out.npz", size=4, train=8, part=4)
    found = np.load(tmp_path / "out.npz")
    assert {part: found[f"x_{part}"].shape for part in ("train", "val", "test")} == {
        "train": (8, 3, 4, 4), "val": (4, 3, 4, 4), "test": (4, 3, 4, 4),
    }  # fmt: skip
    reds = {part: found[f"x_{part}"][:, 0, 0, 0] for part in ("train", "val", "test")}
    assert all(((red >= 200) == found[f"y_{part}"]).all() for part, red in reds.items())
    assert not set(reds["train"]) & set(reds["val"])


def test_order_among_cells_of_about_equal_size(names: dict) -> None:
    truth, sizes = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 1.05, 9.0, 9.5])
    assert names["within_sizes"](truth, truth, sizes) == 1.0
    assert names["within_sizes"](np.array([9.0, 8.0, 1.0, 2.0]), truth, sizes) == 0.5  # one of two pairs
    assert names["within_sizes"](np.zeros(4), truth, sizes) == 0.5
