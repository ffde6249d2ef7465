"""NAS-Bench-101: 423,624 cells of at most seven vertices and nine edges."""

from gennas.spaces.nasbench101.space import NASBench101

__all__ = ["NASBench101"]
