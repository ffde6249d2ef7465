"""Sampling architectures: guidance, few-step denoising, and a last step that decodes legally."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from diffusers import DiffusionPipeline
from numpy.typing import NDArray
from torch import Tensor

from gennas.errors import ConfigError
from gennas.graph import GraphSchema, Population
from gennas.models.base import FloatArray, Legality
from gennas.models.checkpoints import checkpoint_errors, complete
from gennas.models.diffusion.base import Denoiser
from gennas.models.diffusion.decoding import REPAIR, decode
from gennas.models.diffusion.denoiser import GraphDenoiser
from gennas.models.diffusion.dense_denoiser import DenseDenoiser
from gennas.models.diffusion.scheduler import CategoricalScheduler
from gennas.models.diffusion.unmasking import masked_bound, revealed_share, unmask
from gennas.models.guidance import guided
from gennas.models.schema import check_schema
from gennas.models.tensors import condition_tensor, decision_tensor

__all__ = ["ArchitectureDiffusionPipeline"]

_TOKENS = 4096
_SURE = 30.0
_NETWORKS: dict[str, type[Denoiser]] = {"GraphDenoiser": GraphDenoiser, "DenseDenoiser": DenseDenoiser}


class ArchitectureDiffusionPipeline(DiffusionPipeline):  # type: ignore[misc]
    r"""Draws architectures from a denoiser under a :class:`CategoricalScheduler`.

    Guidance is classifier-free (Ho and Salimans 2022, arXiv 2207.12598):
    :math:`\ell = \ell_\emptyset + w\,(\ell_c - \ell_\emptyset)` on the logits, which at ``w = 1`` is the
    plain conditional model and costs one network call instead of two.

    A :class:`DenseDenoiser` that does not see the time is sampled, under the absorbing kernel, by
    :mod:`gennas.models.diffusion.unmasking`, which gives the same distribution at a fraction of the time.

    Args:
        denoiser: the network, which also knows the schema.
        scheduler: the kernel and its times.

    Example:
        >>> import numpy as np, torch
        >>> from gennas.graph import GraphSchema
        >>> edges = np.zeros((2, 2, 2), dtype=bool)
        >>> edges[..., 0] = edges[0, 1, 1] = True
        >>> schema = GraphSchema("two", ("a", "b"), ("none", "e"), np.ones((2, 2), dtype=bool), edges)
        >>> pipeline = ArchitectureDiffusionPipeline(GraphDenoiser.for_schema(schema), CategoricalScheduler())
        >>> pipeline(5, generator=torch.Generator().manual_seed(0)).decisions.shape
        (5, 3)
    """

    def __init__(self, denoiser: Denoiser, scheduler: CategoricalScheduler) -> None:
        super().__init__()
        self.register_modules(denoiser=denoiser, scheduler=scheduler)

    @property
    def schema(self) -> GraphSchema:
        """The schema of the architectures drawn."""
        return cast(GraphSchema, self.denoiser.schema)

    @torch.inference_mode()
    def __call__(
        self,
        n: int,
        conditions: FloatArray | None = None,
        guidance_scale: float | FloatArray = 2.0,
        num_steps: int = 8,
        generator: torch.Generator | None = None,
        legal: Legality | None = None,
        fixed: NDArray[np.integer] | None = None,
        temperature: float = 1.0,
        guidance_interval: tuple[float, float] = (0.0, 1.0),
        start: tuple[Tensor, Tensor] | None = None,
        on_step: Callable[[Tensor, int], None] | None = None,
    ) -> Population:
        """Draw ``n`` architectures.

        Args:
            n: how many.
            conditions: ``(c,)`` for all of them or ``(n, c)``, NaN for "any"; None: unconditional.
            guidance_scale: ``w``, one for all or ``(n,)``; 1 is plain conditional sampling, 0 ignores
                the conditions.
            num_steps: denoising steps, at most the scheduler's ``T``.
            generator: source of randomness.
            legal: legality of the space; with it every architecture is valid by construction.
            fixed: decisions to keep, ``(d,)`` or ``(n, d)``, -1 where free (inpainting).
            temperature: divides the guided logits; above 1 samples are more diverse.
            guidance_interval: times, as parts of ``T``, between which the guidance is not 1 (Kynkäänniemi
                et al. 2024, arXiv 2404.07724).
            start: corrupted decisions ``(n, d)`` and the sampler's times ``(n,)`` that they belong to, to
                begin there instead of at noise (:meth:`renoise`).
            on_step: called with ``x_t (n, d)`` and ``t`` before each step.

        Raises:
            ConfigError: shapes do not fit, or fixed decisions that no legal architecture has.
        """
        c, w = self._conditions(n, conditions), self._scales(n, guidance_scale)
        known = self._fixed(n, fixed)
        # 1. Start from the stationary distribution, or where asked to.
        pi = self.scheduler.stationary(self.denoiser.mask)
        x, begin = start or (self.scheduler.prior(n, pi, generator), torch.full((n,), self.scheduler.num_steps))
        begin = begin.to(pi.device)
        low, high = (self.scheduler.num_steps * part for part in guidance_interval)

        def predicted(x: Tensor, t: int, rows: Tensor, predict: Callable[..., Tensor]) -> Tensor:
            strength = w[rows] if low <= t <= high else w[rows].clamp_max(1)
            return predict(x, t, c if c is None else c[rows], strength) / temperature

        # 2. Denoise, all but the last step.
        labels = None
        if self._reveals:
            network, dense = partial(predicted, predict=self._compact), cast(DenseDenoiser, self.denoiser)
            p = unmask(dense, self.scheduler, network, x, begin, known, num_steps, generator, on_step)
            labels = dense.labels.cpu().numpy()
        else:
            network = partial(predicted, predict=self.predict)
            p = self._denoise(network, x, begin, known, pi, num_steps, generator, on_step)
        # 3. In the last step: decode slot by slot, each among what is legal after the ones before.
        weights, fixed = p.cpu().double().numpy(), known.cpu().numpy()
        D = decode(weights, fixed, self.schema, legal, generator, self.denoiser.device, labels)
        return Population.from_decisions(self.schema, D)

    def _denoise(
        self,
        predictor: Callable[[Tensor, int, Tensor], Tensor],
        x: Tensor,
        begin: Tensor,
        known: Tensor,
        pi: Tensor,
        num_steps: int,
        generator: torch.Generator | None,
        on_step: Callable[[Tensor, int], None] | None,
    ) -> Tensor:
        """Weights ``(n, d, L)`` from which the last step decodes, whatever kernel and network."""
        # A row that no step predicts (begun at time 0) is as sure as can be of what it is.
        logits = _SURE * torch.nn.functional.one_hot(x, pi.shape[1])[..., :-1].float()
        stale = torch.ones(len(x), dtype=torch.bool, device=pi.device)
        for t, s in self.scheduler.timesteps_for(num_steps):
            # 1. Clamp what is known.
            x = torch.where(known >= 0, known, x)
            if on_step is not None:
                on_step(x, t)
            # 2. Predict the clean architecture, guided by the conditions, where anything changed.
            begun = begin >= t
            todo = stale & begun
            logits[todo] = predictor(x[todo], t, todo)
            p0 = self.scheduler.clean(logits, x, t, pi)
            # 3. Until the last step: draw x_s from p(x_s | x_t).
            if s > 0:
                before, x = x, torch.where(begun[:, None], self.scheduler.step(p0, x, s, t, pi, generator), x)
                stale = self._stale(before, x) | ~begun
        # 4. A label that turns out illegal gives way to what the other slots speak for.
        return cast(Tensor, p0 + REPAIR * logits.softmax(-1))

    # ------------------------------------------------------------------ variation

    def renoise(
        self,
        archs: Population,
        strength: float | FloatArray,
        *,
        keep: NDArray[np.bool_] | None = None,
        num_steps: int = 8,
        generator: torch.Generator | None = None,
        **settings: Any,
    ) -> Population:
        r"""Mutants: each architecture noised up to an intermediate time and denoised again, ``(n,)``.

        .. math:: x_t \sim q(x_t \mid x_0 = a), \quad a' \sim p_\theta(x_0 \mid x_t), \quad t = T \cdot strength

        Strength 0 returns the architectures (an illegal one with its first illegal decisions redrawn),
        strength 1 draws without them. Under the absorbing kernel a decision is masked with probability
        :math:`1 - \bar\alpha_t = \sin^2(\pi\,strength / 2)`. Every mutant is legal; it may equal its
        parent. The idea is that of SDEdit (Meng et al. 2022, arXiv 2108.01073).

        Args:
            archs: the parents.
            strength: in [0, 1], one for all or ``(n,)``; rounded to a multiple of ``1 / num_steps``.
            keep: decisions that stay whatever the noise, ``(d,)`` or ``(n, d)``, True to keep.
            num_steps: steps from noise (strength 1) to an architecture; a mutant takes its part of them.
            generator: source of randomness.
            settings: ``conditions``, ``guidance_scale``, ``legal``, ``temperature``, ... of :meth:`__call__`.

        Raises:
            ConfigError: shapes or strengths do not fit, or no legal architecture has what is kept.

        Example:
            >>> import numpy as np, torch
            >>> from gennas.spaces import NASBench201
            >>> space = NASBench201()
            >>> denoiser = GraphDenoiser.for_schema(space.schema)
            >>> pipeline = ArchitectureDiffusionPipeline(denoiser, CategoricalScheduler())
            >>> parents = space.sample(3, np.random.default_rng(0))
            >>> pipeline.renoise(parents, 0.5, legal=space.legal).decisions.shape
            (3, 6)
            >>> pipeline.renoise(parents, 0.0, legal=space.legal).keys == parents.keys
            True
        """
        check_schema(self.schema, archs.schema)
        n, d = archs.decisions.shape
        if keep is not None and np.shape(keep) not in {(d,), (n, d)}:
            raise ConfigError(f"Expected decisions to keep ({d},) or ({n}, {d}), got {np.shape(keep)}.")
        x0 = decision_tensor(archs, self.denoiser.device)
        t = self._times(n, strength, num_steps).to(x0.device)
        x = self.scheduler.add_noise(x0, t, self.scheduler.stationary(self.denoiser.mask), generator)
        fixed = None if keep is None else np.where(keep, archs.decisions, -1)
        return self(n, num_steps=num_steps, generator=generator, fixed=fixed, start=(x, t), **settings)

    def recombine(
        self,
        a: Population,
        b: Population,
        strength: float | FloatArray,
        *,
        generator: torch.Generator | None = None,
        **settings: Any,
    ) -> Population:
        """Children: what both parents have is kept, the rest comes from either or is filled in by the model.

        Where ``a`` and ``b`` differ, a decision is taken from one of them at random and then re-noised
        with ``strength`` (:meth:`renoise`, which also explains the other arguments): at 0 this is
        uniform crossover with repair, at 1 the model completes the parents' common part.
        """
        check_schema(self.schema, b.schema)
        if len(a) != len(b):
            raise ConfigError(f"Expected as many first as second parents, got {len(a)} and {len(b)}.")
        coin = torch.rand(a.decisions.shape, generator=generator, device=self.denoiser.device).cpu().numpy() < 0.5
        mixed = Population.from_decisions(self.schema, np.where(coin, a.decisions, b.decisions))
        keep = a.decisions == b.decisions
        return self.renoise(mixed, strength, keep=keep, generator=generator, **settings)

    def _times(self, n: int, strength: float | FloatArray, num_steps: int) -> Tensor:
        """The sampler's times nearest to strengths, ``(n,)``."""
        values = np.asarray(strength, dtype=np.float64)
        if values.shape not in {(), (n,)} or not ((values >= 0) & (values <= 1)).all():
            raise ConfigError(f"Expected one strength in [0, 1] or ({n},) of them, got {strength}.")
        grid = np.array([0, *(t for t, _ in reversed(self.scheduler.timesteps_for(num_steps)))])
        return torch.from_numpy(grid[np.rint(np.broadcast_to(values, (n,)) * num_steps).astype(int)])

    # ------------------------------------------------------------------ the parts of it

    @property
    def _reveals(self) -> bool:
        """Whether a slot keeps what it shows, and is predicted without the time."""
        dense = isinstance(self.denoiser, DenseDenoiser) and not self.denoiser.timed
        return bool(dense and self.scheduler.kernel == "absorbing")

    def predict(self, x: Tensor, t: int, conditions: Tensor | None, guidance_scale: float | Tensor = 1.0) -> Tensor:
        """Guided logits at time ``t``, ``(b, d, L)``; equal rows are computed once.

        ``guidance_scale`` is one number or ``(b,)``.
        """
        if not len(x):
            return torch.zeros(0, *self.denoiser.mask.shape, device=x.device)
        return self._guided(partial(self._network, t=t), x, conditions, guidance_scale)

    def _compact(self, x: Tensor, t: int, conditions: Tensor | None, guidance_scale: float | Tensor = 1.0) -> Tensor:
        """Guided logits of a dense network as it numbers labels, ``(b, d, K)``."""
        network = cast(DenseDenoiser, self.denoiser).compact
        time = torch.full((2 * len(x),), t / self.scheduler.num_steps, device=x.device)

        def logits(x: Tensor, conditions: Tensor | None) -> Tensor:
            with torch.autocast(x.device.type, torch.bfloat16, enabled=x.device.type == "cuda"):
                return network(x, time[: len(x)], conditions).float()

        return self._guided(logits, x, conditions, guidance_scale)

    def _guided(
        self,
        network: Callable[..., Tensor],
        x: Tensor,
        conditions: Tensor | None,
        guidance_scale: float | Tensor,
    ) -> Tensor:
        """What ``network(x, conditions=…)`` says with and without conditions, in one call, combined."""
        w = torch.as_tensor(guidance_scale, dtype=torch.float32, device=x.device).expand(len(x))
        if conditions is None or not w.any():
            return network(x, conditions=None)
        if (w == 1).all():
            return network(x, conditions=conditions)
        both = network(x.repeat(2, 1), conditions=torch.cat([conditions, torch.full_like(conditions, torch.nan)]))
        with_c, without = both.chunk(2)
        return guided(with_c, without, w.reshape(-1, 1, 1))

    def _network(self, x: Tensor, conditions: Tensor | None, t: int) -> Tensor:
        """The denoiser's logits; equal rows are computed once, on a CPU a few at a time to stay in its cache."""
        rows = x.float() if conditions is None else torch.cat([x, conditions.nan_to_num(-1.0)], 1)
        rows, inverse = torch.unique(rows, dim=0, return_inverse=True)
        size = max(1, _TOKENS // x.shape[1]) if x.device.type == "cpu" else max(1, len(rows))
        logits, mixers = [], self.denoiser.mixers()
        with torch.autocast(x.device.type, torch.bfloat16, enabled=x.device.type == "cuda"):
            for part in rows.split(size):
                c = part[:, x.shape[1] :]
                time = torch.full((len(part),), t / self.scheduler.num_steps, device=x.device)
                known = None if conditions is None else c.where(c >= 0, torch.nan)
                logits.append(self.denoiser(part[:, : x.shape[1]].long(), time, known, mixers).float())
        return torch.cat(logits)[inverse]

    def _stale(self, before: Tensor, x: Tensor) -> Tensor:
        """Which rows a step made the last prediction useless for, ``(b,)``.

        A network that does not see the time predicts the same for the same labels, and under the
        absorbing kernel nothing is left to predict where no slot is absorbed.
        """
        if self.denoiser.timed or self.scheduler.kernel != "absorbing":
            return torch.ones(len(x), dtype=torch.bool, device=x.device)
        return (x != before).any(1) & (x == self.schema.num_symbols).any(1)

    def _scales(self, n: int, guidance_scale: float | FloatArray) -> Tensor:
        values = np.asarray(guidance_scale, dtype=np.float32)
        if values.shape not in {(), (n,)}:
            raise ConfigError(f"Expected one guidance scale or ({n},), got {values.shape}.")
        return torch.from_numpy(np.broadcast_to(values, (n,)).copy()).to(self.denoiser.device)

    def _conditions(self, n: int, conditions: FloatArray | None) -> Tensor | None:
        if conditions is None:
            return None
        return condition_tensor(conditions, n, self.denoiser.num_conditions, self.denoiser.device)

    def _fixed(self, n: int, fixed: NDArray[np.integer] | None) -> Tensor:
        d = self.schema.num_decisions
        values = np.full((1, d), -1) if fixed is None else np.atleast_2d(fixed)
        if values.shape not in {(1, d), (n, d)}:
            raise ConfigError(f"Expected fixed decisions ({d},) or ({n}, {d}), got {values.shape}.")
        fits = values < self.schema.num_symbols
        allowed = self.schema.decision_mask[np.arange(d), np.where(fits, values, 0)]
        if not (fits & ((values < 0) | allowed)).all():
            raise ConfigError(f"{self.schema.name}: a fixed decision has a label that its slot does not allow.")
        return torch.from_numpy(np.broadcast_to(values, (n, d)).astype(np.int64)).to(self.denoiser.device)

    # ------------------------------------------------------------------ likelihood

    @torch.inference_mode()
    def elbo(
        self,
        archs: Population,
        conditions: FloatArray | None = None,
        num_steps: int | None = None,
        generator: torch.Generator | None = None,
    ) -> FloatArray:
        r"""Unbiased estimate of an upper bound on :math:`-\log p(a)` for each architecture, in nats, ``(b,)``.

        The bound is that of the sampler with ``num_steps`` steps (all ``T`` by default), without
        guidance and before legality narrows the last step; one draw of ``x_t`` for every step.
        """
        check_schema(self.schema, archs.schema)
        x0 = decision_tensor(archs, self.denoiser.device)
        c = self._conditions(len(x0), conditions)
        pi = self.scheduler.stationary(self.denoiser.mask).double()
        bound = torch.zeros(len(x0), dtype=torch.float64, device=x0.device)
        for t, s in self.scheduler.timesteps_for(num_steps or self.scheduler.num_steps):
            x_t = self.scheduler.add_noise(x0, t, pi, generator)
            if self._reveals:
                dense, share = cast(DenseDenoiser, self.denoiser), revealed_share(self.scheduler, t, s)
                bound += masked_bound(self._compact(x_t, t, c), x0, x_t, share, dense)
                continue
            p0 = self.scheduler.clean(self.predict(x_t, t, c).double(), x_t, t, pi)
            bound += self.scheduler.bound_term(p0, x0, x_t, s, t, pi)
        return cast(FloatArray, bound.cpu().numpy())

    # ------------------------------------------------------------------ files

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | Path, schema: GraphSchema | None = None
    ) -> ArchitectureDiffusionPipeline:
        """Read a pipeline from the directory that ``save_pretrained`` wrote; nothing is downloaded.

        Args:
            pretrained_model_name_or_path: the directory.
            schema: if given, the model must be one of this schema.

        Raises:
            CheckpointError: no such directory, unreadable files, or another schema.
        """
        folder = Path(pretrained_model_name_or_path)
        with checkpoint_errors(folder, "model_index.json"):
            config = GraphDenoiser.load_config(folder / "denoiser", local_files_only=True)
            network = _NETWORKS[config["_class_name"]]
            denoiser = network.from_config(config)
            if schema is not None:
                check_schema(denoiser.schema, schema)
            loaded = network.from_pretrained(
                folder / "denoiser", local_files_only=True, low_cpu_mem_usage=False, use_safetensors=True,
                output_loading_info=True,
            )  # fmt: skip
            denoiser = complete(loaded, folder / "denoiser")
            scheduler = CategoricalScheduler.from_pretrained(folder / "scheduler", local_files_only=True)
        return cls(denoiser, scheduler)
