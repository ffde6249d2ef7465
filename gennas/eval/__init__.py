"""Scores of architectures: what an evaluator is; tables, proxies and hardware are in the rooms below."""

from gennas.eval.base import Direction, Evaluator, Fidelity, Metric

__all__ = ["Direction", "Evaluator", "Fidelity", "Metric"]
