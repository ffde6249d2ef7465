r"""Samples of :math:`p(x)\,e^{v(x)/T}` by a diffusion model that was not trained for it.

Sequential Monte Carlo over denoising paths, with the value of a completed architecture as look-ahead (Wu et al.
2023, twisted diffusion sampler, arXiv 2306.17775; Li et al. 2024, SVDD, arXiv 2408.08252), and logits that are
tilted by what each decision is worth on its own. The target is that of diffusion for black-box optimisation
(Yun et al. 2025, DiBO, arXiv 2502.16824), which trains for it; see :mod:`gennas.generators.fine_tuning`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gennas.errors import ConfigError, shown
from gennas.graph import Population
from gennas.models.base import FloatArray, Legality
from gennas.models.diffusion.decoding import REPAIR, decode_scored
from gennas.models.diffusion.pipeline import ArchitectureDiffusionPipeline
from gennas.models.diffusion.scheduler import draw
from gennas.models.tensors import condition_tensor

__all__ = ["Particles", "Value", "first_order_effects", "sample_posterior"]

Value = Callable[[Population], FloatArray]
"""What architectures are worth, ``(b,)``, in nats at temperature 1: a log-acquisition, finite."""


@dataclass(frozen=True)
class Particles:
    r"""Weighted architectures, and everything that was valued on the way to them.

    Attributes:
        archs: the particles, ``n``, repetitions included.
        values: theirs, ``(n,)``.
        log_weights: theirs, normalised, ``(n,)``; after the last resampling all are :math:`-\log n`.
        seen: whatever was valued, in this order, the particles last but before the last resampling.
        seen_values: theirs, ``(calls,)``.
    """

    archs: Population
    values: FloatArray
    log_weights: FloatArray
    seen: Population
    seen_values: FloatArray

    @property
    def calls(self) -> int:
        """Architectures that were valued."""
        return len(self.seen_values)


@torch.inference_mode()
def sample_posterior(
    pipeline: ArchitectureDiffusionPipeline,
    n: int,
    value: Value,
    temperature: float = 1.0,
    *,
    resample: bool = True,
    tilt: float = 0.0,
    least: float = 0.5,
    num_steps: int = 8,
    conditions: FloatArray | None = None,
    guidance_scale: float = 1.0,
    legal: Legality | None = None,
    generator: torch.Generator | None = None,
) -> Particles:
    r"""Draw ``n`` particles of :math:`p(x)\,e^{v(x)/T}`, every one legal.

    ``p`` is what ``pipeline`` draws with the same settings. With :math:`\hat x_0(x_t)` a completion of a partly
    denoised particle, :math:`v_t = v(\hat x_0(x_t))` and :math:`\lambda_t = \bar\alpha_t`, weights are

    .. math:: \log w_s = \log w_t + \frac{\lambda_s v_s - \lambda_t v_t}{T}
              + \log p(x_s \mid x_t) - \log q(x_s \mid x_t)

    and :math:`\lambda_0 v_0 = v(x_0)`, so that they end at the target whatever the completions were worth: the
    more particles, the closer. ``q`` is ``p`` with logits moved by ``tilt / T`` times the decisions' first-order
    effects on what was valued so far (:func:`first_order_effects`).

    Values cost ``n`` calls at every step but the first, ``n * num_steps`` in all, ``n`` more with a tilt, and
    only ``n`` without either.

    Args:
        pipeline: the model.
        n: particles.
        value: of architectures, ``(b,)``; never of none.
        temperature: ``T``; the lower, the more the value counts.
        resample: whether particles are drawn anew, in proportion to their weights and systematically, when the
            effective number falls below ``least * n``, and at the end. Without, the weights are yours to use.
        tilt: strength of the tilt; 0: none, 1: as much as effects say.
        least: see ``resample``.
        num_steps: denoising steps.
        conditions: of the model, ``(c,)`` or ``(n, c)``.
        guidance_scale: their strength.
        legal: legality of the space.
        generator: source of randomness.

    Raises:
        ConfigError: a temperature that is not positive, no particle, or values that are not finite numbers ``(b,)``.

    Example:
        >>> from gennas.models.diffusion import CategoricalScheduler, DenseDenoiser
        >>> from gennas.spaces import make_space
        >>> space = make_space("pit")
        >>> network = DenseDenoiser.for_schema(space.schema, timed=False)
        >>> pipeline = ArchitectureDiffusionPipeline(network, CategoricalScheduler())
        >>> def small(archs): return -archs.decisions.sum(1).astype(float)
        >>> seeded = torch.Generator().manual_seed(0)
        >>> found = sample_posterior(pipeline, 50, small, legal=space.legal, generator=seeded)
        >>> found.calls, bool(found.values.mean() > small(pipeline(50, generator=seeded)).mean())
        (400, True)
    """
    if not temperature > 0 or n < 1:
        raise ConfigError(f"Expected a temperature above 0 and at least one particle, got {temperature} and {n}.")
    sampler = _Sampler(pipeline, value, temperature, guidance_scale, legal, generator)
    c = None if conditions is None else condition_tensor(conditions, n, sampler.num_conditions, sampler.device)
    x, log_w, before = sampler.noise(n), np.zeros(n), np.zeros(n)  # before: what of log_w stands for the value
    effects = torch.zeros(pipeline.denoiser.mask.shape, dtype=torch.float64, device=sampler.device)
    for t, s in pipeline.scheduler.timesteps_for(num_steps):
        # 1. The clean architecture, as the model sees it.
        logits = pipeline.predict(x, t, c, guidance_scale).double()
        trust = float(pipeline.scheduler.alpha_bar[t])
        # 2. Look ahead: complete the particles, value them, and resample if few of them count.
        if tilt or (resample and trust > 0):
            now = trust * sampler.valued(sampler.decoded(logits, effects, x, t)[0]) / temperature
            log_w, before = log_w + now - before, now
            if tilt:
                effects = sampler.effects() * tilt / temperature
            if resample and _effective(log_w) < least * n:
                rows = sampler.survivors(log_w)
                x, logits, before, log_w = x[rows], logits[rows], before[rows.cpu().numpy()], np.zeros(n)
                c = c if c is None else c[rows]
        # 3. Until the last step: draw x_s ~ q(x_s | x_t).
        if s > 0:
            x, ratio = sampler.step(logits, effects, x, s, t)
            log_w = log_w + ratio
    # 4. The last step decodes; what comes out is valued in full.
    D, ratio = sampler.decoded(logits, effects, x, t)
    values = sampler.valued(D)
    log_w = log_w + ratio + values / temperature - before
    if resample:
        last = sampler.survivors(log_w).cpu().numpy()
        D, values, log_w = D[last], values[last], np.zeros(n)
    drawn, seen = (Population.from_decisions(pipeline.schema, part) for part in (D, np.concatenate(sampler.seen)))
    return Particles(drawn, values, log_w - _log_sum(log_w), seen, np.concatenate(sampler.values))


@dataclass
class _Sampler:
    """The parts of :func:`sample_posterior`, and what was valued so far."""

    pipeline: ArchitectureDiffusionPipeline
    value: Value
    temperature: float
    guidance_scale: float
    legal: Legality | None
    generator: torch.Generator | None
    seen: list[NDArray[np.int16]] = field(default_factory=list)
    values: list[FloatArray] = field(default_factory=list)

    def __post_init__(self) -> None:
        denoiser, self.scheduler = self.pipeline.denoiser, self.pipeline.scheduler
        self.device, self.num_conditions = denoiser.device, int(denoiser.num_conditions)
        self.pi = self.scheduler.stationary(denoiser.mask).double()

    def noise(self, n: int) -> Tensor:
        found: Tensor = self.scheduler.prior(n, self.pi, self.generator)
        return found

    def valued(self, D: NDArray[np.int16]) -> FloatArray:
        """Values of decisions, which are kept."""
        found = np.asarray(self.value(Population.from_decisions(self.pipeline.schema, D)), dtype=np.float64)
        if found.shape != (len(D),) or not np.isfinite(found).all():
            raise ConfigError(f"Expected {len(D)} finite values of as many architectures, got {shown(found)}.")
        self.seen.append(D)
        self.values.append(found)
        return found

    def effects(self) -> Tensor:
        mask = self.pipeline.denoiser.mask.cpu().numpy()
        found = first_order_effects(np.concatenate(self.seen), np.concatenate(self.values), mask)
        return torch.from_numpy(found).to(self.device)

    def step(self, logits: Tensor, effects: Tensor, x: Tensor, s: int, t: int) -> tuple[Tensor, FloatArray]:
        r""":math:`x_s \sim q(x_s \mid x_t)`, and :math:`\log p - \log q` of it."""
        plain, tilted = (
            self.scheduler.reverse(self.scheduler.clean(part, x, t, self.pi), x, s, t, self.pi)
            for part in (logits, logits + effects)
        )
        drawn = draw(tilted, self.generator)
        p, q = (part.gather(-1, drawn.unsqueeze(-1)).clamp_min(_TINY).log().sum((1, 2)) for part in (plain, tilted))
        return drawn, (p - q).cpu().numpy()

    def decoded(self, logits: Tensor, effects: Tensor, x: Tensor, t: int) -> tuple[NDArray[np.int16], FloatArray]:
        r"""Legal completions under the tilt, and :math:`\log p - \log q` of them."""
        p, q = (
            (self.scheduler.clean(part, x, t, self.pi) + REPAIR * part.softmax(-1)).cpu().numpy()
            for part in (logits, logits + effects)
        )
        u = torch.rand(x.shape, generator=self.generator, device=self.device, dtype=torch.float64).cpu().numpy()
        return decode_scored(q, p, u, self.pipeline.schema, self.legal)

    def survivors(self, log_w: FloatArray) -> Tensor:
        """Rows drawn in proportion to weights, systematically: each as often as it should be, up to one."""
        u = torch.rand((), generator=self.generator, device=self.device, dtype=torch.float64).item()
        places = (np.arange(len(log_w)) + u) / len(log_w)
        cumulative = np.cumsum(np.exp(log_w - _log_sum(log_w)))
        rows = np.searchsorted(cumulative, places * cumulative[-1], side="right").clip(max=len(log_w) - 1)
        return torch.from_numpy(rows).to(self.device)


def first_order_effects(D: NDArray[np.integer], values: FloatArray, mask: NDArray[np.bool_]) -> FloatArray:
    r"""What each label of each decision adds to the value on its own, estimated by ridge regression, ``(d, L)``.

    .. math:: \hat\beta = \arg\min_\beta \|v - \bar v - (Z - \bar Z) \beta\|^2 + d\,\|\beta\|^2

    with one-hot decisions ``Z``. The penalty is that of a prior under which all decisions together vary as much
    as what they do not explain.

    Args:
        D: decisions, ``(m, d)``.
        values: theirs, ``(m,)``.
        mask: labels that decisions allow, ``(d, L)``; the others get 0.

    Example:
        >>> D = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 50)
        >>> first_order_effects(D, 2.0 * D[:, 0], np.ones((2, 2), dtype=bool)).round(1).tolist()
        [[-1.0, 1.0], [0.0, 0.0]]
    """
    d, L = mask.shape
    Z = (D[:, :, None] == np.arange(L))[:, mask].astype(np.float64)
    Z -= Z.mean(0)
    centred = values - values.mean()
    effects = np.zeros((d, L))
    if len(D) < Z.shape[1]:
        effects[mask] = Z.T @ np.linalg.solve(Z @ Z.T + d * np.eye(len(D)), centred)
    else:
        effects[mask] = np.linalg.solve(Z.T @ Z + d * np.eye(Z.shape[1]), Z.T @ centred)
    return effects


def _log_sum(log_w: FloatArray) -> float:
    return float(np.logaddexp.reduce(log_w))


def _effective(log_w: FloatArray) -> float:
    """How many equal weights would be worth as much as these."""
    return float(1 / np.square(np.exp(log_w - _log_sum(log_w))).sum())


_TINY = 1e-300
