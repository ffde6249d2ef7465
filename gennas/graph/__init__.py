"""Architectures as labelled directed acyclic graphs."""

from gennas.graph.architecture import Architecture, Population
from gennas.graph.schema import GraphSchema, IntArray, Slot

__all__ = ["Architecture", "GraphSchema", "IntArray", "Population", "Slot"]
