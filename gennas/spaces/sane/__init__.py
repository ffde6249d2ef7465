"""SANE: three layers of aggregators and their join."""

from gennas.spaces.sane.space import SANE

__all__ = ["SANE"]
