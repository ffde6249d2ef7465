"""Landscapes: search problems in closed form, for comparing strategies over many seeds and thousands of evaluations.

Each is an evaluator with its own space: in Python ``make_landscape("nk", seed=3)``; on the command line by its class,
such as ``--space gennas.testing.landscapes:ChoiceSpace --evaluator gennas.testing.landscapes:NKLandscape``.
``scripts/bench_engine`` compares strategies on all of them.
"""

from gennas.testing.landscapes.additive import AdditiveLandscape
from gennas.testing.landscapes.base import LANDSCAPES, BoundedLandscape, Landscape, make_landscape
from gennas.testing.landscapes.blocks import BlocksLandscape
from gennas.testing.landscapes.mean_field import MeanFieldLogSynflow, macro8, macro12
from gennas.testing.landscapes.nk import NKLandscape
from gennas.testing.landscapes.rare import RareLandscape, rare_bought
from gennas.testing.landscapes.separable import SeparableLandscape
from gennas.testing.landscapes.spaces import ChoiceSpace, DeepChain

__all__ = [
    "LANDSCAPES",
    "AdditiveLandscape",
    "BlocksLandscape",
    "BoundedLandscape",
    "ChoiceSpace",
    "DeepChain",
    "Landscape",
    "MeanFieldLogSynflow",
    "NKLandscape",
    "RareLandscape",
    "SeparableLandscape",
    "macro8",
    "macro12",
    "make_landscape",
    "rare_bought",
]
