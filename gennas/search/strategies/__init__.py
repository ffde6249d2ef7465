"""Search strategies, one published method per file."""

from gennas.search.strategies._generators import GENERATORS
from gennas.search.strategies.bayesian import BayesianSearch
from gennas.search.strategies.diffusion_rl import DiffusionRL
from gennas.search.strategies.generative import GenerativeSearch
from gennas.search.strategies.generative_evolution import GenerativeEvolution
from gennas.search.strategies.local_search import LocalSearch
from gennas.search.strategies.nsga2 import NSGA2
from gennas.search.strategies.random import RandomSearch
from gennas.search.strategies.regularized_evolution import RegularizedEvolution
from gennas.search.strategy import STRATEGIES, Strategy

__all__ = [
    "GENERATORS",
    "NSGA2",
    "STRATEGIES",
    "BayesianSearch",
    "DiffusionRL",
    "GenerativeEvolution",
    "GenerativeSearch",
    "LocalSearch",
    "RandomSearch",
    "RegularizedEvolution",
    "Strategy",
]
