"""Several proxies as one score: ranks, a learned weighting, evolved expressions, a prior over operators."""

from gennas.eval.proxies.combine.base import Combination, Scores
from gennas.eval.proxies.combine.evolved import EvolvedExpression
from gennas.eval.proxies.combine.expression import Expression
from gennas.eval.proxies.combine.layers import layer_statistics, stack_layers
from gennas.eval.proxies.combine.operators import OperatorPrior, measure_operators, operator_columns
from gennas.eval.proxies.combine.parametric import ParametricProxy
from gennas.eval.proxies.combine.ranks import LogRank, MeanRank
from gennas.eval.proxies.combine.smooth import smooth_over_graphs

__all__ = [
    "Combination",
    "EvolvedExpression",
    "Expression",
    "LogRank",
    "MeanRank",
    "OperatorPrior",
    "ParametricProxy",
    "Scores",
    "layer_statistics",
    "measure_operators",
    "operator_columns",
    "smooth_over_graphs",
    "stack_layers",
]
