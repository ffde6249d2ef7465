r"""A diffusion generator trained towards :math:`p(x)\,e^{v(x)/T}` on samples of its own.

The target is that of Yun et al. 2025 (DiBO, arXiv 2502.16824), who fine-tune by relative trajectory balance. Here
it is reached by weighted maximum likelihood, the M step of expectation maximisation with rewards as weights (Dayan
and Hinton 1997; Peters and Schaal 2007), a part of the way at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gennas.errors import ConfigError, shown
from gennas.generators.diffusion import DiffusionGenerator
from gennas.graph import Population
from gennas.models.base import FloatArray

__all__ = ["FineTuned", "fine_tune"]

Value = Callable[[Population], FloatArray]


@dataclass(frozen=True)
class FineTuned:
    """A generator that was fine-tuned, and what that took.

    Attributes:
        generator: a new one; that which it was made from is as before.
        reached: part of the way to :math:`e^{v/T}` that was gone, up to 1.
        seen: every sample that was valued.
        seen_values: theirs, ``(calls,)``.
    """

    generator: DiffusionGenerator
    reached: float
    seen: Population
    seen_values: FloatArray

    @property
    def calls(self) -> int:
        """Architectures that were valued."""
        return len(self.seen_values)


def fine_tune(
    generator: DiffusionGenerator,
    value: Value,
    temperature: float = 1.0,
    *,
    rounds: int = 4,
    samples: int = 256,
    steps: int = 40,
    least: float = 0.3,
    seed: int = 0,
) -> FineTuned:
    r"""A copy of ``generator`` whose unconditional samples are closer to :math:`p(x)\,e^{v(x)/T}`.

    Each of ``rounds`` rounds draws ``samples`` from the copy, values them and fits it to them with weights
    :math:`e^{\delta v}`. As what is weighted comes from the model of the round before, :math:`\delta` adds up over
    the rounds, to :math:`1/T` at most: each takes an equal part of what is left, or less, so that the weights are
    worth at least ``least * samples`` equal ones. A few steps do not fit a model to its weights in full: how far a
    round went is measured in the next, by that :math:`\delta` which moves the former samples' mean value to that of
    the new ones. Without error of the last fit, the end is the target if ``reached`` is 1.

    Args:
        generator: what to start from; it is not changed.
        value: of architectures, ``(b,)``.
        temperature: ``T``.
        rounds: how many; ``rounds * samples`` values are asked for.
        samples: drawn in each.
        steps: optimiser steps in each.
        least: see above.
        seed: of everything that is random.

    Raises:
        ConfigError: a number that is not positive, or values that are not finite numbers ``(b,)``.

    Example:
        >>> from gennas.spaces import make_space
        >>> space = make_space("pit")
        >>> def small(archs): return -archs.decisions.sum(1).astype(float)
        >>> generator = DiffusionGenerator(space.schema, space.legal)
        >>> tuned = fine_tune(generator, small, rounds=2, samples=64)
        >>> tuned.calls, bool(small(tuned.generator.sample(99)).mean() > small(generator.sample(99)).mean())
        (128, True)
    """
    if not temperature > 0 or min(rounds, samples, steps) < 1 or not 0 < least <= 1:
        raise ConfigError(
            "Expected a temperature above 0, rounds, samples and steps of at least 1 and least in (0, 1], got "
            f"{temperature}, {rounds}, {samples}, {steps} and {least}."
        )
    tuned = generator.with_conditions(range(generator.num_conditions), seed=seed)
    seeds = np.random.default_rng(seed).integers(2**31, size=(rounds, 2)).tolist()
    gone, delta = 0.0, 0.0
    seen: list[Population] = []
    values: list[FloatArray] = []
    for i, (drawing, fitting) in enumerate(seeds):
        archs = tuned.sample(samples, seed=drawing)
        v = np.asarray(value(archs), dtype=np.float64)
        if v.shape != (len(archs),) or not np.isfinite(v).all():
            raise ConfigError(f"Expected {len(archs)} finite values of as many architectures, got {shown(v)}.")
        if values:
            gone += _moved(values[-1], float(v.mean()), delta)
        delta = _bounded((1 / temperature - gone) / (rounds - i), v, least * samples)
        tuned.fit(archs, weights=np.exp(delta * (v - v.max())), steps=steps, seed=fitting)
        seen.append(archs)
        values.append(v)
    return FineTuned(tuned, (gone + delta) * temperature, Population.concat(seen), np.concatenate(values))


def _bounded(delta: float, v: FloatArray, least: float) -> float:
    """The largest strength up to ``delta`` at which weights are worth ``least`` equal ones."""

    def fits(strength: float) -> bool:
        w = np.exp(strength * (v - v.max()))
        return bool(w.sum() ** 2 >= least * np.square(w).sum())

    return _largest(delta, fits)


def _moved(v: FloatArray, mean: float, delta: float) -> float:
    """The largest strength up to ``delta`` at which weighted values ``v`` have at most this mean."""

    def fits(strength: float) -> bool:
        return bool(np.average(v, weights=np.exp(strength * (v - v.max()))) <= mean)

    return _largest(delta, fits)


def _largest(delta: float, fits: Callable[[float], bool]) -> float:
    """The largest number in [0, delta] that fits, to a part in a thousand, where all below fit too."""
    if fits(delta):
        return delta
    low, high = 0.0, delta
    while high - low > 1e-3 * delta:
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
