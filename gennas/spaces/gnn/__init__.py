"""A general space of graph neural networks."""

from gennas.spaces.gnn.space import GNN

__all__ = ["GNN"]
