"""What is looked at before a supernet is made: its memory, its inputs, and the shapes that its candidates give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gennas.errors import ConfigError, EvaluationError, GennasError, reason_of
from gennas.runtime.memory import available_memory
from gennas.spaces.base import Space
from gennas.spaces.parts import Choice, Routing, Shared, bind
from gennas.spaces.spec import TaskSpec

__all__ = ["check_candidates", "check_supernet"]

_COPIES = 4  # weights, gradients, and two numbers of the optimiser for each
_PATHS = 4  # drawn to reach the places of candidates


def check_supernet(space: Space, spec: TaskSpec, partial: int = 1) -> bool:
    """Make the shared network without memory, and look at it; whether its candidates could be looked at so.

    Training needs at least four numbers of four bytes for each parameter; what is computed in between comes on top and
    is not estimated.

    Raises:
        ConfigError: there is less memory, or the network cannot take the task's inputs.
        EvaluationError: candidates of one place give different shapes.
    """
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        network = space.network(Shared(space.schema, partial), spec)
        _require_memory(space, sum(p.numel() for p in network.parameters()))
        try:
            check_candidates(network, space, spec)
        except GennasError as error:
            if isinstance(error, _UnknownError):
                return False  # a network that reads values, which there are none of: look at the real one
            raise
    return True


class _UnknownError(GennasError):
    """Something failed that may be no fault of the network's."""


def _require_memory(space: Space, parameters: int) -> None:
    need, free = 4 * _COPIES * parameters, available_memory()
    if free is not None and need > free:
        raise ConfigError(
            f"The supernet of {space.name} has {parameters:,} parameters, whose training needs at least "
            f"{need / 2**30:.1f} GiB; {free / 2**30:.1f} GiB are available: take a smaller space (fewer or narrower "
            "choices, a lower width fidelity)."
        )


def check_candidates(network: nn.Module, space: Space, spec: TaskSpec) -> None:
    """Run a shared network on one example, and every candidate of every place that is reached.

    Raises:
        ConfigError: it cannot take the task's inputs.
        EvaluationError: candidates of one place give different shapes, or one fails.
    """
    place = next(network.parameters()).device
    inputs = tuple(x.to(place) for x in spec.random_inputs(1))
    routing, training = Routing(space.schema.decision_mask), network.training
    bind(network.eval(), routing)
    archs = space.sample(_PATHS, np.random.default_rng(0))
    with torch.no_grad():
        for row in archs.decisions.tolist():
            routing.follow(row)
            for name, choice, arguments in _reached(network, inputs, space, spec):
                _try_all(name, choice, arguments, space)
    network.train(training)


def _reached(
    network: nn.Module, inputs: tuple[Tensor, ...], space: Space, spec: TaskSpec
) -> list[tuple[str, Choice, tuple[Any, ...]]]:
    """The places on the present route with what arrives there."""
    found: dict[str, tuple[Choice, tuple[Any, ...]]] = {}
    places = {name: module for name, module in network.named_modules() if isinstance(module, Choice)}

    def note(name: str) -> Any:
        return lambda module, arguments: found.setdefault(name, (module, arguments)) and None

    hooks = [module.register_forward_pre_hook(note(name)) for name, module in places.items()]
    try:
        network(*inputs)
    except GennasError:
        raise
    except Exception as error:
        if next(network.parameters()).device.type == "meta":
            raise _UnknownError(reason_of(error)) from error
        for name, (choice, arguments) in found.items():  # a candidate may be to blame for what came after
            _try_all(name, choice, arguments, space)
        shapes = " and ".join(str(tuple(x.shape[1:])) for x in inputs)
        raise ConfigError(
            f"{space.name}: its networks cannot take the inputs of the task ({spec.kind}, {shapes}): {reason_of(error)}"
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
    return [(name, choice, arguments) for name, (choice, arguments) in found.items()]


def _try_all(name: str, choice: Choice, arguments: tuple[Any, ...], space: Space) -> None:
    """Run the candidates of a place on what arrives there, and compare shapes: those of one route, as widths may vary.

    Raises:
        EvaluationError: they differ, or one fails.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    if choice.partial > 1:
        arguments = (arguments[0][:, : arguments[0].shape[1] // choice.partial],)
    for symbol, module in choice.items():
        label = space.schema.label(choice.decision, int(symbol))
        try:
            shapes[symbol] = tuple(module(*arguments).shape)
        except EvaluationError:
            continue  # its sizes have no value on this route
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            if arguments[0].device.type == "meta":
                raise _UnknownError(reason_of(error)) from error
            raise EvaluationError(
                f"{space.name}: the candidate {label!r} at {name} fails on inputs of shape "
                f"{tuple(arguments[0].shape)}: {reason_of(error)}"
            ) from error
    _require_alike(name, shapes, {s: space.schema.label(choice.decision, int(s)) for s in shapes}, space)


def _require_alike(name: str, shapes: Mapping[str, tuple[int, ...]], labels: Mapping[str, str], space: Space) -> None:
    groups: dict[tuple[int, ...], list[str]] = {}
    for symbol, shape in shapes.items():
        groups.setdefault(shape, []).append(labels[symbol])
    if len(groups) > 1:
        ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
        (expected, others), (got, wrong) = ordered[0], ordered[-1]
        raise EvaluationError(
            f"{space.name}: the candidate {wrong[0]!r} at {name} changes the shape: expected {expected}, as of "
            f"{', '.join(map(repr, others))}, got {got} (one example): give candidates of one place one shape."
        )
