"""A space whose random architectures prefer some labels: a prior of a person or a language model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.graph import Population, draw_labels
from gennas.spaces.base import Space

__all__ = ["weighted"]

FloatArray = NDArray[np.float64]


def weighted(space: Space, weights: FloatArray) -> Space:
    r"""The same space, whose :meth:`~gennas.spaces.Space.sample` prefers labels of large weight.

    One decision after the other, in the schema's order, takes a label with a probability in proportion to

    .. math:: w_{tl} \, c_{tl}

    where ``c`` is the number of distinct architectures that go on so, or 1 for every legal label where the space does
    not count: with equal weights samples are as before. Mutation, crossover and legality do not change.

    Args:
        space: what is sampled.
        weights: of every label of every decision, positive, ``(d, L)``.

    Raises:
        ConfigError: the weights have another shape, or one that counts is not positive and finite.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> space = NASBench201()
        >>> weights = np.ones(space.schema.decision_mask.shape)
        >>> weights[:, 3] = 100  # nor_conv_3x3
        >>> archs = weighted(space, weights).sample(200, np.random.default_rng(0))
        >>> bool((archs.decisions == 3).mean() > 0.8)
        True
    """
    mask = space.schema.decision_mask
    if weights.shape != mask.shape or not (np.isfinite(weights[mask]) & (weights[mask] > 0)).all():
        raise ConfigError(f"Expected positive weights {mask.shape}, one for each label, got {weights.shape}.")
    own = type(space)
    made: _Weighted = object.__new__(type(own.__name__, (_Weighted, own), {"__module__": own.__module__}))
    made.__dict__.update(vars(space))
    made._whole, made._weights = space, np.where(mask, weights, 0.0)
    return made


class _Base(Space if TYPE_CHECKING else object):  # type: ignore[misc]
    """What the class below is mixed into."""


class _Weighted(_Base):
    """Overrides what draws at random."""

    _whole: Space
    _weights: FloatArray

    def sample(self, n: int, rng: np.random.Generator) -> Population:
        """Draw ``n`` independent architectures, repetitions possible, by weights."""
        D = np.zeros((n, len(self._weights)), dtype=np.int16)
        for t, weights in enumerate(self._weights):
            counts = self._whole.completions(D, t)
            shares = self._whole.legal(D, t).astype(np.float64) if counts is None else _shares(counts)
            D[:, t] = draw_labels(shares * weights, rng)
        return self._whole.canonical(Population.from_decisions(self.schema, D))

    @property
    def samples_uniformly(self) -> bool:
        """Not."""
        return False


def _shares(counts: FloatArray) -> FloatArray:
    """Rows that sum to 1; counts may be integers of any size."""
    if counts.dtype == object:
        return np.array([[count / total for count in row] for row in counts.tolist() for total in (sum(row),)])
    shares: FloatArray = counts / counts.sum(1, keepdims=True)
    return shares
