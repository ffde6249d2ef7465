"""Strategies that train one network for all architectures."""

from gennas.search.strategies.one_shot.one_shot import OneShot

__all__ = ["OneShot"]
