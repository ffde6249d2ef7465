"""Quality and diversity: the best of each niche is varied by one of several instructions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError
from gennas.graph import IntArray
from gennas.models.llm.decisions import Decisions
from gennas.models.llm.methods.base import METHODS, Method, Suggestions
from gennas.models.llm.methods.situation import Situation
from gennas.models.llm.transcript import Recorder

__all__ = ["INSTRUCTIONS", "Niches", "niches_of"]

INSTRUCTIONS = (
    "Improve it by changing one decision.",
    "Improve it by changing two or three decisions.",
    "Improve it by exchanging the options of two decisions.",
    "Use the option that occurs most in it less often.",
    "Use an option that does not occur in it.",
    "Make it cheaper to compute without making it worse.",
    "Make it larger where that helps most.",
    "Keep its first half and make the other one anew.",
    "Keep its second half and make the other one anew.",
    "Propose something that differs from it in most decisions and may be as good.",
)
"""What the model may be told to do with a parent."""


def niches_of(decisions: Decisions, D: IntArray, bins: int) -> NDArray[np.intp]:
    """The niche of each row ``(b, d)``, from 0 to ``bins² - 1``, ``(b,)``.

    Two descriptors that every space has, each cut into ``bins`` equal parts: the mean place of the labels among those
    of their decision, from 0 (all the first) to 1 (all the last), and the number of different labels over the most that
    there can be.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> decisions = Decisions(NASBench201().schema)
        >>> niches_of(decisions, np.array([[0] * 6, [0, 1, 2, 3, 4, 4], [4] * 6]), 2).tolist()
        [0, 3, 2]
    """
    number = np.array([len(labels) for labels in decisions.labels])
    free = number > 1
    if not free.any() or not len(D):
        return np.zeros(len(D), dtype=np.intp)
    place = np.zeros(D.shape)
    for t in np.flatnonzero(free):
        place[:, t] = np.searchsorted(decisions.labels[t], D[:, t]) / (number[t] - 1)
    level = place[:, free].mean(1)
    most = min(int(free.sum()), len({int(s) for t in np.flatnonzero(free) for s in decisions.labels[t]}))
    different = np.array([len(set(row)) for row in D[:, free].tolist()])
    variety = (different - 1) / max(1, most - 1)
    cells = [np.minimum((x * bins).astype(np.intp), bins - 1) for x in (level, np.clip(variety, 0.0, 1.0))]
    found: NDArray[np.intp] = cells[0] * bins + cells[1]
    return found


@METHODS.register("niches")
class Niches(Method):
    """Varies the best of a niche that was visited little, as one of ten instructions says.

    A map of elites (Mouret and Clune 2015, arXiv 1504.04909) whose mutation is the model, as in LLMatic (Nasir et al.
    2024, arXiv 2306.01102): niches keep apart what is alike, so that the model does not propose one band of
    architectures over and over.

    Args:
        decisions: what is legal.
        bins: of each of the two descriptors, see :func:`niches_of`.
        options: as of :class:`Method`.
    """

    prompt_name = "niches"

    def __init__(self, decisions: Decisions, bins: int = 4, **options: object) -> None:
        super().__init__(decisions, **options)  # type: ignore[arg-type]  # checked there
        if bins < 1:
            raise ConfigError(f"Expected at least one bin, got {bins}.")
        self.bins = bins

    def propose(self, situation: Situation, backend: Recorder, n: int, seed: int) -> Suggestions:
        """One request with its own niche and instruction for each, see :class:`Method`."""
        rng = np.random.default_rng(seed)
        places = situation.order
        niches = niches_of(self.decisions, situation.D[places], self.bins) if len(places) else np.zeros(0, dtype=int)
        known, first, visits = np.unique(niches, return_index=True, return_counts=True)
        chosen, requests = list[list[int]](), []
        for _ in range(n):
            parents: list[int] = []
            if len(known):
                weights = 1 / visits
                parents = [int(places[first[int(rng.choice(len(known), p=weights / weights.sum()))]])]
            instruction = INSTRUCTIONS[int(rng.integers(len(INSTRUCTIONS)))]
            values = self._values(
                situation,
                parents=[situation.results[p] for p in parents],
                instruction=instruction,
                num_niches=len(known),
            )
            chosen.append(parents)
            requests.append((values, int(rng.integers(2**31))))
        drawn = self._drawn_each(backend, requests)
        return Suggestions.joined(list(zip(drawn, chosen, strict=True)), len(self.decisions))
