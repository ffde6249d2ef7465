"""Random search: the baseline that every other strategy must beat.

Source: Li and Talwalkar, "Random Search and Reproducibility for Neural Architecture Search",
UAI 2019, arXiv 1902.07638.
"""

from __future__ import annotations

from collections.abc import Sequence

from gennas.search.strategy import STRATEGIES, Strategy
from gennas.search.trial import Origin, Proposal, Trial

__all__ = ["RandomSearch"]


@STRATEGIES.register("random")
class RandomSearch(Strategy):
    """Draws architectures from the space without repetition; what it is told changes nothing."""

    @property
    def batch_size(self) -> int:
        """Proposals do not depend on outcomes, so batches may be large."""
        return 32

    @property
    def initial_evaluations(self) -> int:
        """None: it never learns."""
        return 0

    def ask(self, n: int) -> list[Proposal]:
        """Up to ``n`` architectures not proposed before."""
        return [Proposal(arch, Origin("random")) for arch in self._random_unseen(n)]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Remember foreign architectures, so that they are not bought again."""
        self.seen.update(t.arch.key for t in trials)
