"""Sampling architectures: guidance, few-step denoising, and a last step that decodes legally."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import numpy as np
import torch
from diffusers import DiffusionPipeline
from numpy.typing import NDArray
from torch import Tensor

from gennas.errors import CheckpointError, ConfigError
from gennas.graph import GraphSchema, Population
from gennas.models._schema import check_schema
from gennas.models.diffusion.denoiser import GraphDenoiser
from gennas.models.diffusion.scheduler import CategoricalScheduler
from gennas.models.generator import FloatArray, Legality

__all__ = ["ArchitectureDiffusionPipeline"]

_REDRAWS = 20


class ArchitectureDiffusionPipeline(DiffusionPipeline):  # type: ignore[misc]
    r"""Draws architectures from a :class:`GraphDenoiser` under a :class:`CategoricalScheduler`.

    Guidance is classifier-free (Ho and Salimans 2022, arXiv 2207.12598):
    :math:`\ell = \ell_\emptyset + w\,(\ell_c - \ell_\emptyset)` on the logits, which at ``w = 1`` is the
    plain conditional model and costs one network call instead of two.

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

    def __init__(self, denoiser: GraphDenoiser, scheduler: CategoricalScheduler) -> None:
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
        guidance_scale: float = 2.0,
        num_steps: int = 8,
        generator: torch.Generator | None = None,
        legal: Legality | None = None,
        fixed: NDArray[np.integer] | None = None,
    ) -> Population:
        """Draw ``n`` architectures.

        Args:
            n: how many.
            conditions: ``(c,)`` for all of them or ``(n, c)``, NaN for "any"; None: unconditional.
            guidance_scale: ``w``; 1 is plain conditional sampling, 0 ignores the conditions.
            num_steps: denoising steps, at most the scheduler's ``T``.
            generator: source of randomness.
            legal: legality of the space; with it every architecture is valid by construction.
            fixed: decisions to keep, ``(d,)`` or ``(n, d)``, -1 where free (inpainting).

        Raises:
            ConfigError: shapes do not fit, or fixed decisions that no legal architecture has.
        """
        c = self._conditions(n, conditions)
        known = self._fixed(n, fixed)
        # 1. Start from the stationary distribution.
        pi = self.scheduler.stationary(self.denoiser.mask)
        x = self.scheduler.prior(n, pi, generator)
        for t, s in self.scheduler.timesteps_for(num_steps):
            # 2. Clamp what is known.
            x = torch.where(known >= 0, known, x)
            # 3. Predict the clean architecture, guided by the conditions.
            logits = self.predict(x, t, c, guidance_scale)
            p0 = self.scheduler.clean(logits, x, t, pi)
            # 4. Until the last step: draw x_s from p(x_s | x_t).
            if s > 0:
                x = self.scheduler.step(p0, x, s, t, pi, generator)
        # 5. In the last step: decode slot by slot, each among what is legal after the ones before.
        #    A label that turns out illegal gives way to what the other slots speak for.
        p = p0 + 1e-6 * logits.softmax(-1)
        D = self._decode(p.cpu().double().numpy(), known.cpu().numpy(), legal, generator)
        return Population.from_decisions(self.schema, D)

    # ------------------------------------------------------------------ the parts of it

    def predict(self, x: Tensor, t: int, conditions: Tensor | None, guidance_scale: float = 1.0) -> Tensor:
        """Guided logits at time ``t``, ``(b, d, L)``; equal rows are computed once."""
        rows = x.float() if conditions is None else torch.cat([x.float(), conditions.nan_to_num(-1.0)], 1)
        rows, inverse = torch.unique(rows, dim=0, return_inverse=True)
        x, d = rows[:, : x.shape[1]].long(), x.shape[1]
        time = torch.full((len(x),), t / self.scheduler.num_steps, device=x.device)
        if conditions is None or guidance_scale == 0:
            logits = self.denoiser(x, time)
        else:
            logits = self._guided(x, time, rows[:, d:].where(rows[:, d:] >= 0, torch.nan), guidance_scale)
        return cast(Tensor, logits[inverse])

    def _guided(self, x: Tensor, time: Tensor, conditions: Tensor, w: float) -> Tensor:
        if w == 1:
            return cast(Tensor, self.denoiser(x, time, conditions))
        both = torch.cat([conditions, torch.full_like(conditions, torch.nan)])
        with_c, without = self.denoiser(x.repeat(2, 1), time.repeat(2), both).chunk(2)
        # Forbidden labels are minus infinity on both sides; keep them so instead of making NaN.
        return torch.where(self.denoiser.mask, without + w * (with_c - without), -torch.inf)

    def _decode(
        self, p: FloatArray, known: NDArray[np.integer], legal: Legality | None, generator: torch.Generator | None
    ) -> NDArray[np.int16]:
        """Draw decisions in slot order from ``p (n, d, L)``, each restricted to the legal labels."""
        D = np.where(known >= 0, known, 0).astype(np.int16)
        todo = np.arange(len(p))
        for i in range(_REDRAWS):
            # Where a fixed decision turned out illegal, draw again, each time closer to uniformly.
            p = (1 - i / _REDRAWS) * p + i / _REDRAWS
            u = torch.rand(p.shape[:2], generator=generator, device=self.denoiser.device, dtype=torch.float64)
            D[todo] = _decode_once(p[todo], u.cpu().numpy()[todo], known[todo], self.schema, legal)
            todo = todo[((D[todo] != known[todo]) & (known[todo] >= 0)).any(1)]
            if not len(todo):
                return D
        raise ConfigError(
            f"{self.schema.name}: no legal architecture with the fixed decisions {known[todo[0]].tolist()} was found "
            f"in {_REDRAWS} draws; free some of them (-1) or check that they are legal together."
        )

    def _conditions(self, n: int, conditions: FloatArray | None) -> Tensor | None:
        if conditions is None:
            return None
        values = np.atleast_2d(np.asarray(conditions, dtype=np.float32))
        c = self.denoiser.num_conditions
        if values.shape not in {(1, c), (n, c)}:
            raise ConfigError(f"Expected conditions ({c},) or ({n}, {c}), got {values.shape}.")
        return torch.from_numpy(np.broadcast_to(values, (n, c)).copy()).to(self.denoiser.device)

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
        x0 = torch.from_numpy(archs.decisions.astype(np.int64)).to(self.denoiser.device)
        c = self._conditions(len(x0), conditions)
        pi = self.scheduler.stationary(self.denoiser.mask).double()
        bound = torch.zeros(len(x0), dtype=torch.float64, device=x0.device)
        for t, s in self.scheduler.timesteps_for(num_steps or self.scheduler.num_steps):
            x_t = self.scheduler.add_noise(x0, t, pi, generator)
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
        with _checkpoint_errors(folder):
            config = GraphDenoiser.load_config(folder / "denoiser", local_files_only=True)
            denoiser = GraphDenoiser.from_config(config)
            if schema is not None:
                check_schema(denoiser.schema, schema)
            denoiser = GraphDenoiser.from_pretrained(
                folder / "denoiser", local_files_only=True, low_cpu_mem_usage=False, use_safetensors=True
            )
            scheduler = CategoricalScheduler.from_pretrained(folder / "scheduler", local_files_only=True)
        return cls(denoiser, scheduler)


