"""A user's images from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gennas.errors import ConfigError
from gennas.training import make_task
from gennas.training.data import PARTS


def paint(folder: Path, count: int, shade: int) -> None:
    folder.mkdir(parents=True)
    for i in range(count):
        Image.new("RGB", (9, 5), (shade, i, 0)).save(folder / f"{i}.png")


def test_folders_by_class(tmp_path: Path) -> None:
    paint(tmp_path / "cat", 10, 200)
    paint(tmp_path / "dog", 10, 20)
    task = make_task("image-folder", path=str(tmp_path), size=4)
    assert task.spec.input_shape == (3, 4, 4) and [len(task.data.labels(p)) for p in PARTS] == [12, 4, 4]
    assert {int(x[0].float().mean()) for x in task.data.x["test"]} == {200, 20}  # type: ignore[attr-defined]
    assert make_task("image-folder", path=str(tmp_path), grey=True).spec.input_shape == (1, 32, 32)
    (tmp_path / "dog" / "0.png").write_text("no image")
    with pytest.raises(ConfigError, match=r"could not read .*0\.png"):
        make_task("image-folder", path=str(tmp_path))


def test_folders_of_parts_are_taken_as_they_are(tmp_path: Path) -> None:
    for part, count in (("train", 6), ("val", 2), ("test", 3)):
        for name in ("cat", "dog"):
            paint(tmp_path / part / name, count, 9)
    task = make_task("image-folder", path=str(tmp_path), size=4)
    assert [len(task.data.labels(p)) for p in PARTS] == [12, 4, 6] and task.split.startswith("given")


def test_what_is_no_folder_of_images(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a folder per class"):
        make_task("image-folder", path=str(tmp_path))
    with pytest.raises(ConfigError, match="Expected a folder of images"):
        make_task("image-folder", path=str(tmp_path / "none"))
    paint(tmp_path / "cat", 2, 9)
    paint(tmp_path / "dog", 5, 9)
    with pytest.raises(ConfigError, match="at least three images of each class, one has 2"):
        make_task("image-folder", path=str(tmp_path))


def test_npz_files(tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).integers(0, 255, (30, 6, 6), dtype=np.uint8), np.arange(30) % 3
    np.savez(tmp_path / "keras.npz", x_train=x, y_train=y, x_test=x[:9], y_test=y[:9])
    np.savez(tmp_path / "plain.npz", x=x[..., None], y=y)
    np.savez(tmp_path / "numbers.npz", x=x, y=x.mean((1, 2)))
    keras = make_task("npz", path=str(tmp_path / "keras.npz"))
    assert keras.spec.input_shape == (1, 6, 6) and [len(keras.data.labels(p)) for p in PARTS] == [24, 6, 9]
    plain = make_task("npz", path=str(tmp_path / "plain.npz"), channels_last=True)
    assert plain.spec.input_shape == (1, 6, 6) and [len(plain.data.labels(p)) for p in PARTS] == [18, 6, 6]
    assert make_task("npz", path=str(tmp_path / "numbers.npz"), targets="numbers").primary.name == "val_r2"
    np.savez(tmp_path / "other.npz", z=x)
    with pytest.raises(ConfigError, match="x_test and y_test, or x and y, got z"):
        make_task("npz", path=str(tmp_path / "other.npz"))
    with pytest.raises(ConfigError, match="could not read"):
        make_task("npz", path=str(tmp_path / "none.npz"))
