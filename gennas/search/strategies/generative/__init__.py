"""Strategies that learn what good architectures look like, and propose such."""

from gennas.search.strategies.generative.diffusion_rl import DiffusionRL
from gennas.search.strategies.generative.generative import GenerativeSearch
from gennas.search.strategies.generative.generative_evolution import GenerativeEvolution

__all__ = ["DiffusionRL", "GenerativeEvolution", "GenerativeSearch"]
