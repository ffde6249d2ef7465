"""The state of a classical strategy in the words of decisions and options."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gennas.models.llm import Decisions
from gennas.models.llm.methods.prompt import Ours, quoted
from gennas.models.llm.methods.situation import Belief, Candidate, SharedState
from gennas.search.strategies.bayesian.insight import Insight

__all__ = ["shared_state"]

_OPTIONS = 3  # of a decision that are told
_DECISIONS = 24


def shared_state(decisions: Decisions, elites: NDArray[np.integer], insight: Insight | None) -> SharedState:
    """What the elites take, what the surrogate believes, and what it would evaluate next.

    Args:
        decisions: of the space.
        elites: ``(k, d)`` decisions of the best.
        insight: of a strategy with a surrogate; None of others.
    """
    free = [t for t in range(len(decisions)) if len(decisions.labels[t]) > 1]
    marginals = [_marginal(decisions, t, elites[:, t]) for t in free[:_DECISIONS]] if len(elites) else []
    if insight is None:
        return SharedState(marginals)
    spread = np.nan_to_num(insight.effects[free]).max(1) - np.nan_to_num(insight.effects[free]).min(1)
    decisive = [free[i] for i in np.argsort(-spread, kind="stable")[:_DECISIONS]]
    beliefs = [_effects(decisions, t, insight.effects[t]) for t in decisive]
    candidates = [
        Candidate(Ours(text), float(mean), float(deviation))
        for text, mean, deviation in zip(decisions.write(insight.D), insight.mean, insight.deviation, strict=True)
    ]
    return SharedState(marginals, [belief for belief in beliefs if belief.options], candidates)


def _marginal(decisions: Decisions, t: int, taken: NDArray[np.integer]) -> Belief:
    labels, counts = np.unique(taken, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_OPTIONS]
    return Belief(decisions.name(t), [(_option(decisions, t, int(labels[i])), counts[i] / len(taken)) for i in order])


def _effects(decisions: Decisions, t: int, effects: NDArray[np.float64]) -> Belief:
    labels = decisions.labels[t][np.isfinite(effects[decisions.labels[t]])]
    order = labels[np.argsort(-effects[labels], kind="stable")]
    ends = order if len(order) <= _OPTIONS else [*order[: _OPTIONS - 1], order[-1]]
    return Belief(decisions.name(t), [(_option(decisions, t, int(s)), float(effects[s])) for s in ends])


def _option(decisions: Decisions, t: int, label: int) -> str:
    return Ours(f"{decisions.symbols[t, label]}={quoted(decisions.shown(t)[label])}")
