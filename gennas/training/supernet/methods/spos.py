"""Single path one-shot, and random search with weight sharing."""

from __future__ import annotations

from typing import Literal

import numpy as np

from gennas.errors import ConfigError, shown
from gennas.spaces.base import Space
from gennas.spaces.spec import TaskSpec
from gennas.training.supernet.methods.base import METHODS, Route
from gennas.training.supernet.methods.sampler import PathSampler, paths, uniform_decisions

__all__ = ["SPOS", "AutoFormer", "RandomSearchWS"]


@METHODS.register("spos")
class SPOS(PathSampler):
    """One path per step, drawn uniformly. Candidates' counts are multinomial.

    Source: Guo et al., "Single Path One-Shot Neural Architecture Search with Uniform Sampling", ECCV 2020, arXiv
    1904.00420.

    Args:
        space: whose paths are drawn.
        spec: of the task.
        uniform_over: ``architectures``, or ``decisions``: each uniformly among what is legal after the ones before. The
            same where decisions are independent.

    Raises:
        ConfigError: something else to be uniform over.
    """

    def __init__(
        self,
        space: Space,
        spec: TaskSpec | None = None,
        uniform_over: Literal["architectures", "decisions"] = "architectures",
    ) -> None:
        if uniform_over not in ("architectures", "decisions"):
            raise ConfigError(f"Expected uniform_over architectures or decisions, got {shown(uniform_over)}.")
        super().__init__(space, spec)
        self.uniform_over = uniform_over

    def routes(self, rng: np.random.Generator) -> list[Route]:
        """One path."""
        if self.uniform_over == "architectures":
            return paths(self.space.sample(1, rng).decisions)
        return paths(uniform_decisions(self.space, 1, rng))


@METHODS.register("rsws")
class RandomSearchWS(SPOS):
    """Random search with weight sharing: trained as SPOS is; afterwards the best of random paths is taken.

    Source: Li and Talwalkar, "Random Search and Reproducibility for Neural Architecture Search", UAI 2019, arXiv
    1902.07638.

    Args:
        space: whose paths are drawn.
        spec: of the task.
    """

    def __init__(self, space: Space, spec: TaskSpec | None = None) -> None:
        super().__init__(space, spec)


@METHODS.register("autoformer")
class AutoFormer(SPOS):
    """One path per step, every size drawn uniformly among what is legal; shared weights are entangled by the supernet.

    Depths are as frequent as one another, which they are not among architectures. Source: Chen et al.,
    "AutoFormer: Searching Transformers for Visual Recognition", ICCV 2021, arXiv 2107.00651.

    Args:
        space: whose paths are drawn.
        spec: of the task.
    """

    def __init__(self, space: Space, spec: TaskSpec | None = None) -> None:
        super().__init__(space, spec, "decisions")
