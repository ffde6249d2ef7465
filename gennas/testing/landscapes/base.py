"""What a landscape is: an evaluator in closed form, for whole populations at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from gennas.eval.base import Fidelity, Metric
from gennas.graph import Architecture, Population
from gennas.registry import Registry, configured
from gennas.search import Constraint, Objective, Objectives
from gennas.search.screen import Screen
from gennas.spaces import Space

__all__ = ["LANDSCAPES", "BoundedLandscape", "Landscape", "make_landscape", "standardised"]

FloatArray = NDArray[np.float64]
DRAWS = 20_000
"""Random architectures from which scales and bounds are taken."""


class Landscape(ABC):
    """An evaluator whose values are known in closed form: a question about search strategies, asked cheaply.

    A landscape depends on its seed alone and costs microseconds for an architecture, so that strategies can be compared
    over many seeds and thousands of evaluations. It is a :class:`gennas.eval.base.Evaluator`; a subclass says what the
    values are (:meth:`values`).

    Attributes:
        space: of the architectures.
        goal: the metric that is searched; more is better.
        optimum: the best value that a feasible architecture has, or None where nobody knows.
        protocol: name, seed and space.
    """

    goal: ClassVar[str] = "score"
    cost_class: Literal["cheap", "expensive"] = "expensive"
    metrics: Mapping[str, Metric]
    optimum: float | None = None

    def __init__(self, space: Space, name: str) -> None:
        self.space = space
        self.protocol = f"landscape({name}; {space.identity})"
        self.metrics = {self.goal: Metric(self.goal, "max", self._unit)}

    _unit: ClassVar[str] = "standard deviations of random architectures"

    @abstractmethod
    def values(self, population: Population) -> FloatArray:
        """The goal's value of every architecture, ``(b,)``."""

    def columns(self, population: Population) -> dict[str, FloatArray]:
        """Every metric of every architecture, each ``(b,)``."""
        return {self.goal: self.values(population)}

    def evaluate(self, arch: Architecture, fidelity: Fidelity, seed: int) -> Mapping[str, float]:
        """The metrics of one architecture; neither fidelity nor seed changes anything."""
        found = self.columns(Population.of(self.space.schema, [arch]))
        return {name: float(column[0]) for name, column in found.items()}

    @property
    def objectives(self) -> Objectives:
        """What is searched."""
        return Objectives((Objective(self.goal, "max"),))

    def screen(self) -> Screen | None:
        """What a strategy may ask of any candidate; None where nothing is known without an evaluation."""
        return None


class BoundedLandscape(Landscape):
    """A landscape in which a second metric, of which less is better, has an upper bound.

    Attributes:
        cost: name of that metric.
        bound: the largest value of a feasible architecture.
        cheap_metrics: the metric where it is known without an evaluation; nothing where it has to be bought.
    """

    cost: ClassVar[str] = "cost"

    def __init__(self, space: Space, name: str, bound: float, *, bought: bool = False) -> None:
        super().__init__(space, f"{name}{', bought' if bought else ''}")
        self.bound = bound
        self.cheap_metrics = () if bought else (self.cost,)
        self.metrics = {**self.metrics, self.cost: Metric(self.cost, "min", bounds=(0.0, np.inf))}

    @abstractmethod
    def costs(self, population: Population) -> FloatArray:
        """The bounded metric of every architecture, ``(b,)``."""

    def columns(self, population: Population) -> dict[str, FloatArray]:
        """Goal and bounded metric of every architecture, each ``(b,)``."""
        return {self.goal: self.values(population), self.cost: self.costs(population)}

    def cheap(self, arch: Architecture, fidelity: Fidelity) -> Mapping[str, float]:
        """The bounded metric of one architecture, where it is cheap."""
        if not self.cheap_metrics:
            return {}
        return {self.cost: float(self.costs(Population.of(self.space.schema, [arch]))[0])}

    @property
    def objectives(self) -> Objectives:
        """What is searched, under the bound."""
        return Objectives((Objective(self.goal, "max"),), (Constraint(self.cost, "<=", self.bound),))

    def screen(self) -> Screen | None:
        """The bounded metric of whole populations, where it is cheap."""
        return _Columns(self) if self.cheap_metrics else None


class _Columns(Screen):
    """A screen that computes a landscape's bounded metric for whole populations at once."""

    def __init__(self, landscape: BoundedLandscape) -> None:
        super().__init__(lambda arch: landscape.cheap(arch, Fidelity()), landscape.cheap_metrics)
        self._landscape = landscape

    def columns(self, archs: Population) -> dict[str, FloatArray]:
        values = self._landscape.costs(archs)
        self._known.update(zip(archs.keys, ((value,) for value in values.tolist()), strict=True))
        return {self._landscape.cost: values}

    def violation(self, archs: Population, objectives: Objectives) -> FloatArray:
        found, total = self.columns(archs), np.zeros(len(archs))
        for constraint in objectives.constraints:
            if constraint.metric in found:
                excess = found[constraint.metric] - constraint.bound
                excess = excess if constraint.sense == "<=" else -excess
                total += np.maximum(excess, 0.0) / max(abs(constraint.bound), 1e-12)
        return total


def standardised(sums: FloatArray, mean: float, scale: float) -> FloatArray:
    """``(sums - mean) / scale``."""
    return np.asarray((sums - mean) / scale, dtype=np.float64)


LANDSCAPES: Registry[Any] = Registry("landscape")
"""Landscapes by name: classes and functions of a ``seed`` that return one."""


def make_landscape(name: str, seed: int = 0, **options: Any) -> Landscape:
    """The landscape that is registered under a name.

    Raises:
        UnknownNameError: there is none.
        ConfigError: an option that it does not have.

    Example:
        >>> landscape = make_landscape("nk", seed=3)
        >>> landscape.values(landscape.space.sample(2, np.random.default_rng(0))).shape
        (2,)
    """
    made: Landscape = configured(f"landscape {name!r}", LANDSCAPES.get(name), options, seed=seed)
    return made
