"""NAS-Bench-Graph: 26,206 graph neural networks of four operations on a tree."""

from gennas.spaces.nasbench_graph.space import NASBenchGraph

__all__ = ["NASBenchGraph"]
