"""Pascal VOC from local files, laid out as its archive is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gennas.errors import ConfigError
from gennas.training import make_task
from gennas.training.data import PARTS


def test_voc(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="voc"):
        make_task("voc", root=str(tmp_path))
    root = tmp_path / "VOCdevkit" / "VOC2012"
    for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / name).mkdir(parents=True)
    mask = np.full((20, 30), 255, dtype=np.uint8)
    mask[:, 10:] = 7
    for i in range(12):
        Image.new("RGB", (30, 20), (i, i, i)).save(root / "JPEGImages" / f"{i}.jpg")
        picture = Image.fromarray(mask)
        picture.putpalette([v for c in range(256) for v in (c, 255 - c, c)])
        picture.save(root / "SegmentationClass" / f"{i}.png")
    for part, numbers in (("train", range(10)), ("val", range(10, 12))):
        (root / "ImageSets" / "Segmentation" / f"{part}.txt").write_text("\n".join(map(str, numbers)))
    task = make_task("voc", root=str(tmp_path), size=8)
    assert task.spec.num_outputs == 21 and [len(task.data.labels(part)) for part in PARTS] == [9, 1, 2]
    assert set(task.data.labels("test").unique().tolist()) == {7, 255}
    with pytest.raises(ConfigError, match="cityscapes"):
        make_task("cityscapes", root=str(tmp_path))
