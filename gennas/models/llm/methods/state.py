"""The state of a classical strategy, shown to the model."""

from __future__ import annotations

from gennas.models.llm.methods.base import METHODS, Method, Suggestions
from gennas.models.llm.methods.situation import Situation
from gennas.models.llm.transcript import Recorder

__all__ = ["State"]


@METHODS.register("state")
class State(Method):
    """Shows what a classical strategy knows: elites and marginals, the surrogate's beliefs, its candidates, failures.

    Centaur (2026) shows CMA-ES's mean, step size and covariance to a model that makes three of ten proposals, and tells
    CMA-ES everything; here it is what strategies over pools know. Without such a strategy the results are all there is.
    """

    prompt_name = "state"

    def propose(self, situation: Situation, backend: Recorder, n: int, seed: int) -> Suggestions:
        """``n`` independent answers to one prompt, see :class:`Method`."""
        return Suggestions(self._drawn(backend, self.prompt_name, self._values(situation), n, seed), [()] * n)
