"""GraphGym's design space of graph neural networks and their training."""

from gennas.spaces.graphgym.space import GraphGym

__all__ = ["GraphGym"]
