"""Search strategies, one published method per file."""

from gennas.generators.registry import GENERATORS
from gennas.search.strategies.bayesian.bayesian import BayesianSearch
from gennas.search.strategies.evolution.cross_entropy import CrossEntropy
from gennas.search.strategies.evolution.genetic import Genetic
from gennas.search.strategies.evolution.nsga2 import NSGA2
from gennas.search.strategies.evolution.regularized_evolution import RegularizedEvolution
from gennas.search.strategies.evolved import EvolvedSource
from gennas.search.strategies.generative.diffusion_rl import DiffusionRL
from gennas.search.strategies.generative.generative import GenerativeSearch
from gennas.search.strategies.generative.generative_evolution import GenerativeEvolution
from gennas.search.strategies.generative.tiny import Tiny, TinySource
from gennas.search.strategies.kernels import KERNELS, Kernel
from gennas.search.strategies.llm.language_model import LanguageModelSearch
from gennas.search.strategies.llm.language_source import LanguageSource
from gennas.search.strategies.llm.state_sharing import StateSharingSearch
from gennas.search.strategies.local.biggest_first import BiggestFirst
from gennas.search.strategies.local.local_search import LocalSearch
from gennas.search.strategies.local.random import RandomSearch
from gennas.search.strategies.one_shot.one_shot import OneShot
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
    "CrossEntropy",
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
    "OneShot",
    "RandomSearch",
    "RegularizedEvolution",
    "Source",
    "StateSharingSearch",
    "Strategy",
    "Tiny",
    "TinySource",
]