@contextmanager
def _checkpoint_errors(folder: Path) -> Iterator[None]:
    if not (folder / "model_index.json").is_file():
        raise CheckpointError(f"Expected a saved generator in {folder}, found no model_index.json there.")
    try:
        yield
    except CheckpointError:
        raise
    except Exception as error:  # diffusers, safetensors and json raise many kinds
        raise CheckpointError(
            f"The generator in {folder} cannot be read ({type(error).__name__}: {error}); train or copy it again."
        ) from error


def _decode_once(
    p: FloatArray, u: FloatArray, known: NDArray[np.integer], schema: GraphSchema, legal: Legality | None
) -> NDArray[np.int16]:
    """One pass over the slots; a fixed label is taken wherever it is legal."""
    D = np.zeros_like(known, dtype=np.int16)
    rows = np.arange(len(D))
    for t in range(schema.num_decisions):
        allowed = np.broadcast_to(schema.decision_mask[t], p[:, t].shape) if legal is None else legal(D, t)
        cumulative = np.cumsum((p[:, t] + 1e-12) * allowed, axis=1)
        threshold = u[:, t] * cumulative[:, -1]
        drawn = (cumulative <= threshold[:, None]).sum(1)
        wish = np.where(known[:, t] >= 0, known[:, t], 0)
        D[:, t] = np.where((known[:, t] >= 0) & allowed[rows, wish], wish, drawn)
    return D
