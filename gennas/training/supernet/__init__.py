"""Networks that share their weights: trained once, they score every architecture of a space."""

from gennas.training.supernet.base import Supernet

__all__ = ["Supernet"]
