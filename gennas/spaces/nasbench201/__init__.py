"""NAS-Bench-201: 15,625 cells with five operations on six edges."""

from gennas.spaces.nasbench201.space import NASBench201

__all__ = ["NASBench201"]
