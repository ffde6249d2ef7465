"""Generators as kernels of evolved candidates: they redraw a part of a parent as they have learned from the archive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.graph import Population
from gennas.runtime.seeds import draw_seed
from gennas.search.strategies.kernels import KERNELS, Kernel
from gennas.search.strategies.rounds import bounded
from gennas.search.strategies.sources import Evidence
from gennas.spaces.base import Space

if TYPE_CHECKING:
    from gennas.generators.autoregressive import AutoregressiveGenerator
    from gennas.generators.diffusion import DiffusionGenerator
    from gennas.search.strategies.generative.generator_source import GeneratorSource

__all__ = ["CompletionKernel", "GeneratorKernel", "RenoiseKernel"]

_DRAWN = 26_000  # decisions that a generation redraws in large spaces
_LEAST, _FIRST, _LAST = 0.1, 0.5, 0.2  # noise: the least of all, the most of the first and of the last generation


class GeneratorKernel(Kernel):
    """Varies parents with a generator that the strategy refits, under the conditions that it samples under.

    Args:
        space: where parents and children belong.
        source: the generator.
        quantile: quality that is asked for, None for no conditions.

    Raises:
        ConfigError: no generator is given; only the strategy ``generative`` has some.
    """

    generator_name: ClassVar[str]

    def __init__(self, space: Space, source: GeneratorSource | None = None, quantile: float | None = 0.9) -> None:
        super().__init__(space)
        if source is None:
            raise ConfigError(
                f"The kernel {KERNELS.name_of(type(self))} needs a generator ({self.generator_name}): "
                "use it with the strategy generative."
            )
        self.source, self.quantile = source, quantile

    def vary(
        self, parents: Population, n: int, evidence: Evidence, progress: float, rng: np.random.Generator
    ) -> Population:
        """Children of parents that are drawn uniformly, the less changed the later in the round.

        In spaces of more than 256 decisions these are fewer, 26,000 decisions in all.
        """
        n = bounded(n, self.space, _DRAWN)
        chosen = parents[rng.integers(len(parents), size=n)]
        level = rng.uniform(_LEAST, _FIRST + (_LAST - _FIRST) * progress, size=n)
        asked = None if self.quantile is None else evidence.outcomes.wanted(n, self.quantile, rng)
        return self.space.canonical(self._changed(chosen, level, asked, draw_seed(rng)))

    def _changed(
        self, parents: Population, level: NDArray[np.float64], asked: NDArray[np.float64] | None, seed: int
    ) -> Population:
        """One child of each parent, with noise ``level (b,)`` in [0, 1], under conditions ``asked (b, c)``."""
        raise NotImplementedError

    @property
    def generator(self) -> Any:
        """The generator, made by the strategy before the first draw."""
        assert self.source.generator is not None
        return self.source.generator


@KERNELS.register("renoise")
class RenoiseKernel(GeneratorKernel):
    r"""Parents noised up to an intermediate time and denoised again by the diffusion model.

    With ``absorbing`` noise a decision is masked with probability :math:`\sin^2(\pi s / 2)`, where the strength
    :math:`s` is uniform between .1 and .5 in the first generation, and .2 in the last (SDEdit, Meng et al.
    2022, arXiv 2108.01073; see :meth:`gennas.models.diffusion.ArchitectureDiffusionPipeline.renoise`).
    """

    generator_name = "diffusion"
    cost = 2.0

    def _changed(
        self, parents: Population, level: NDArray[np.float64], asked: NDArray[np.float64] | None, seed: int
    ) -> Population:
        import torch

        diffusion = cast("DiffusionGenerator", self.generator)
        source = torch.Generator(diffusion.pipeline.denoiser.device).manual_seed(seed)
        return diffusion.pipeline.renoise(
            parents,
            level,
            num_steps=diffusion.settings.num_steps,
            generator=source,
            conditions=asked,
            guidance_scale=diffusion.settings.guidance_scale,
            legal=self.space.legal,
        )


@KERNELS.register("complete")
class CompletionKernel(GeneratorKernel):
    r"""Random decisions of parents drawn anew by the autoregressive model, from first to last.

    Each decision is redrawn with probability :math:`\sin^2(\pi s / 2)`, the strength :math:`s` as in
    :class:`RenoiseKernel`; the model sees the decisions before it.
    """

    generator_name = "autoregressive"
    cost = 20.0

    def _changed(
        self, parents: Population, level: NDArray[np.float64], asked: NDArray[np.float64] | None, seed: int
    ) -> Population:
        model = cast("AutoregressiveGenerator", self.generator)
        chance = np.sin(np.pi * level / 2) ** 2
        keep = np.random.default_rng(seed).random(parents.decisions.shape) >= chance[:, None]
        return model.complete(parents, keep, asked, seed)
