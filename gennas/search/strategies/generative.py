"""Generative search: a graph diffusion model learns the good architectures and proposes new ones.

The loop is DESIGN's: represent, learn, propose, evaluate, refit. What it absorbs: discrete graph
diffusion (Vignac et al. 2023, DiGress, arXiv 2209.14734) with classifier-free guidance (Ho and
Salimans 2022, arXiv 2207.12598) on quantiles of the objective, rank-weighted retraining (Tripp et
al. 2020, arXiv 2006.09191; Lukasik et al. 2022, AG-Net, arXiv 2203.08734), and expected improvement
of a surrogate as filter (Jones et al. 1998).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.graph import Architecture, Population
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

    A round: (1) fit the surrogate to the archive; (2) refit the generator, better architectures
    more often, from the weights of the last round; (3) draw a pool from the generator under a high
    quantile, from mutations of the best, and from the space; (4) drop what is known; (5) rank by
    expected improvement; (6) propose the first ``round_size``. Before the first round ``warm_start``
    random architectures are evaluated, and the generator sees ``unlabelled`` random architectures of
    the space, which costs no label. Every evaluation counts towards the budget.

    Args:
        space: where to search.
        objectives: what is better.
        seed: seed of every random decision.
        warm_start: random architectures evaluated before the first round.
        round_size: proposals per round.
        pool_size: candidates that are ranked in each round.
        shares: parts of the pool drawn from the generator, mutations of the best, and the space.
        elites: how many of the best are mutated.
        quantile: quality asked of the generator, in [0, 1].
        unlabelled: random architectures that the generator is pre-trained on.
        pretrain_steps: optimiser steps of this pre-training.
        refit_steps: optimiser steps of each refit.
        surrogate: ``gp``, ``forest``, or ``none`` (the pool's own order decides).
        guidance_scale: strength of the condition.

    Raises:
        ConfigError: a size is not positive, or the shares do not sum to 1.
    """

    def __init__(
        self,
        *args: Any,
        warm_start: int = 16,
        round_size: int = 5,
        pool_size: int = 400,
        shares: Sequence[float] = (0.5, 0.4, 0.1),
        elites: int = 10,
        quantile: float = 0.99,
        unlabelled: int = 2000,
        pretrain_steps: int = 100,
        refit_steps: int = 20,
        surrogate: Literal["gp", "forest", "none"] = "gp",
        guidance_scale: float = 2.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if min(warm_start, round_size, pool_size, elites, unlabelled) < 1:
            raise ConfigError("Expected positive sizes: warm_start, round_size, pool_size, elites, unlabelled.")
        if len(shares) != 3 or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
            raise ConfigError(f"Expected three shares that sum to 1 (generator, mutation, random), got {shares}.")
        if surrogate not in ("gp", "forest", "none"):
            raise ConfigError(f"Expected surrogate gp, forest or none, got {surrogate!r}.")
        self.warm_start, self.round_size, self.pool_size = warm_start, round_size, pool_size
        self.shares, self.elites, self.quantile = tuple(shares), elites, quantile
        self.unlabelled, self.pretrain_steps, self.refit_steps = unlabelled, pretrain_steps, refit_steps
        self.surrogate_kind, self.guidance_scale = surrogate, guidance_scale
        self.generator: DiffusionGenerator | None = None
        self._trials: list[Trial] = []
        self._round = 0
        self._queue: list[Proposal] = []  # ranked proposals of this round that were not asked for yet
        self._new = 0  # trials told since the round began
        self._asked_warm = 0
        self._record: dict[str, float] = {}
        self._expected: dict[str, float] = {}  # surrogate means of this round's proposals

    @property
    def batch_size(self) -> int:
        """The whole warm start, then one round at a time."""
        return self.warm_start - self._asked_warm if self._asked_warm < self.warm_start else self.round_size

    def ask(self, n: int) -> list[Proposal]:
        """Random architectures during the warm start, then the best of this round's pool."""
        missing = self.warm_start - self._asked_warm
        if missing > 0 or not any(t.ok for t in self._trials):
            starts = self._random_unseen(min(n, max(missing, 1)))
            self._asked_warm += len(starts)
            return [Proposal(arch, Origin("random")) for arch in starts]
        if not self._queue or self._new >= self.round_size:
            with _one_thread():
                self._queue = self._begin_round()
        chosen, self._queue = self._queue[:n], self._queue[n:]
        self.seen.update(p.arch.key for p in chosen)
        return chosen

    def tell(self, trials: Sequence[Trial]) -> None:
        """Keep the trials, and close the round's record once its proposals are back."""
        before = self.objectives.utilities(self._trials)
        self.seen.update(t.arch.key for t in trials)
        self._trials.extend(trials)
        self._new += len(trials)
        self._figures(trials, before)

    # ------------------------------------------------------------------ the algorithm

    def _begin_round(self) -> list[Proposal]:
        start = time.perf_counter()
        archs, quality = self._archive()
        surrogate = self._fit_surrogate(archs, quality)  # 1. what is good?
        generator = self._refit_generator(archs, quality)  # 2. what do good ones look like?
        fitted = time.perf_counter()
        pool, sources = self._draw_pool(generator, archs, quality)  # 3. candidates
        pool, sources = self._drop_known(pool, sources)  # 4. new ones
        score, mean = self._acquisition(surrogate, pool, quality)  # 5. rank
        order = np.argsort(-score, kind="stable")[: self.round_size]  # 6. propose the first few
        self._round, self._new = self._round + 1, 0
        self._record |= {"round": self._round, "fit_s": fitted - start, "sample_s": time.perf_counter() - fitted}
        self._expected = {pool.keys[i]: float(mean[i]) for i in order}
        return [Proposal(pool[int(i)], Origin(sources[int(i)], (), self._round)) for i in order]

    def _archive(self) -> tuple[Population, FloatArray]:
        """Evaluated architectures and their quality: the quantile of their utility, in [0, 1]."""
        kept = [t for t in self._trials if t.ok]
        utility = self.objectives.utilities(kept)
        quality: FloatArray = (_ranks(utility) + 0.5) / len(kept)
        return Population.of(self.space.schema, [t.arch for t in kept]), quality

    def _fit_surrogate(self, archs: Population, quality: FloatArray) -> Surrogate | None:
        if self.surrogate_kind == "none":
            return None
        from gennas.models.surrogate import ForestSurrogate, GPSurrogate

        surrogate = GPSurrogate() if self.surrogate_kind == "gp" else ForestSurrogate(seed=self._seed())
        surrogate.fit(archs, self.objectives.utilities([t for t in self._trials if t.ok]))
        return surrogate

    def _refit_generator(self, archs: Population, quality: FloatArray) -> DiffusionGenerator:
        generator = self._generator()
        worse = np.argsort(np.argsort(-quality))  # 0 for the best
        weights = np.asarray(1.0 / (0.05 * len(archs) + worse), dtype=np.float64)
        generator.fit(archs, quality[:, None], weights, self.refit_steps, self._seed())
        return generator

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

    def _draw_pool(
        self, generator: DiffusionGenerator, archs: Population, quality: FloatArray
    ) -> tuple[Population, list[str]]:
        counts = [round(share * self.pool_size) for share in self.shares]
        drawn = generator.sample(counts[0], np.full((1, 1), self.quantile), seed=self._seed())
        self._note_samples(drawn)
        best = np.argsort(-quality, kind="stable")[: self.elites]
        parents = archs[self.rng.choice(best, size=counts[1])]
        mutants = self.space.mutate(parents, self.rng)
        parts = [self.space.canonical(drawn), mutants, self.space.sample(counts[2], self.rng)]
        names = ("diffusion", "mutation", "random")
        return Population.concat(parts), [n for n, part in zip(names, parts, strict=True) for _ in range(len(part))]

    def _drop_known(self, pool: Population, sources: list[str]) -> tuple[Population, list[str]]:
        _, first = np.unique(np.array(pool.keys), return_index=True)
        fresh = [int(i) for i in np.sort(first) if pool.keys[i] not in self.seen]
        if not fresh:
            rest = self._random_unseen(self.round_size)
            self.seen.difference_update(a.key for a in rest)
            return Population.of(self.space.schema, rest), ["random"] * len(rest)
        return pool[np.array(fresh)], [sources[i] for i in fresh]

    def _acquisition(
        self, surrogate: Surrogate | None, pool: Population, quality: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Expected improvement over the best told, and the predicted mean, each ``(b,)``."""
        if surrogate is None or not len(pool):
            return -np.arange(len(pool), dtype=np.float64), np.zeros(len(pool))
        from scipy.stats import norm

        mean, std = surrogate.predict(pool)
        archs, _ = self._archive()
        best = surrogate.predict(archs)[0].max()
        z = (mean - best) / np.maximum(std, 1e-9)
        return std * (z * norm.cdf(z) + norm.pdf(z)), mean

    # ------------------------------------------------------------------ figures, seeds, state

    def _note_samples(self, drawn: Population) -> None:
        """Validity, uniqueness among valid, novelty among unique ones of what the generator drew."""
        valid = drawn[self.space.is_valid(drawn)] if len(drawn) else drawn
        keys = set(self.space.canonical(valid).keys) if len(valid) else set()
        self._record = {
            "validity": len(valid) / max(1, len(drawn)),
            "uniqueness": len(keys) / max(1, len(valid)),
            "novelty": len(keys - self.seen) / max(1, len(keys)),
        }

    def _figures(self, trials: Sequence[Trial], before: FloatArray) -> None:
        known = [t for t in trials if t.ok and t.arch.key in self._expected]
        if not known or not np.isfinite(before).any():
            return
        utility = self.objectives.utilities([*self._trials[: len(before)], *known])
        threshold = np.quantile(utility[: len(before)], 0.9)
        fresh = utility[len(before) :]
        self._record["hit_rate"] = float((fresh > threshold).mean())
        if len(known) > 2:
            from scipy.stats import kendalltau

            tau = kendalltau([self._expected[t.arch.key] for t in known], fresh).statistic
            self._record["surrogate_tau"] = float(tau) if np.isfinite(tau) else 0.0

    def records(self) -> dict[str, float]:
        """Figures of the last finished round: validity, uniqueness, novelty, hit rate, seconds."""
        return dict(self._record) if "hit_rate" in self._record else {}

    def _seed(self) -> int:
        return int(self.rng.integers(2**31))

    def state_dict(self) -> dict[str, Any]:
        """Everything told, the generator's weights, this round's remaining proposals, the random state."""
        state = super().state_dict()
        state["trials"] = [_pack_trial(t) for t in self._trials]
        state["queue"] = [
            {"arch": p.arch.decisions.tolist(), "source": p.origin.source, "round": p.origin.round} for p in self._queue
        ]
        state["counters"] = [self._round, self._new, self._asked_warm]
        state["record"], state["expected"] = self._record, self._expected
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
        self._round, self._new, self._asked_warm = state["counters"]
        self._record, self._expected = dict(state["record"]), dict(state["expected"])
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


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run small networks on one thread: faster for them, and equal on every number of cores."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
