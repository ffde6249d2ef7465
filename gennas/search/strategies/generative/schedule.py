"""When generators are fitted again."""

from __future__ import annotations

__all__ = ["refit_interval"]

_MANY, _SHARE = 400, 8


def refit_interval(refit_every: int, labels: int) -> int:
    r"""New labels after which a generator is fitted again, :math:`\max(r, (n - 400) / 8)` for ``n`` labels.

    What a refit costs does not depend on the labels, so that over a search the cost of all would grow with their
    number; beyond 400 labels they are spaced such that it grows with the logarithm: about 30 refits from 1,000 labels
    to 10,000, however small the rounds.

    Example:
        >>> [refit_interval(8, labels) for labels in (20, 400, 1000, 10_000)]
        [8, 8, 75, 1200]
    """
    return max(refit_every, (labels - _MANY) // _SHARE)
