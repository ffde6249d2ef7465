"""Search strategies, one published method per file."""

from gennas.generators.registry import GENERATORS
from gennas.search.strategies.bayesian.bayesian import BayesianSearch
from gennas.search.strategies.evolution.genetic import Genetic
from gennas.search.strategies.evolution.nsga2 import NSGA2
from gennas.search.strategies.evolution.regularized_evolution import RegularizedEvolution
from gennas.search.strategies.evolved import EvolvedSource
from gennas.search.strategies.generative.diffusion_rl import DiffusionRL
from gennas.search.strategies.generative.generative import GenerativeSearch
from gennas.search.strategies.generative.generative_evolution import GenerativeEvolution
from gennas.search.strategies.kernels import KERNELS, Kernel
from gennas.search.strategies.llm.language_model import LanguageModelSearch
from gennas.search.strategies.llm.language_source import LanguageSource
from gennas.search.strategies.local.biggest_first import BiggestFirst
from gennas.search.strategies.local.local_search import LocalSearch
from gennas.search.strategies.local.random import RandomSearch
from gennas.search.strategies.sources import SOURCES, Evidence, Source
from gennas.search.strategy import STRATEGIES, Strategy

__all__ = [
    "GENERATORS",
    "KERNELS",
    "NSGA2",
    "SOURCES",
    "STRATEGIES",
    "BayesianSearch",
    "BiggestFirst",
    "DiffusionRL",
    "Evidence",
    "EvolvedSource",
    "GenerativeEvolution",
    "GenerativeSearch",
    "Genetic",
    "Kernel",
    "LanguageModelSearch",
    "LanguageSource",
    "LocalSearch",
    "RandomSearch",
    "RegularizedEvolution",
    "Source",
    "Strategy",
]
