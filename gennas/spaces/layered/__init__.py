"""Layered spaces: choices of the whole network, and groups of layers with choices of their own."""

from gennas.spaces.layered.decision import OFF, Decision, Group
from gennas.spaces.layered.space import LayeredSpace

__all__ = ["OFF", "Decision", "Group", "LayeredSpace"]
