"""The user's own functions and classes as evaluators."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal

from gennas.errors import ConfigError, EvaluationError, shown
from gennas.eval.base import Evaluator, Fidelity, Metric
from gennas.graph import Architecture
from gennas.registry import configured, name_of
from gennas.spaces.base import Space

__all__ = ["OwnEvaluator", "own_evaluator"]

_CONTEXT = ("fidelity", "seed", "space")


class OwnEvaluator:
    """Scores architectures with a function of the user's.

    Args:
        function: called with an architecture, and with ``fidelity``, ``seed`` and ``space`` by name where it has such
            parameters. It returns the value of its only metric, or a mapping of metrics, and raises where it cannot
            score: the search records the failure and goes on.
        metrics: what it returns.
        space: of the architectures, so that the function may build networks or write texts.
        options: further arguments of the function.
        name: what it is called in records.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> space = NASBench201()
        >>> count = OwnEvaluator(lambda arch: arch.decisions.sum(), {"score": Metric("score", "max")}, space)
        >>> count.evaluate(space.from_text("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"), Fidelity(), 0)
        {'score': 0.0}
    """

    cost_class: Literal["cheap", "expensive"] = "expensive"

    def __init__(
        self,
        function: Callable[..., Any],
        metrics: Mapping[str, Metric],
        space: Space,
        options: Mapping[str, Any] | None = None,
        name: str = "",
    ) -> None:
        self.function, self.metrics, self.space = function, metrics, space
        self.options = dict(options or {})
        self._takes = [n for n in _CONTEXT if n in inspect.signature(function).parameters and n not in self.options]
        known = name or name_of(function) or getattr(function, "__qualname__", type(function).__name__)
        self.protocol = f"own({known}; {_written(self.options)}; space({space.identity}))"

    def evaluate(self, arch: Architecture, fidelity: Fidelity, seed: int) -> Mapping[str, float]:
        """Call the function.

        Raises:
            EvaluationError: it returned neither a number nor the metrics it has.
        """
        context = {"fidelity": fidelity, "seed": seed, "space": self.space}
        found = self.function(arch, **{name: context[name] for name in self._takes}, **self.options)
        if isinstance(found, Mapping):
            missing = [name for name in self.metrics if name not in found]
            if missing:
                got = ", ".join(map(str, found)) or "nothing"
                raise EvaluationError(f"Expected the function to return {', '.join(missing)}, got {got}.")
            return {name: float(found[name]) for name in self.metrics}
        if len(self.metrics) > 1:
            raise EvaluationError(f"Expected a mapping of {', '.join(self.metrics)}, got {type(found).__name__}.")
        return {name: float(found) for name in self.metrics}


def own_evaluator(
    part: Any,
    options: Mapping[str, Any],
    space: Space,
    wanted: Mapping[str, Metric],
    name: str = "",
    **context: Any,
) -> Evaluator:
    """An evaluator from what the user gives: a function of an architecture, an object, or a class or maker of such.

    Args:
        part: a function whose first argument, without a default, is the architecture; an object with ``evaluate`` and
            ``metrics``; a class of such objects, or a function without positional arguments that returns one.
        options: arguments of the function or class.
        space: handed to a class or maker that has such a parameter.
        wanted: metrics that the user's goals name, for a function that does not say what it returns.
        name: what it is called in records.
        **context: more of the kind of ``space``, such as ``task``.

    Raises:
        ConfigError: an option does not exist or fit, or the part is none of these.
    """
    what = f"evaluator {name or name_of(part) or type(part).__name__!r}"
    if _is_evaluator(part) and not isinstance(part, type):
        if options:
            raise ConfigError(f"The {what} is made already: expected no options, got {', '.join(options)}.")
        return _completed(part, name, space)
    if not callable(part):
        raise ConfigError(f"Expected a function of an architecture or an evaluator as {what}, got {shown(part)}.")
    if not isinstance(part, type) and _takes_architecture(part):
        given = {key: context.get(key, 0) for key in _CONTEXT}
        configured(what, _checked(part), options, None, **given)
        return OwnEvaluator(part, _declared(getattr(part, "metrics", None)) or wanted or _SCORE, space, options, name)
    made = configured(what, part, options, space=space, **context)
    if not _is_evaluator(made):
        raise ConfigError(
            f"Expected the {what} to have evaluate(arch, fidelity, seed) and metrics, got {type(made).__name__}."
        )
    return _completed(made, f"{name or name_of(part) or type(made).__qualname__} {_written(options)}".strip(), space)


def _written(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in sorted(options.items()))


_SCORE = {"score": Metric("score", "max")}


def _is_evaluator(part: Any) -> bool:
    return callable(getattr(part, "evaluate", None)) and hasattr(part, "metrics")


def _takes_architecture(function: Callable[..., Any]) -> bool:
    first = next(iter(inspect.signature(function).parameters.values()), None)
    return first is not None and first.default is first.empty and first.name not in ("space", "task")


def _checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """A stand-in with the function's signature that does nothing, to check options against."""

    def nothing(*args: Any, **kwargs: Any) -> None:
        return None

    nothing.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    nothing.__module__, nothing.__doc__ = function.__module__, function.__doc__
    return nothing


def _declared(metrics: Any) -> dict[str, Metric]:
    """Metrics that are declared as :class:`Metric`, or as names with ``max`` or ``min``."""
    if not isinstance(metrics, Mapping):
        return {}
    wrong = [value for value in metrics.values() if not (isinstance(value, Metric) or value in ("max", "min"))]
    if wrong:
        raise ConfigError(f"Expected metrics like {{'accuracy': 'max'}} or Metric objects, got {shown(wrong[0])}.")
    return {name: v if isinstance(v, Metric) else Metric(name, v) for name, v in metrics.items()}


def _completed(part: Any, name: str, space: Space) -> Evaluator:
    """The object itself where it says all that an evaluator says, else its ``evaluate`` as a function."""
    metrics = _declared(part.metrics)
    if not metrics:
        raise ConfigError(
            f"Expected the metrics of {type(part).__name__} as a mapping of names, got {shown(part.metrics)}."
        )
    if isinstance(part, Evaluator) and dict(part.metrics) == metrics:
        return part
    return OwnEvaluator(part.evaluate, metrics, space, name=name or type(part).__qualname__)
