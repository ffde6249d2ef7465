"""Fitting generative models: the diffusion model on an archive, the encoder without labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gennas.errors import ConfigError, shown
from gennas.generators.base import NetworkGenerator
from gennas.generators.encoder import pretrain_encoder
from gennas.generators.fitting import descend, drop_conditions, training_tensors
from gennas.graph import GraphSchema, Population
from gennas.models.base import FloatArray, Legality
from gennas.models.diffusion import (
    ArchitectureDiffusionPipeline,
    CategoricalScheduler,
    Denoiser,
    DenseDenoiser,
    GraphDenoiser,
)
from gennas.models.schema import check_schema

__all__ = ["DiffusionGenerator", "DiffusionSettings", "fit_diffusion", "pretrain_encoder"]


def fit_diffusion(
    denoiser: Denoiser,
    scheduler: CategoricalScheduler,
    decisions: NDArray[np.integer],
    conditions: FloatArray | None = None,
    weights: FloatArray | None = None,
    steps: int = 100,
    batch_size: int | None = None,
    lr: float | None = None,
    cond_dropout: float = 0.15,
    seed: int = 0,
) -> FloatArray:
    """Train a denoiser in place, from whatever weights it has, and return the loss of every step.

    Each step draws architectures in proportion to ``weights``, stratified times, one corruption
    each, and descends the cross-entropy of the clean labels, averaged over an architecture's
    corrupted slots (absorbing kernel) or over all slots (uniform kernel), with AdamW and a learning
    rate that warms up over a tenth of the steps and falls as a cosine. Every condition is dropped
    independently with probability ``cond_dropout``, and all of them together as often, for
    classifier-free guidance over any subset.

    Shapes: ``decisions (b, d)``, ``conditions (b, c)`` with NaN for unknown, ``weights (b,)``. The default of
    ``batch_size`` and of ``lr`` is what suits the denoiser.

    Raises:
        ConfigError: no architectures, or shapes that do not fit.
    """
    x0, c, w = _training_tensors(denoiser, decisions, conditions, weights)
    pi = scheduler.stationary(denoiser.mask)

    def loss(batch: tuple[Tensor, ...]) -> Tensor:
        clean, x_t, t, known = (part.to(pi.device) for part in batch)
        absorbed = x_t == pi.shape[1] - 1
        with torch.autocast(pi.device.type, torch.bfloat16, enabled=pi.device.type == "cuda"):
            if compact is not None:  # labels as the network numbers them
                clean, logits = (
                    compact.column.gather(1, clean.T).T,
                    compact.compact(x_t, t / scheduler.num_steps, known),
                )
                return _denoising_loss(logits.float(), clean, absorbed)
            logits = denoiser(x_t, t / scheduler.num_steps, known)
        return _denoising_loss(scheduler.evident(logits.float(), x_t, t, pi), clean, absorbed)

    compact = denoiser if isinstance(denoiser, DenseDenoiser) and scheduler.kernel == "absorbing" else None
    size = denoiser.batch_size if batch_size is None else batch_size
    batches = _batches(x0, c, w, scheduler, pi.cpu(), steps, size, cond_dropout, seed)
    return descend(denoiser, batches, loss, steps, denoiser.lr if lr is None else lr)


def _batches(
    x0: Tensor,
    conditions: Tensor,
    weights: Tensor,
    scheduler: CategoricalScheduler,
    pi: Tensor,
    steps: int,
    batch_size: int,
    cond_dropout: float,
    seed: int,
) -> Iterator[tuple[Tensor, ...]]:
    """Clean and corrupted labels, times and conditions of every step, drawn for many steps at once."""
    generator = torch.Generator().manual_seed(seed)
    for start in range(0, steps, _STEPS_AT_ONCE):
        k = min(_STEPS_AT_ONCE, steps - start)
        rows = torch.multinomial(weights, k * batch_size, replacement=True, generator=generator)
        t = _stratified_times(k, batch_size, scheduler.num_steps, generator)
        x_t = scheduler.add_noise(x0[rows], t, pi, generator)
        known = drop_conditions(conditions[rows], cond_dropout, generator)
        yield from zip(*(torch.split(part, batch_size) for part in (x0[rows], x_t, t, known)), strict=True)


def _training_tensors(
    denoiser: Denoiser,
    decisions: NDArray[np.integer],
    conditions: FloatArray | None,
    weights: FloatArray | None,
) -> tuple[Tensor, Tensor, Tensor]:
    b, c = len(decisions), denoiser.num_conditions
    if b == 0 or decisions.shape[1] != denoiser.schema.num_decisions:
        raise ConfigError(
            f"Expected decisions (b, {denoiser.schema.num_decisions}) with b >= 1, got {decisions.shape}."
        )
    return training_tensors(decisions, c, conditions, weights)


def _stratified_times(k: int, b: int, T: int, generator: torch.Generator) -> Tensor:
    """Times in ``1 … T`` of ``k`` batches of ``b``, spread evenly over each: less noise than independent ones."""
    u = (torch.arange(b) + torch.rand(k, b, generator=generator)) / b
    return (u * T).long().clamp_max(T - 1).flatten() + 1


def _denoising_loss(logits: Tensor, x0: Tensor, absorbed: Tensor) -> Tensor:
    """Mean over architectures of the mean cross-entropy of ``logits (b, d, L)`` over the slots that tell something."""
    error = nn.functional.cross_entropy(logits.flatten(0, 1), x0.flatten(), reduction="none").view_as(x0)
    counted = (absorbed | ~absorbed.any()).float()
    return ((error * counted).sum(1) / counted.sum(1).clamp_min(1)).mean()


@dataclass(frozen=True)
class DiffusionSettings:
    """What a :class:`DiffusionGenerator` is made of; the defaults serve every space.

    Args:
        kernel: ``absorbing`` or ``uniform``.
        num_train_timesteps: ``T`` of the scheduler.
        network: ``tokens`` (:class:`gennas.models.diffusion.GraphDenoiser`) or ``dense``
            (:class:`gennas.models.diffusion.DenseDenoiser`); None: dense where no edge is free, up to 256 decisions,
            and tokens elsewhere.
        dim: width of the denoiser; None: 64 of tokens, 128 of a dense one.
        num_layers: its number of blocks; None: 2 and 1.
        batch_size: architectures per training step; None: 32 and 64. Of tokens there are fewer with more than 256
            decisions, 8,192 of them in all.
        lr: learning rate; None: .01 and .0015.
        cond_dropout: how often conditions are dropped in training.
        guidance_scale: strength of the conditions in sampling; 1 is the plain conditional model.
        num_steps: denoising steps per sample.
        temperature: divides the logits in sampling; above 1 samples are more diverse.
        guidance_spread: every sample's guidance is drawn uniformly from ``guidance_scale`` times
            ``1 - guidance_spread`` to ``1 + guidance_spread``.
        condition_spread: every sample's conditions ``c`` are moved towards one half, by a uniform draw
            from 0 to ``condition_spread * |1 - 2 c|``; 0 takes them at their word, as ``gennas sample`` does.
        guidance_interval: times, as parts of ``T``, between which samples are guided beyond 1.
        chunk: architectures drawn at a time, which bounds memory.
    """

    kernel: Literal["absorbing", "uniform"] = "absorbing"
    num_train_timesteps: int = 50
    dim: int | None = None
    num_layers: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    cond_dropout: float = 0.15
    guidance_scale: float = 2.0
    num_steps: int = 8
    temperature: float = 1.0
    guidance_spread: float = 0.0
    condition_spread: float = 0.1
    guidance_interval: tuple[float, float] = (0.0, 1.0)
    chunk: int = 2048
    network: Literal["tokens", "dense"] | None = None


class DiffusionGenerator(NetworkGenerator[ArchitectureDiffusionPipeline, DiffusionSettings]):
    """A discrete graph diffusion model as a :class:`gennas.models.base.Generator`.

    Args:
        schema: the schema of the architectures.
        legal: legality of the space; without it sampling is factorised under the masks alone.
        num_conditions: how many numbers in [0, 1] an architecture can be asked for by.
        settings: everything else.
        seed: seed of the initial weights.

    Example:
        >>> import numpy as np
        >>> from gennas.spaces.nasbench201.space import NASBench201
        >>> space = NASBench201()
        >>> generator = DiffusionGenerator(space.schema, space.legal)
        >>> losses = generator.fit(space.sample(200, np.random.default_rng(0)), steps=3)
        >>> len(generator.sample(10, seed=1))
        10
    """

    kind = "diffusion"
    network_type = ArchitectureDiffusionPipeline
    settings_type = DiffusionSettings

    def _untrained(self, num_conditions: int) -> ArchitectureDiffusionPipeline:
        s = self.settings
        sizes = {name: size for name, size in (("dim", s.dim), ("num_layers", s.num_layers)) if size is not None}
        kind, timed = s.network or _suitable(self.schema), s.kernel != "absorbing"
        if kind not in ("tokens", "dense"):
            raise ConfigError(f"Expected network 'tokens' or 'dense', got {shown(kind)}.")
        denoiser: Denoiser
        if kind == "dense":
            denoiser = DenseDenoiser.for_schema(self.schema, num_conditions, timed=timed, **sizes)
        else:
            mixing = "pairs" if self.schema.num_decisions <= _MOST_PAIRED else "relations"
            denoiser = GraphDenoiser.for_schema(self.schema, num_conditions, timed=timed, mixing=mixing, **sizes)
        return ArchitectureDiffusionPipeline(denoiser.eval(), CategoricalScheduler(s.num_train_timesteps, s.kernel))

    def _adopt(self, network: ArchitectureDiffusionPipeline, kept: Sequence[int | None]) -> None:
        self.pipeline.denoiser.adopt(network.denoiser, kept)

    @property
    def pipeline(self) -> ArchitectureDiffusionPipeline:
        """Denoiser and scheduler."""
        return self.network

    @property
    def _device(self) -> torch.device:
        return torch.device(self.pipeline.denoiser.device)

    @property
    def num_conditions(self) -> int:
        """How many conditions the model knows."""
        return int(self.pipeline.denoiser.num_conditions)

    @property
    def _batch_size(self) -> int:
        """Architectures per training step: fewer where each has very many tokens, and teaches as many things."""
        denoiser, d = self.pipeline.denoiser, self.schema.num_decisions
        size: int = denoiser.batch_size if self.settings.batch_size is None else self.settings.batch_size
        if d <= _MOST_PAIRED or isinstance(denoiser, DenseDenoiser):
            return size
        return min(size, max(1, _TOKENS // d))

    def fit(
        self,
        archs: Population,
        conditions: FloatArray | None = None,
        weights: FloatArray | None = None,
        steps: int = 100,
        seed: int = 0,
    ) -> FloatArray:
        """Train further from the present weights, see :func:`fit_diffusion`; returns the losses."""
        check_schema(self.schema, archs.schema)
        return fit_diffusion(
            self.pipeline.denoiser,
            self.pipeline.scheduler,
            archs.decisions,
            conditions,
            weights,
            steps=steps,
            batch_size=self._batch_size,
            lr=self.settings.lr,
            cond_dropout=self.settings.cond_dropout,
            seed=seed,
        )

    def sample(
        self,
        n: int,
        conditions: FloatArray | None = None,
        seed: int = 0,
        fixed: NDArray[np.integer] | None = None,
    ) -> Population:
        """Draw ``n`` architectures; ``fixed`` decisions are kept, -1 where free, see the pipeline."""
        return self._in_chunks(self._draw, n, seed, conditions, fixed)

    def literal(self) -> Self:
        """The same network without ``condition_spread``."""
        found = copy(self)
        found.settings = replace(self.settings, condition_spread=0.0)
        return found

    def _draw(
        self,
        n: int,
        generator: torch.Generator,
        conditions: FloatArray | None,
        fixed: NDArray[np.integer] | None = None,
    ) -> Population:
        return self.pipeline(
            n,
            self._spread(n, conditions, generator),
            guidance_scale=self._guidance(n, generator),
            num_steps=self.settings.num_steps,
            generator=generator,
            legal=self.legal,
            fixed=fixed,
            temperature=self.settings.temperature,
            guidance_interval=self.settings.guidance_interval,
        )

    def _guidance(self, n: int, generator: torch.Generator) -> FloatArray:
        """The guidance of each sample, ``(n,)``."""
        u = torch.rand(n, generator=generator, device=generator.device).cpu().double().numpy()
        scales: FloatArray = self.settings.guidance_scale * (1 + self.settings.guidance_spread * (2 * u - 1))
        return scales

    def _spread(self, n: int, conditions: FloatArray | None, generator: torch.Generator) -> FloatArray | None:
        """The conditions of each sample, moved from the extreme that was asked for towards the middle."""
        if conditions is None or not self.settings.condition_spread:
            return conditions
        asked = np.atleast_2d(np.asarray(conditions, dtype=np.float64))
        u = torch.rand(n, asked.shape[1], generator=generator, device=generator.device).cpu().double().numpy()
        moved: FloatArray = asked + self.settings.condition_spread * u * (1 - 2 * asked)
        return moved

    def elbo(
        self, archs: Population, conditions: FloatArray | None = None, seed: int = 0, num_steps: int | None = None
    ) -> FloatArray:
        """Estimated upper bound on the negative log-likelihood of each architecture, in nats, ``(b,)``."""
        generator = torch.Generator(self.pipeline.denoiser.device).manual_seed(seed)
        return self.pipeline.elbo(archs, conditions, num_steps, generator)

    # ------------------------------------------------------------------ files, state

    @classmethod
    def from_pretrained(cls, directory: str | Path, schema: GraphSchema, legal: Legality | None = None) -> Self:
        """Read what :meth:`save_pretrained` wrote; settings that do not name a network get that of the weights.

        Raises:
            CheckpointError: nothing readable is there, or it belongs to another schema.
        """
        found = super().from_pretrained(directory, schema, legal)
        kind = _kind_of(found.pipeline.denoiser)
        if (found.settings.network or _suitable(schema)) != kind:
            found.settings = replace(found.settings, network=kind)
        return found

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """The network's weights as arrays; their names say which network it is."""
        return {f"0.{name}": value.cpu().numpy().copy() for name, value in self.pipeline.denoiser.state_dict().items()}

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take the weights of :meth:`state_dict`; a network of another kind is made anew."""
        kind: Literal["tokens", "dense"] = "dense" if "0.table" in state else "tokens"
        if kind != _kind_of(self.pipeline.denoiser):
            self.settings = replace(self.settings, network=kind)
            self.network = self._untrained(self.num_conditions)
        weights = {name.removeprefix("0."): torch.from_numpy(value.copy()) for name, value in state.items()}
        self.pipeline.denoiser.load_state_dict(weights)


def _suitable(schema: GraphSchema) -> Literal["tokens", "dense"]:
    """The network of a new generator: slots of a list have nothing in common, edges of a graph have."""
    free_edges = any(not slot.is_node for slot in schema.slots)
    return "tokens" if free_edges or schema.num_decisions > _MOST_PAIRED else "dense"


def _kind_of(denoiser: Denoiser) -> Literal["tokens", "dense"]:
    return "dense" if isinstance(denoiser, DenseDenoiser) else "tokens"


_STEPS_AT_ONCE = 64
_MOST_PAIRED = 256  # decisions up to which every pair of them has a weight
_TOKENS = 8192  # decisions in a training step of more
