"""Spaces that a YAML file describes: data, without code."""

from gennas.spaces.described.file import load_space

__all__ = ["load_space"]
