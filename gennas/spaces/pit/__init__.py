"""Pooling-based vision transformers (PiT)."""

from gennas.spaces.pit.space import PiT

__all__ = ["PiT"]
