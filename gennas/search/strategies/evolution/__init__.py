"""Evolutionary strategies."""

from gennas.search.strategies.evolution.genetic import Genetic
from gennas.search.strategies.evolution.nsga2 import NSGA2
from gennas.search.strategies.evolution.regularized_evolution import RegularizedEvolution

__all__ = ["NSGA2", "Genetic", "RegularizedEvolution"]
