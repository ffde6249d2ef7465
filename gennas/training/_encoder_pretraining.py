"""The former place of :func:`gennas.training.encoder.pretrain_encoder`."""

from gennas.training.encoder import pretrain_encoder

__all__ = ["pretrain_encoder"]
