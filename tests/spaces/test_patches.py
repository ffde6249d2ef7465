from __future__ import annotations

import pytest

from gennas.errors import ConfigError
from gennas.spaces import TaskSpec
from gennas.spaces.patches import patch_grid


@pytest.mark.parametrize(
    ("height", "width", "patch", "expected"),
    [
        (224, 224, None, (16, (14, 14))),
        (512, 512, None, (16, (32, 32))),
        (28, 28, None, (4, (7, 7))),
        (32, 64, None, (4, (8, 16))),
        (13, 13, None, (1, (13, 13))),
        (97, 97, None, (13, (7, 7))),  # a prime: six pixels at the border are not seen
        (3, 3, None, (1, (3, 3))),
        (8, 8, 2, (2, (4, 4))),
        (9, 8, 4, (4, (2, 2))),
    ],
)
def test_patches(height: int, width: int, patch: int | None, expected: tuple[int, tuple[int, int]]) -> None:
    assert patch_grid("x", patch, TaskSpec("image", (3, height, width), 10)) == expected


def test_an_image_smaller_than_the_patch_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"x: expected images of at least 16 x 16 pixels.* got 8 x 32"):
        patch_grid("x", 16, TaskSpec("image", (3, 8, 32), 10))


def test_no_images() -> None:
    with pytest.raises(ConfigError, match="x has networks for images only"):
        patch_grid("x", None, TaskSpec("node", (5,), 3))
