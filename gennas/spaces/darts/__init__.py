"""DARTS, the space of NAS-Bench-301: a normal and a reduction cell, 1.08e18 pairs."""

from gennas.spaces.darts.genotype import OPERATIONS, Genotype
from gennas.spaces.darts.space import DARTS

__all__ = ["DARTS", "OPERATIONS", "Genotype"]
