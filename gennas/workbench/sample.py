"""Drawing architectures from a space, or from a trained generator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gennas.errors import ConfigError, shown
from gennas.workbench.problem import space_from
from gennas.workbench.settings import Count, Part, Seed, SpaceSettings, Switch

if TYPE_CHECKING:
    from gennas.generators.trained import TrainedGenerator
    from gennas.graph import Population
    from gennas.spaces import Space
    from gennas.workbench.train_generator import Drawn

__all__ = ["SampleSettings", "sample_generator", "sample_space"]


@dataclass(frozen=True)
class SampleSettings(SpaceSettings):
    """Draw architectures from a space, or from a trained generator, and print their text, one on each line.

    A generator may be the folder that `gennas train-generator` wrote, RUN/generator/round-… of a generative
    search, or RUN itself, which means its last one. What it can be asked for is said at the end, on stderr.

    More examples:
      gennas sample --generator gen/ab --n 10 --condition "val_accuracy>=0.9q"            (best tenth of the archive)
      gennas sample --generator gen/ab --n 10 --condition "val_accuracy>=0.9q, latency_s<=0.002"    (and that quick)
      gennas sample --generator gen/ab --n 10 --condition "latency_s<=0.1q"              (as its fastest tenth)
      gennas sample --generator runs/cora --n 1000 --unique --out samples.jsonl
    """

    space: Part | None = None
    """Search space, as for `gennas search`; default: the generator's own, or nasbench201."""
    n: Count = 5
    """How many."""
    seed: Seed = 0
    """Seed of the draw."""
    generator: Path | None = None
    """Folder of a saved generator; without it, the space's own uniform sampling."""
    condition: str = ""
    """Wishes such as "accuracy>=0.9q, latency_ms<=5"; q: a quantile of the training archive's values. Default: none."""
    unique: Switch = False
    """Print each architecture once, and draw on until there are enough."""
    out: Path | None = None
    """Write to this .txt or .jsonl file instead (jsonl: with keys and the quantiles asked for)."""

    def check(self) -> None:
        """Refuse another kind of file, and a wish without somebody to hear it.

        Raises:
            ConfigError: one of these.
        """
        if self.out is not None and self.out.suffix not in (".txt", ".jsonl"):
            raise ConfigError(f"Expected --out to end in .txt or .jsonl, got {shown(str(self.out))}.")
        if self.condition and self.generator is None:
            raise ConfigError("--condition asks a generator: give --generator DIR too.")


def sample_space(settings: SampleSettings) -> tuple[Space, Population]:
    """Architectures of a space, uniformly, where the space can do that.

    Raises:
        GennasError: the space cannot be made.
    """
    space = space_from(_with_space(settings))
    archs = space.sample(settings.n, np.random.default_rng(settings.seed))
    return space, archs.unique() if settings.unique else archs


def _with_space(settings: SampleSettings) -> SpaceSettings:
    return SpaceSettings(SpaceSettings.space if settings.space is None else settings.space, settings.space_option)


def sample_generator(settings: SampleSettings) -> tuple[TrainedGenerator, Drawn]:
    """The generator, and what it drew.

    Raises:
        GennasError: no generator is there, or it cannot be asked for that.
    """
    from gennas.generators.trained import TrainedGenerator
    from gennas.workbench.train_generator import draw_architectures

    assert settings.generator is not None  # the caller saw to it
    space = None if settings.space is None else space_from(settings)
    trained = TrainedGenerator.from_pretrained(settings.generator, space)
    return trained, draw_architectures(trained, settings.n, settings.condition, settings.seed, settings.unique)
