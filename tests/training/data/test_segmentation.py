"""Images with masks."""

from __future__ import annotations

import torch

from gennas.training.augment import Augmentation
from gennas.training.data import IGNORED, SegmentationData


def data() -> SegmentationData:
    generator = torch.Generator().manual_seed(0)
    masks = torch.randint(3, (8, 6, 6), generator=generator).to(torch.uint8)
    masks[:, 0] = 255
    x = masks[:, None].float() * 10
    return SegmentationData.of(
        {"train": x, "validation": x, "test": x}, dict.fromkeys(("train", "validation", "test"), masks)
    )


def test_unlabelled_pixels_are_ignored_and_labels_are_whole_numbers() -> None:
    (batch,) = data().batches("test", 8)
    assert batch.y.dtype == torch.int64 and (batch.y[:, 0] == IGNORED).all() and int(batch.y[:, 1:].min()) == 0


def test_masks_move_with_their_images() -> None:
    known, seen = data(), []
    for batch in known.batches("train", 4, torch.Generator().manual_seed(1), Augmentation(2, flip=True)):
        raw = (batch.inputs[0] * known.std + known.mean)[:, 0].round()
        labelled = batch.y != IGNORED
        assert torch.equal(raw[labelled], batch.y[labelled].float() * 10)
        assert (raw[~labelled] % 2550 == 0).all(), "what a crop adds is zero and unlabelled"
        seen.append(float((~labelled).float().mean()))
    assert max(seen) > 1 / 6


def test_masks_are_resized_to_their_nearest_pixel() -> None:
    half = data().resized(0.5)
    assert half.input_shape == (1, 3, 3) and half.y["test"].dtype == torch.uint8
    assert set(half.y["test"].unique().tolist()) <= {0, 1, 2, 255}
    assert len(data().share(0.5, seed=0).y["train"]) == 4
