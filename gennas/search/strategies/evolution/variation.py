"""How children differ from their parents: one edit or several."""

from __future__ import annotations

import numpy as np

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.spaces.base import Space

__all__ = ["check_probability", "edited"]


def edited(
    space: Space, parents: Population, rng: np.random.Generator, further: float = 0.0, most: int | None = None
) -> Population:
    r"""Children of one edit, and of a further one with a probability each: :math:`1 + \mathrm{Geometric}` edits.

    With ``further=p`` the mean number is ``1 / (1 - p)``. A later edit may undo an earlier one. Where a bound binds,
    one edit alone can hardly improve a good architecture: what one layer gains another one has to give.

    Args:
        space: of the parents.
        parents: ``b`` architectures.
        rng: decides; with ``further=0`` nothing is drawn from it but the one edit.
        further: probability in [0, 1) of every edit after the first.
        most: edits of a child; None: any number.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> space, rng = NASBench201(), np.random.default_rng(0)
        >>> parents = space.sample(1000, rng)
        >>> float((edited(space, parents, rng, 0.5).decisions != parents.decisions).sum(1).mean().round(1))
        1.6
    """
    children, going, edits = space.mutate(parents, rng), np.arange(len(parents) if further else 0), 1
    while len(going) and edits != most:
        going, edits = going[rng.random(len(going)) < further], edits + 1
        if len(going):
            children = children.replaced(going, space.mutate(children[going], rng))
    return children


def check_probability(highest_excluded: bool = False, **values: float) -> None:
    """Refuse what is no probability.

    Raises:
        ConfigError: a value outside of [0, 1], or of [0, 1).
    """
    for name, value in values.items():
        if not 0 <= value <= 1 or (highest_excluded and value == 1):
            raise ConfigError(f"Expected {name} in [0, 1{')' if highest_excluded else ']'}, got {value}.")
