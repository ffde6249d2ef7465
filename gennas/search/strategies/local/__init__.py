"""Random search and local search."""

from gennas.search.strategies.local.local_search import LocalSearch
from gennas.search.strategies.local.random import RandomSearch

__all__ = ["LocalSearch", "RandomSearch"]
