"""Hierarchical NAS-Bench-201: networks from cells, by a grammar."""

from gennas.spaces.hierarchical.space import Hierarchical

__all__ = ["Hierarchical"]
