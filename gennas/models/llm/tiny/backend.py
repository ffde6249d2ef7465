"""A small language model over decisions, trained on an archive, as a :class:`gennas.models.llm.Backend`."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from gennas.errors import ConfigError, shown
from gennas.models.autoregressive import DecisionLM
from gennas.models.base import FloatArray
from gennas.models.llm.backend import Answer, Message, Question, Reply, Usage
from gennas.models.llm.decisions import Decisions
from gennas.models.llm.grammar import Grammar
from gennas.models.llm.propose import decisions_so_far
from gennas.models.schema import check_schema
from gennas.runtime.threads import one_thread

__all__ = ["TinyBackend"]


class TinyBackend:
    r"""Answers with the next decision's probabilities under a :class:`~gennas.models.autoregressive.DecisionLM`.

    It reads nothing of a prompt but the decisions that were made: what it knows, it knows from its training
    (:func:`gennas.generators.preferences.fit_preferences` trains one on an archive). So it can stand wherever a
    language model can, in methods, transcripts and audits. A decision is a token. Preferences leave a model very sure
    of itself: at a temperature of 1 it writes few architectures again and again.

    Args:
        model: the language model, without conditions.
        decisions: of its schema, under their own names.
        name: in transcripts; by default a hash of its weights.
        seed: of the texts that it writes.
        temperature: logits are divided by it.

    Raises:
        ConfigError: a model with conditions, or of another schema, or a temperature that is not positive.

    Example:
        >>> from gennas.models.autoregressive import DecisionVocabulary
        >>> from gennas.spaces import NASBench201
        >>> space = NASBench201()
        >>> model = DecisionLM(DecisionVocabulary(space.schema), dim=16)
        >>> tiny = TinyBackend(model, Decisions(space.schema, space.legal))
        >>> question = Question("Decisions so far: 31\nNext: edge 1 to 2?", ("skip_connect", "nor_conv_3x3"))
        >>> tiny.choose("", [question])[0].probabilities.round(6).tolist()  # untrained
        [0.5, 0.5]
    """

    concurrency = 1

    def __init__(
        self,
        model: DecisionLM,
        decisions: Decisions,
        name: str | None = None,
        seed: int = 0,
        temperature: float = 1.0,
    ) -> None:
        check_schema(model.schema, decisions.schema)
        if model.vocabulary.num_conditions:
            raise ConfigError(f"Expected a model without conditions, got one of {model.vocabulary.num_conditions}.")
        if temperature <= 0:
            raise ConfigError(f"Expected a positive temperature, got {temperature}.")
        self.model, self.decisions, self.seed, self.temperature = model.eval(), decisions, seed, temperature
        self.name = name or f"tiny/{_hash_of(model)} temperature={temperature} seed={seed}"

    def choose(self, state: str, questions: Sequence[Question]) -> list[Answer]:
        """Probabilities of the options after the decisions that each question tells."""
        made = [decisions_so_far(question.text) for question in questions]
        options = [self._labels(len(text), q.options) for text, q in zip(made, questions, strict=True)]
        usage = [Usage(len(text) + 1, 1) for text in made]
        return [Answer.of(p[o], u) for p, o, u in zip(self._next(made), options, usage, strict=True)]

    def complete(self, messages: Sequence[Message], grammar: Grammar | None = None, draw: int = 0) -> Reply:
        """A legal text, each symbol drawn with its probability among the legal ones; without a grammar nothing."""
        start, prompt = time.monotonic(), "\n".join(message["content"] for message in messages)
        if grammar is None:
            return Reply("", "empty")
        digest = hashlib.blake2b(f"{self.seed}\0{draw}\0{prompt}".encode(), digest_size=8).digest()
        rng, made = np.random.default_rng(int.from_bytes(digest, "little")), decisions_so_far(prompt)
        text, state = "", 0
        for symbols, layer in zip(grammar.symbols, grammar.automaton.layers, strict=True):
            legal = np.flatnonzero(layer[state] >= 0)
            p = self._next([made + text])[0][legal] if len(legal) > 1 else np.ones(1)
            label = int(legal[rng.choice(len(legal), p=p / p.sum())])
            text, state = text + str(symbols[label]), int(layer[state, label])
        usage = Usage(len(made) + 1, len(text))
        return Reply(text, usage=usage, seconds=time.monotonic() - start)

    @torch.inference_mode()
    def _next(self, made: Sequence[str]) -> list[FloatArray]:
        """Probabilities of all labels after each beginning, ``(L,)`` each."""
        D = np.zeros((len(made), len(self.decisions)), dtype=np.int64)
        for row, text in zip(D, made, strict=True):
            row[: len(text)] = self.decisions.read(text)[0]
        places = torch.tensor([len(text) for text in made])
        with one_thread():
            logits = self.model(torch.from_numpy(D).to(self.model.device), torch.zeros(len(D), 0))
        p = logits[torch.arange(len(made)), places].double().div(self.temperature).softmax(-1).cpu().numpy()
        return list(p)

    def _labels(self, t: int, names: Sequence[str]) -> NDArray[np.intp]:
        """The label of each option by its name."""
        known = {name: label for label, name in self.decisions.shown(t).items()}
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ConfigError(
                f"Expected options of {self.decisions.name(t)} under their own names, such as "
                f"{next(iter(known))}, got {shown(unknown[0])}."
            )
        return np.array([known[name] for name in names], dtype=np.intp)


def _hash_of(model: DecisionLM) -> str:
    """Of all weights, in order."""
    digest = hashlib.blake2b(digest_size=8)
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode() + tensor.detach().cpu().numpy().tobytes())
    return digest.hexdigest()
