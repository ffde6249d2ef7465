"""Strategies that rank candidates by what surrogates believe of them."""

from gennas.search.strategies.bayesian.bayesian import BayesianSearch

__all__ = ["BayesianSearch"]
