"""Data that a user brings, checked, split and wrapped, one file per kind."""

from gennas.training.given.base import Given
from gennas.training.given.graphs import read_graph, read_graphs
from gennas.training.given.images import read_images, read_masks, read_pairs
from gennas.training.given.sequences import read_sequences
from gennas.training.given.tokens import read_tokens

__all__ = [
    "Given",
    "read_graph",
    "read_graphs",
    "read_images",
    "read_masks",
    "read_pairs",
    "read_sequences",
    "read_tokens",
]
