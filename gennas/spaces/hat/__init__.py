"""Hardware-aware transformers: encoder and decoder of a translation network."""

from gennas.spaces.hat.space import HAT

__all__ = ["HAT"]
