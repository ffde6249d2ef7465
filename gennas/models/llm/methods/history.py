"""History in, proposals out."""

from __future__ import annotations

from gennas.models.llm.methods.base import METHODS, Method, Suggestions
from gennas.models.llm.methods.situation import Situation
from gennas.models.llm.transcript import Recorder

__all__ = ["History"]


@METHODS.register("history")
class History(Method):
    """Shows what was measured, and asks for something better.

    The language model is the whole optimiser, as in GENIUS (Zheng et al. 2023, arXiv 2304.10970), but for what is
    legal. It sees the best results, the last ones, and failures with their reason.
    """

    prompt_name = "history"

    def propose(self, situation: Situation, backend: Recorder, n: int, seed: int) -> Suggestions:
        """``n`` independent answers to one prompt, see :class:`Method`."""
        proposals = self._drawn(backend, self.prompt_name, self._values(situation), n, seed)
        return Suggestions(proposals, [()] * n)
