"""Into how many patches a vision transformer cuts an image."""

from __future__ import annotations

from gennas.errors import ConfigError
from gennas.spaces.spec import TaskSpec

__all__ = ["patch_grid"]

_FEWEST = 7  # patches along a side that the default leaves
_LARGEST = 16


def patch_grid(space: str, patch: int | None, spec: TaskSpec) -> tuple[int, tuple[int, int]]:
    """Side of a patch, and rows and columns of patches; pixels beyond the last whole patch are not seen.

    Args:
        space: name of the space that asks.
        patch: side of a patch; None for the largest common divisor of the image's sides, at most 16, that leaves
            7 x 7 patches, or where only 1 divides them the largest number that does so.
        spec: a task on images.

    Raises:
        ConfigError: the task is no image classification, or its images are smaller than the patch.

    Example:
        >>> [patch_grid("my-space", None, TaskSpec("image", (3, side, side), 10)) for side in (224, 32, 8)]
        [(16, (14, 14)), (4, (8, 8)), (1, (8, 8))]
    """
    spec.require(space, "image")
    height, width = spec.input_shape[1:]
    if patch is None:
        most = min(_LARGEST, max(1, min(height, width) // _FEWEST))
        patch = next((p for p in range(most, 1, -1) if height % p == width % p == 0), most)
    if patch > min(height, width):
        raise ConfigError(
            f"{space}: expected images of at least {patch} x {patch} pixels, the size of a patch, "
            f"got {height} x {width}; set a smaller patch or take larger images."
        )
    return patch, (height // patch, width // patch)
