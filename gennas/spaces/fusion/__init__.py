"""Fusion of two modalities: which features are combined, and how."""

from gennas.spaces.fusion.space import Fusion

__all__ = ["Fusion"]
