"""Generative search: a graph diffusion model learns the good architectures and proposes new ones.

The loop is DESIGN's: represent, learn, propose, evaluate, refit. What it absorbs: discrete graph
diffusion (Vignac et al. 2023, DiGress, arXiv 2209.14734) with classifier-free guidance (Ho and
Salimans 2022, arXiv 2207.12598) on quantiles of the objective, rank-weighted retraining (Tripp et
al. 2020, arXiv 2006.09191; Lukasik et al. 2022, AG-Net, arXiv 2203.08734), and expected improvement
of a surrogate as filter (Jones et al. 1998), see :mod:`gennas.search.strategies._acquisition`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.graph import Architecture, Population
from gennas.search.strategies._acquisition import ACQUISITIONS, Acquisition, choose_batch
from gennas.search.strategies._sources import SOURCES, RoundFigures, SourceCredit
from gennas.search.strategy import STRATEGIES, Strategy
from gennas.search.trial import Origin, Proposal, Trial

if TYPE_CHECKING:
    from gennas.models.surrogate import Surrogate
    from gennas.training.generator import DiffusionGenerator

__all__ = ["GenerativeSearch"]

FloatArray = NDArray[np.float64]


@STRATEGIES.register("generative")
class GenerativeSearch(Strategy):
    """Samples candidates from a diffusion model fitted to the archive, filters them, evaluates the best.

    A round: (1) fit the surrogate to the archive; (2) once ``refit_every`` labels are new, refit the
    generator, better architectures more often, from the weights it has, and draw from it under a high
    quantile; (3) join its samples, mutations of the best and random architectures to a pool; (4) drop
    what is known; (5) rank by the acquisition function; (6) propose ``round_size``, one after the
    other, each as if the ones before had come out as predicted. Before the first round
    ``warm_start`` random architectures are evaluated, and the generator sees ``unlabelled`` random
    architectures of the space, which costs no label. Every evaluation counts towards the budget.

    Args:
        space: where to search.
        objectives: what is better.
        seed: seed of every random decision.
        warm_start: random architectures evaluated before the first round.
        round_size: proposals per round.
        pool_size: candidates that are ranked in each round.
        shares: parts of the pool drawn from the generator, mutations of the best, and the space; a
            source with share 0 is off, and the generator is then not even trained.
        elites: how many of the best are mutated (a third of the mutants is mutated twice).
        quantile: quality asked of the generator, in [0, 1].
        unlabelled: random architectures that the generator is pre-trained on.
        pretrain_steps: optimiser steps of this pre-training.
        refit_steps: optimiser steps of each refit.
        refit_every: new labels between two refits of the generator; its samples serve until the next.
        surrogate: ``gp``, ``forest``, ``stack`` (both), or ``none`` (the pool's own order decides).
        acquisition: ``ei``, ``ucb`` or ``thompson``.
        bandit: shift the shares towards sources whose candidates turned out well.
        guidance_scale: strength of the condition.

    Raises:
        ConfigError: a size is not positive, the shares do not sum to 1, or a name is not known.
    """

    def __init__(
        self,
        *args: Any,
        warm_start: int = 8,
        round_size: int = 2,
        pool_size: int = 1000,
        shares: Sequence[float] = (0.2, 0.5, 0.3),
        elites: int = 10,
        quantile: float = 0.99,
        unlabelled: int = 2000,
        pretrain_steps: int = 100,
        refit_steps: int = 20,
        refit_every: int = 8,
        surrogate: Literal["gp", "forest", "stack", "none"] = "gp",
        acquisition: Acquisition = "ei",
        bandit: bool = False,
        guidance_scale: float = 2.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if min(warm_start, round_size, pool_size, elites, unlabelled, refit_every) < 1:
            raise ConfigError(
                "Expected positive sizes: warm_start, round_size, pool_size, elites, unlabelled, refit_every."
            )
        if len(shares) != 3 or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
            raise ConfigError(f"Expected three shares that sum to 1 (generator, mutation, random), got {shares}.")
        if surrogate not in ("gp", "forest", "stack", "none"):
            raise ConfigError(f"Expected surrogate gp, forest, stack or none, got {surrogate!r}.")
        if acquisition not in ACQUISITIONS:
            raise ConfigError(f"Expected acquisition {', '.join(ACQUISITIONS)}, got {acquisition!r}.")
        self.warm_start, self.round_size, self.pool_size = warm_start, round_size, pool_size
        self.shares, self.elites, self.quantile = tuple(shares), elites, quantile
        self.unlabelled, self.pretrain_steps = unlabelled, pretrain_steps
        self.refit_steps, self.refit_every = refit_steps, refit_every
        self.surrogate_kind, self.acquisition, self.guidance_scale = surrogate, acquisition, guidance_scale
        self.generator: DiffusionGenerator | None = None
        self._trials: list[Trial] = []
        self._round = 0
        self._queue: list[Proposal] = []  # ranked proposals of this round that were not asked for yet
        self._new = 0  # trials told since the round began
        self._asked_warm = 0
        self._drawn = Population.of(self.space.schema, [])  # the generator's samples since its last refit
        self._drawn_at = -refit_every  # labels when these were drawn
        self._credit = SourceCredit(self.shares, adaptive=bandit)
        self._figures = RoundFigures()

    @property
    def batch_size(self) -> int:
        """The whole warm start, then one round at a time."""
        return self.warm_start - self._asked_warm if self._asked_warm < self.warm_start else self.round_size

    def ask(self, n: int) -> list[Proposal]:
        """Random architectures during the warm start, then the best of this round's pool."""
        missing = self.warm_start - self._asked_warm
        if missing > 0 or sum(t.ok for t in self._trials) < 2:
            starts = self._random_unseen(min(n, max(missing, 1)))
            self._asked_warm += len(starts)
            return [Proposal(arch, Origin("random")) for arch in starts]
        if not self._queue or self._new >= self.round_size:
            self._queue = self._begin_round()
        chosen, self._queue = self._queue[:n], self._queue[n:]
        self.seen.update(p.arch.key for p in chosen)
        return chosen

    def tell(self, trials: Sequence[Trial]) -> None:
        """Keep the trials, note how well they were predicted, and credit their sources."""
        before = self.objectives.utilities(self._trials)
        self.seen.update(t.arch.key for t in trials)
        self._trials.extend(trials)
        self._new += len(trials)
        known = [t for t in trials if t.ok and t.arch.key in self._figures.expected]
        if known and np.isfinite(before).any():
            utility = self.objectives.utilities([*self._trials[: len(before)], *known])
            hits = self._figures.note([t.arch.key for t in known], utility[: len(before)], utility[len(before) :])
            self._credit.note([t.proposal.origin.source for t in known], hits)

    # ------------------------------------------------------------------ the algorithm

    def _begin_round(self) -> list[Proposal]:
        start = time.perf_counter()
        archs, utility = self._archive()
        surrogate = self._fit_surrogate(archs, utility)  # 1. what is good?
        fitted = time.perf_counter()
        self._refresh_samples(archs, utility)  # 2. what do good ones look like?
        sampled = time.perf_counter()
        pool, sources = self._draw_pool(archs, utility)  # 3. candidates
        pool, sources = self._drop_known(pool, sources)  # 4. new ones
        order = self._rank(surrogate, pool, utility)  # 5. rank
        self._round, self._new = self._round + 1, 0
        seconds = {"fit_s": fitted - start, "sample_s": sampled - fitted, "rank_s": time.perf_counter() - sampled}
        self._figures.record |= {"round": self._round, **seconds}
        return [Proposal(pool[int(i)], Origin(sources[int(i)], (), self._round)) for i in order]  # 6. propose

    def _archive(self) -> tuple[Population, FloatArray]:
        """Evaluated architectures and their utility, higher is better."""
        kept = [t for t in self._trials if t.ok]
        return Population.of(self.space.schema, [t.arch for t in kept]), self.objectives.utilities(kept)

    def _fit_surrogate(self, archs: Population, utility: FloatArray) -> Surrogate | None:
        if self.surrogate_kind == "none":
            return None
        from gennas.models.surrogate import ForestSurrogate, GPSurrogate, StackSurrogate

        surrogate: Surrogate
        match self.surrogate_kind:
            case "gp":
                surrogate = GPSurrogate()
            case "forest":
                surrogate = ForestSurrogate(seed=self._seed())
            case "stack":
                surrogate = StackSurrogate([GPSurrogate(), ForestSurrogate(seed=self._seed())])
        surrogate.fit(archs, utility)
        return surrogate

    def _refresh_samples(self, archs: Population, utility: FloatArray) -> None:
        """Refit the generator and draw anew, once enough labels are new."""
        if not self.shares[0] or len(archs) - self._drawn_at < self.refit_every:
            return
        from gennas.training._fitting import one_thread

        with one_thread():
            generator = self._generator()
            ranks = _ranks(utility)
            weights = np.asarray(1.0 / (0.05 * len(archs) + ranks.max() - ranks), dtype=np.float64)
            quality = (ranks + 0.5) / len(archs)
            generator.fit(archs, quality[:, None], weights, self.refit_steps, self._seed())
            count = round(self._credit.shares()[0] * self.pool_size)
            drawn = generator.sample(count, np.full((1, 1), self.quantile), seed=self._seed())
        self._note_samples(drawn)
        self._drawn, self._drawn_at = self.space.canonical(drawn), len(archs)

    def _generator(self) -> DiffusionGenerator:
        """The generator, made and pre-trained on unlabelled architectures when it is first needed."""
        if self.generator is None:
            self.generator = self._untrained()
            unlabelled = self.space.sample(self.unlabelled, self.rng)
            self.generator.fit(unlabelled, steps=self.pretrain_steps, seed=self._seed())
        return self.generator

    def _untrained(self) -> DiffusionGenerator:
        from gennas.training.generator import DiffusionGenerator, DiffusionSettings

        settings = DiffusionSettings(guidance_scale=self.guidance_scale)
        return DiffusionGenerator(self.space.schema, self.space.legal, 1, settings, self.seed)

    def _draw_pool(self, archs: Population, utility: FloatArray) -> tuple[Population, list[str]]:
        _, mutated, drawn = (round(share * self.pool_size) for share in self._credit.shares())
        best = np.argsort(-utility, kind="stable")[: self.elites]
        mutants = self.space.mutate(archs[self.rng.choice(best, size=mutated)], self.rng)
        once = mutated - mutated // 3
        twice = self.space.mutate(mutants[once:], self.rng)
        parts = [self._drawn, Population.concat([mutants[:once], twice]), self.space.sample(drawn, self.rng)]
        self._credit.offer([len(part) for part in parts])
        return Population.concat(parts), [n for n, part in zip(SOURCES, parts, strict=True) for _ in range(len(part))]

    def _drop_known(self, pool: Population, sources: list[str]) -> tuple[Population, list[str]]:
        _, first = np.unique(np.array(pool.keys), return_index=True)
        fresh = [int(i) for i in np.sort(first) if pool.keys[i] not in self.seen]
        if not fresh:
            rest = self._random_unseen(self.round_size)
            self.seen.difference_update(a.key for a in rest)
            return Population.of(self.space.schema, rest), ["random"] * len(rest)
        return pool[np.array(fresh)], [sources[i] for i in fresh]

    def _rank(self, surrogate: Surrogate | None, pool: Population, utility: FloatArray) -> NDArray[np.intp]:
        """Candidates to propose, in order, with what is expected of them kept for the figures."""
        if surrogate is None or not len(pool):
            self._figures.expect({})
            return np.arange(min(self.round_size, len(pool)))
        from gennas.models.surrogate import normal_scores

        best = float(normal_scores(utility).max())
        order, mean, std = choose_batch(surrogate, pool, best, self.round_size, self.acquisition, self.rng)
        spread = np.sqrt(std**2 + surrogate.noise)
        self._figures.expect({pool.keys[i]: (float(mean[i]), float(spread[i])) for i in order})
        return order

    # ------------------------------------------------------------------ figures, seeds, state

    def _note_samples(self, drawn: Population) -> None:
        """Validity, uniqueness among valid, novelty among unique ones of what the generator drew."""
        valid = drawn[self.space.is_valid(drawn)] if len(drawn) else drawn
        keys = set(self.space.canonical(valid).keys) if len(valid) else set()
        self._figures.record |= {
            "refits": self._figures.record.get("refits", 0) + 1,
            "validity": len(valid) / max(1, len(drawn)),
            "uniqueness": len(keys) / max(1, len(valid)),
            "novelty": len(keys - self.seen) / max(1, len(keys)),
        }

    def records(self) -> dict[str, float]:
        """Figures of the last finished round, see ``docs/generative.md``."""
        return dict(self._figures.record) if "hit_rate" in self._figures.record else {}

    def _seed(self) -> int:
        return int(self.rng.integers(2**31))

    def state_dict(self) -> dict[str, Any]:
        """Everything told, the generator's weights and samples, remaining proposals, the random state."""
        state = super().state_dict()
        state["trials"] = [_pack_trial(t) for t in self._trials]
        state["queue"] = [
            {"arch": p.arch.decisions.tolist(), "source": p.origin.source, "round": p.origin.round} for p in self._queue
        ]
        state["counters"] = [self._round, self._new, self._asked_warm, self._drawn_at]
        state["drawn"] = self._drawn.decisions
        state["credit"], state["figures"] = self._credit.state_dict(), self._figures.state_dict()
        if self.generator is not None:
            weights = self.generator.pipeline.denoiser.state_dict()
            state["generator"] = {name: tensor.cpu().numpy() for name, tensor in weights.items()}
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore everything, so that the search goes on as if it had not stopped."""
        super().load_state_dict(state)
        self._trials = [self._unpack_trial(record) for record in state["trials"]]
        self._queue = [
            Proposal(self._arch(record), Origin(record["source"], (), record["round"])) for record in state["queue"]
        ]
        self._round, self._new, self._asked_warm, self._drawn_at = state["counters"]
        self._drawn = Population.from_decisions(self.space.schema, state["drawn"])
        self._credit.load_state_dict(state["credit"])
        self._figures.load_state_dict(state["figures"])
        if "generator" in state:
            import torch

            self.generator = self._untrained()
            weights = {name: torch.from_numpy(array.copy()) for name, array in state["generator"].items()}
            self.generator.pipeline.denoiser.load_state_dict(weights)

    def _arch(self, record: Mapping[str, Any]) -> Architecture:
        return self.space.architecture(np.array(record["arch"]))

    def _unpack_trial(self, record: Mapping[str, Any]) -> Trial:
        return Trial(Proposal(self._arch(record), Origin("restored")), record["status"], record["metrics"])


def _pack_trial(trial: Trial) -> dict[str, Any]:
    return {"arch": trial.arch.decisions.tolist(), "metrics": dict(trial.metrics), "status": trial.status}


def _ranks(values: FloatArray) -> FloatArray:
    """Average rank of each value, from 0."""
    from scipy.stats import rankdata

    ranks: FloatArray = rankdata(values) - 1
    return ranks
