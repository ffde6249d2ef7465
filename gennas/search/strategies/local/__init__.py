"""Random search, local search, and a control that fills the bound."""

from gennas.search.strategies.local.biggest_first import BiggestFirst
from gennas.search.strategies.local.local_search import LocalSearch
from gennas.search.strategies.local.random import RandomSearch

__all__ = ["BiggestFirst", "LocalSearch", "RandomSearch"]
