"""Choosing a block for every layer: the best under bounds, all layers alike, at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, EvaluationError, InvalidArchitectureError
from gennas.training.blocks.bounds import Bound
from gennas.training.blocks.knapsack import DepthRule, Knapsack
from gennas.training.blocks.library import BlockLibrary
from gennas.training.blocks.scoring import increases

__all__ = ["choose_blocks", "knapsack_of", "require_reachable", "random_choices", "uniform_choices"]

Choice = tuple[int, ...]


def knapsack_of(library: BlockLibrary, bounds: Sequence[Bound], metric: str = "loss") -> Knapsack:
    """The problem of choosing blocks: least sum of what each makes worse, within the bounds.

    Raises:
        ConfigError: there is no bound, one is given twice, or one is above what the parent costs.
        UnknownNameError: no such metric.
        EvaluationError: blocks were not scored, or a latency is bounded that was not measured.
    """
    return _problem(library, bounds, increases(library, metric))


def _problem(library: BlockLibrary, bounds: Sequence[Bound], scores: Sequence[NDArray[np.float64]]) -> Knapsack:
    names = [bound.metric for bound in bounds]
    if not names or len(set(names)) < len(names):
        raise ConfigError(f"Expected one bound for each of some costs, got {', '.join(map(str, bounds)) or 'none'}.")
    if "latency_ms" in names and "latency_ms" not in library.parent_costs:
        raise ConfigError("Expected measured latencies for a bound on them: call measure_latencies_of(library) first.")
    limits = [bound.limit(library.parent_costs[bound.metric]) - library.rest(bound.metric) for bound in bounds]
    return Knapsack(
        scores,
        [np.array([[float(getattr(b, n)) for n in names] for b in blocks]) for blocks in library.layers],
        np.array(limits),
        [np.array([b.values is not None for b in blocks]) for blocks in library.layers],
        [
            DepthRule(tuple(members), library.stack.depths(g), library.stack.only_last(g))
            for g in range(library.stack.num_groups)
            if (members := library.stack.members(g))
        ],
    )


def choose_blocks(library: BlockLibrary, bounds: Sequence[Bound], metric: str = "loss") -> Choice:
    """The block of every layer: the exact optimum of the sum of single scores under all bounds.

    Args:
        library: whose blocks were scored.
        bounds: one or several.
        metric: what is added up, see :func:`increases`.

    Raises:
        ConfigError: nothing keeps the bounds, or as :func:`knapsack_of`.
        UnknownNameError: no such metric.
    """
    choice = knapsack_of(library, bounds, metric).solve()
    if choice is None:
        require_reachable(library, bounds)
        raise EvaluationError("The knapsack has no choice although there is one: this is an error of the solver.")
    return choice


def require_reachable(library: BlockLibrary, bounds: Sequence[Bound]) -> None:
    """Refuse bounds that nothing keeps, before anything is trained; latencies that were not measured do not count.

    Raises:
        ConfigError: nothing keeps them, or as :func:`knapsack_of`.
    """
    known = [bound for bound in bounds if bound.metric in library.parent_costs]
    if bounds and not known:
        return
    problem = _problem(library, known, [np.zeros(len(blocks)) for blocks in library.layers])
    if problem.solve() is not None:
        return
    for j, bound in enumerate(known):
        rest, parent = library.rest(bound.metric), library.parent_costs[bound.metric]
        least = problem.least(j) + rest
        if least > problem.limits[j] + rest:
            raise ConfigError(
                f"Nothing keeps {bound}: the smallest choice of blocks has {least:,.6g} {bound.metric}, "
                f"{least / parent:.3f}x of the parent's {parent:,.6g}, {rest:,.6g} of them outside of its layers."
            )
    raise ConfigError(
        f"Nothing keeps {' and '.join(map(str, known))} together, though each can be kept alone: loosen one of them."
    )


def uniform_choices(library: BlockLibrary, problem: Knapsack) -> list[Choice]:
    """Feasible choices of one and the same block for all layers, of which the first so many are kept.

    Where a layer of the parent's own stays for all layers, only the depth shrinks. The parent itself is none of them.
    """
    places = [{block.text: k for k, block in enumerate(blocks)} for blocks in library.layers]
    alike = [
        [place[text] for place in places] for text in places[0] if text != "out" and all(text in p for p in places)
    ]
    kept = _first_layers(library)
    found = {
        tuple(k if stays else place["out"] for k, stays, place in zip(choice, stay, places, strict=True))
        for choice in [list(library.own_choice), *alike]
        for stay in kept
        if all(stays or "out" in place for stays, place in zip(stay, places, strict=True))
    }
    choices = sorted(found - {library.own_choice})
    fits = problem.is_feasible(np.array(choices, dtype=np.intp).reshape(-1, len(places)))
    return [choice for choice, fit in zip(choices, fits, strict=True) if fit]


def _first_layers(library: BlockLibrary) -> list[list[bool]]:
    """Which layers stay, for every depth; groups shrink together, by their numbers in the list of depths."""
    stack = library.stack
    groups = range(stack.num_groups)
    steps = max(len(stack.depths(g)) for g in groups)
    found = []
    for step in range(steps):
        depth = {g: stack.depths(g)[::-1][min(step, len(stack.depths(g)) - 1)] for g in groups}
        found.append([place.index < depth[place.group] for place in stack.places])
    return found


def random_choices(library: BlockLibrary, problem: Knapsack, n: int, seed: int = 0) -> list[Choice]:
    """Different feasible choices at random, see :meth:`Knapsack.random`; all are networks of the space."""
    drawn = problem.random(n, np.random.default_rng(seed))
    return [tuple(choice) for choice in drawn.tolist() if _is_network(library, choice)]


def _is_network(library: BlockLibrary, choice: Sequence[int]) -> bool:
    try:
        library.architecture(choice)
    except InvalidArchitectureError:
        return False
    return True
