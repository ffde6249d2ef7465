"""What a class was called with: by name, those of ``**`` among the others, nothing where they are wrong."""

from __future__ import annotations

from typing import Any

from gennas.spaces.arguments import arguments_of


class Made:
    def __init__(self, width: int, depth: int = 1, **more: Any) -> None: ...


def test_arguments_by_name() -> None:
    assert arguments_of(Made, (3,), {}) == {"width": 3}
    assert arguments_of(Made, (3,), {"depth": 2, "words": ("a",)}) == {"width": 3, "depth": 2, "words": ("a",)}


def test_wrong_arguments_are_the_constructors_to_refuse() -> None:
    assert arguments_of(Made, (), {}) == {} == arguments_of(Made, (1, 2, 3), {})
