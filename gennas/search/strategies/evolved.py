"""Candidates that are evolved on the acquisition function of a round, instead of being drawn once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, shown
from gennas.graph import Population
from gennas.registry import configured
from gennas.search.strategies.bayesian.bandit import ShareBandit
from gennas.search.strategies.kernels import KERNELS, Kernel
from gennas.search.strategies.rounds import check_positive
from gennas.search.strategies.sources import SOURCES, Evidence, Source
from gennas.spaces.base import Space

__all__ = ["DEFAULT_KERNELS", "EvolvedSource", "are_shares", "new_kernel"]

FloatArray = NDArray[np.float64]

DEFAULT_KERNELS: Mapping[str, float] = {"mutation": 0.5, "crossover": 0.5}
_DECAY = 0.95  # of what kernels are remembered by, per generation
_SEEN = 3.0  # nats off the value of what was proposed before: a parent still, but a poor one


@SOURCES.register("evolve")
class EvolvedSource(Source):
    r"""Children of the elites, evolved on the acquisition function of the round.

    A population that samples, by small steps, from :math:`p(a) \exp(\alpha(a))` with the kernels' :math:`p` and the
    log-acquisition :math:`\alpha`:

    1. The parents are the elites.
    2. ``generations`` times: the kernels make ``n / generations`` children of the parents; those that break cheap
       constraints are dropped; of parents and children the ``survivors`` with the greatest log-acquisition are the
       next parents, where what was seen before counts 3 nats less.
    3. All children are the candidates.

    A kernel's share of the children follows its yield: the part of the survivors' expected improvement that its new
    children hold, :math:`\sum_{a} e^{\alpha(a)}` over them, for what they cost. The cost of a child is a constant that
    each kernel declares (:attr:`gennas.search.strategies.kernels.Kernel.cost`), never measured while searching, so
    that results depend on the seed and on outcomes alone. Where nothing is predicted (``surrogate=none``) nobody
    is selected: all children are the elites' own.

    Args:
        space: where candidates belong.
        kernels: by name, or ``file.py:Class``, with their shares of the children at the start, which sum to 1.
        generations: how many.
        survivors: parents of the next generation.
        adaptive: False keeps the shares.
        make: the kernel called so; by default :func:`new_kernel`.

    Raises:
        ConfigError: no kernels, shares that do not sum to 1, or a size that is not positive.
        UnknownNameError: no kernel has that name.
    """

    def __init__(
        self,
        space: Space,
        kernels: Mapping[str, float] | None = None,
        generations: int = 5,
        survivors: int = 30,
        adaptive: bool = True,
        make: Callable[[str], Kernel] | None = None,
    ) -> None:
        super().__init__(space)
        check_positive(generations=generations, survivors=survivors)
        shares = {name: float(share) for name, share in (DEFAULT_KERNELS if kernels is None else kernels).items()}
        if not are_shares(shares):
            raise ConfigError(f"Expected shares of kernels that are not negative and sum to 1, got {shares}.")
        self.generations, self.survivors = generations, survivors
        make = make or partial(new_kernel, space=space)
        self.kernels = {name: make(name) for name, share in shares.items() if share > 0}
        self.bandit = ShareBandit(shares, adaptive, decay=_DECAY, least=min(0.1, 0.5 / len(shares)))

    def draw(self, n: int, evidence: Evidence, rng: np.random.Generator) -> Population:
        """All children of all generations that keep the cheap constraints, and no others unless none does."""
        parents, found = evidence.archs[evidence.best], [Population.of(self.space.schema, [])]
        for i in range(self.generations):
            size = (n * (i + 1)) // self.generations - (n * i) // self.generations
            children, makers = self._children(parents, size, evidence, i / max(1, self.generations - 1), rng)
            if not len(children):
                continue
            found.append(children)
            parents = self._selected(parents, children, makers, evidence)
        pool = Population.concat(found)
        return pool if len(pool) else self.space.mutate(evidence.archs[rng.choice(evidence.best, size=n)], rng)

    def _children(
        self, parents: Population, n: int, evidence: Evidence, progress: float, rng: np.random.Generator
    ) -> tuple[Population, NDArray[np.intp]]:
        """Children that keep the cheap constraints, and the kernel of each, by its place."""
        shares = self.bandit.shares()
        counts = zip(self.kernels.values(), _split(n, [shares[name] for name in self.kernels]), strict=True)
        parts = [kernel.vary(parents, k, evidence, progress, rng) if k else parents[:0] for kernel, k in counts]
        sizes = [len(part) for part in parts]
        self.bandit.offer({name: self.kernels[name].cost * k for name, k in zip(self.kernels, sizes, strict=True)})
        children, makers = Population.concat(parts), np.repeat(np.arange(len(parts)), sizes)
        kept = evidence.keeps(children)
        return children[kept], makers[kept]

    def _selected(
        self, parents: Population, children: Population, makers: NDArray[np.intp], evidence: Evidence
    ) -> Population:
        """The next parents; credits the kernels."""
        both = Population.concat([parents, children])
        _, first = np.unique(np.array(both.keys), return_index=True)
        rows = np.sort(first)
        value = evidence.value(both[rows])
        if value is None:
            return parents
        order = np.argsort(-(value - _SEEN * evidence.known(both[rows])), kind="stable")[: self.survivors]
        chosen = rows[order]
        gain = np.exp(value[order] - value[order].max())
        new = chosen >= len(parents)
        names = np.array(list(self.kernels))[makers[chosen[new] - len(parents)]]
        self.bandit.note(names.tolist(), gain[new] / gain.sum())
        return both[chosen]

    def state_dict(self) -> dict[str, Any]:
        """What each kernel yielded, and what kernels remember."""
        return {
            "bandit": self.bandit.state_dict(),
            "kernels": {name: kernel.state_dict() for name, kernel in self.kernels.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore it."""
        self.bandit.load_state_dict(state["bandit"])
        for name, kernel in self.kernels.items():
            kernel.load_state_dict(state["kernels"][name])


def new_kernel(name: str, space: Space) -> Kernel:
    """The kernel called ``name``, or imported from ``file.py:Class``.

    Raises:
        UnknownNameError: no kernel has that name.
        ConfigError: what was imported is no kernel, or needs more than the space.
    """
    kernel = configured(f"kernel {name!r}", KERNELS.get(name), {}, space=space)
    if not isinstance(kernel, Kernel):
        raise ConfigError(f"Expected {shown(name)} to be a Kernel, got {type(kernel).__name__}.")
    return kernel


def are_shares(shares: Mapping[str, float]) -> bool:
    """Whether no share is negative and they sum to 1; NaN is no share."""
    return all(share >= 0 for share in shares.values()) and abs(sum(shares.values()) - 1) <= 1e-6


def _split(n: int, shares: list[float]) -> list[int]:
    """``n`` in whole parts by shares that sum to 1."""
    ends = np.rint(n * np.cumsum(shares)).astype(int)
    return [int(size) for size in np.diff(ends, prepend=0)]
