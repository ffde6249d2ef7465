"""Vision transformers whose blocks choose their mixers and what they read (after DASViT)."""

from gennas.spaces.dasvit.space import DASViT

__all__ = ["DASViT"]
