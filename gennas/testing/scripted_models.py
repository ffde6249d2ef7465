"""Language models that follow a script: one that knows, one that misleads, one that memorised, one that listens.

Doubles behind the protocol :class:`gennas.models.llm.Backend`, for tests and benchmarks of what is built on language
models. They read nothing but the prompt, as a model would: the decisions that were made, the options, the history.
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from gennas.errors import ConfigError
from gennas.graph import IntArray
from gennas.models.llm import Answer, Decisions, Grammar, Message, Question, Reply, Usage
from gennas.models.llm.propose import completed, decisions_so_far

__all__ = ["Adversary", "Follower", "Ignorant", "Memoriser", "Oracle", "Scripted", "Truth"]

FloatArray = NDArray[np.float64]

Truth = Callable[[IntArray], FloatArray]
"""``truth(D (b, d)) -> (b,)``: how good architectures are; more is better."""

_LEGEND = re.compile(r"^Decisions ([\d, to]+): (.+ = .+)$", re.MULTILINE)
_SHOWN = re.compile(r"^\W*(\S+?)[\s:,;|=]+(?:(?:has|is)\s+)?(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\W*$", re.MULTILINE)


class Scripted(ABC):
    """What the doubles share: both calls are made of :meth:`weights`, one decision at a time.

    :meth:`choose` weighs the options that are shown; :meth:`complete` writes a text of the grammar by drawing symbol
    after symbol, each among the legal ones. The same prompt and draw always get the same answer. Every word of a prompt
    counts as a token, and every symbol of an answer.

    Args:
        decisions: those of the space, under their own names.
        name: of the model; everything that changes what it says belongs into it.
        seed: of what is random in it.

    Raises:
        ConfigError: a question shows an option that is neither in the prompt's legend nor in ``decisions``.
    """

    concurrency = 1

    def __init__(self, decisions: Decisions, name: str, seed: int = 0) -> None:
        self.decisions, self.seed = decisions, seed
        self.name = f"scripted/{name} seed={seed}"

    @abstractmethod
    def weights(
        self, prompt: str, made: Sequence[str], options: Sequence[str], rng: np.random.Generator
    ) -> list[FloatArray]:
        """Weights of the options of each question, not negative, in any unit.

        Args:
            prompt: the text that all questions share.
            made: symbols of the decisions before each.
            options: symbols of the options of each, as they are shown.
            rng: the same for the same prompt.
        """

    def choose(self, state: str, questions: Sequence[Question]) -> list[Answer]:
        """Weights of the options as probabilities; what is asked about other things than decisions nobody knows."""
        if not all("Next: " in question.text for question in questions):
            return [Answer.of([1.0] * len(q.options), Usage(len(f"{state}\n{q.prompt}".split()), 1)) for q in questions]
        made = [decisions_so_far(question.text) for question in questions]
        options = [self._symbols(state, len(m), q.options) for m, q in zip(made, questions, strict=True)]
        found = self.weights(state, made, options, self._rng(state, *made))
        texts = [f"{state}\n{question.prompt}" for question in questions]
        return [Answer.of(w, Usage(len(text.split()), 1)) for w, text in zip(found, texts, strict=True)]

    def complete(self, messages: Sequence[Message], grammar: Grammar | None = None, draw: int = 0) -> Reply:
        """A legal text, drawn symbol by symbol; without a grammar nothing."""
        prompt = "\n".join(message["content"] for message in messages)
        if grammar is None:
            return Reply("", "empty", Usage(len(prompt.split()), 0))
        rng, made, state, text = self._rng(prompt, str(draw)), decisions_so_far(prompt), 0, ""
        for symbols, layer in zip(grammar.symbols, grammar.automaton.layers, strict=True):
            legal = np.flatnonzero(layer[state] >= 0)
            options = "".join(symbols[legal].tolist())
            w = self.weights(prompt, [made + text], [options], rng)[0] if len(legal) > 1 else np.ones(1)
            pick = int(rng.choice(len(legal), p=w / w.sum()))
            text, state = text + options[pick], int(layer[state, legal[pick]])
        return Reply(text, usage=Usage(len(prompt.split()), len(text)))

    def _rng(self, *texts: str) -> np.random.Generator:
        digest = hashlib.blake2b("\0".join([str(self.seed), *texts]).encode(), digest_size=8).digest()
        return np.random.default_rng(int.from_bytes(digest, "little"))

    def _symbols(self, prompt: str, t: int, names: Sequence[str]) -> str:
        """The symbol of each option: by the prompt's legend, else as it stands, else by the space's own names."""
        if all(len(name) == 1 for name in names):
            return "".join(names)
        known = {name: str(self.decisions.symbols[t, label]) for label, name in self.decisions.shown(t).items()}
        known |= _legend(prompt, t)
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ConfigError(
                f"Expected options like {', '.join(list(known)[:3])} at decision {t + 1}, got {unknown[0]}."
            )
        return "".join(known[name] for name in names)


def _legend(prompt: str, t: int) -> dict[str, str]:
    """Symbols by name at decision ``t``, as a line like ``Decisions 1 to 6: 0 = none; 1 = skip`` explains them."""
    for places, content in _LEGEND.findall(prompt):
        for part in places.split(","):
            first, _, last = part.partition("to")
            if int(first) <= t + 1 <= int(last or first):
                pairs = (pair.split(" = ", 1) for pair in content.split("; "))
                return {name: symbol for symbol, name in pairs}
    return {}


class Ignorant(Scripted):
    """Knows nothing: every option is as good as any other.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> space = NASBench201()
        >>> model = Ignorant(Decisions(space.schema, space.legal, space.completions))
        >>> model.choose("", [Question("Next: edge 0 to 1?", ("none", "skip_connect"))])[0].probabilities.tolist()
        [0.5, 0.5]
    """

    def __init__(self, decisions: Decisions, seed: int = 0) -> None:
        super().__init__(decisions, "ignorant", seed)

    def weights(
        self, prompt: str, made: Sequence[str], options: Sequence[str], rng: np.random.Generator
    ) -> list[FloatArray]:
        """Ones."""
        return [np.ones(len(symbols)) for symbols in options]


class Oracle(Scripted):
    r"""Ranks options by a noisy truth, whatever the prompt shows.

    An option is worth the best of ``samples`` random architectures that go on with it, under the belief

    .. math:: b(a) = \frac{f(a) - \mu}{\sigma} + \text{noise} \cdot \epsilon_a

    of the truth ``f``, its mean and standard deviation over random architectures, and a standard normal error
    :math:`\epsilon_a` of each architecture, always the same. Weights are :math:`e^{s\,b}` with sharpness ``s``.

    Args:
        decisions: those of the space.
        truth: how good architectures are.
        noise: of its belief, in standard deviations of the truth.
        sharpness: how strongly it prefers what it believes in.
        samples: completions of each option that it looks at.
        seed: of its errors.

    Raises:
        ConfigError: noise or sharpness is negative, or there are no samples.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> space = NASBench201()
        >>> oracle = Oracle(Decisions(space.schema, space.legal), lambda D: (D == 3).sum(1), sharpness=50)
        >>> question = Question("Decisions so far: 33333\nNext: edge 2 to 3?", ("none", "nor_conv_3x3"))
        >>> oracle.choose("", [question])[0].probabilities.round(3).tolist()
        [0.0, 1.0]
    """

    sign = 1.0

    def __init__(
        self,
        decisions: Decisions,
        truth: Truth,
        noise: float = 0.0,
        sharpness: float = 4.0,
        samples: int = 32,
        seed: int = 0,
    ) -> None:
        if noise < 0 or sharpness < 0 or samples < 1:
            raise ConfigError(
                f"Expected noise and sharpness of 0 or more and a sample, got {noise}, {sharpness} and {samples}."
            )
        kind = type(self).__name__.lower()
        super().__init__(decisions, f"{kind} noise={noise} sharpness={sharpness} samples={samples}", seed)
        self.truth, self.noise, self.sharpness, self.samples = truth, noise, sharpness, samples
        some = completed(decisions, np.zeros((512, len(decisions)), np.int16), 0, np.random.default_rng(0))
        values = np.asarray(truth(some), dtype=np.float64)
        self._centre, self._scale = float(values.mean()), float(values.std()) or 1.0

    def belief(self, D: IntArray) -> FloatArray:
        """How good it thinks that architectures are, in standard deviations, ``(b,)``."""
        values = (np.asarray(self.truth(D), dtype=np.float64) - self._centre) / self._scale
        return self.sign * values + self.noise * _errors(D, self.seed)

    def weights(
        self, prompt: str, made: Sequence[str], options: Sequence[str], rng: np.random.Generator
    ) -> list[FloatArray]:
        """Exponentials of the belief in the best completion that it looks at."""
        best = np.concatenate(
            [
                self._best(
                    [m + s for m, symbols in zip(made, options, strict=True) for s in symbols if len(m) == t], rng
                )
                for t in sorted({len(m) for m in made})
            ]
        )
        order = np.argsort(
            np.concatenate([np.full(len(o), len(m)) for m, o in zip(made, options, strict=True)]), kind="stable"
        )
        values = np.empty(len(best))
        values[order] = best
        ends = np.cumsum([len(symbols) for symbols in options])[:-1]
        return [np.exp(self.sharpness * (part - part.max())) for part in np.split(values, ends)]

    def _best(self, beginnings: Sequence[str], rng: np.random.Generator) -> FloatArray:
        """Belief in the best of some random completions of each beginning, all of one length."""
        length = len(beginnings[0])
        D = np.zeros((len(beginnings), len(self.decisions)), dtype=np.int16)
        D[:, :length] = np.concatenate([self.decisions.read(text) for text in beginnings])
        full = completed(self.decisions, np.repeat(D, self.samples, axis=0), length, rng)
        best: FloatArray = self.belief(full).reshape(-1, self.samples).max(1)
        return best


class Adversary(Oracle):
    """As :class:`Oracle`, but what it prefers is bad: its belief is that of the negative truth."""

    sign = -1.0


class Memoriser(Scripted):
    """Answers the best architecture that it has memorised, if the prompt names the operations; else it knows nothing.

    It also recalls values: asked about ``Architecture …`` with numbers as options, it picks the one nearest to the
    value that it memorised, under the same condition.

    Args:
        decisions: those of the space.
        memory: architectures ``(b, d)`` that it memorised.
        values: their values, more is better.
        seed: of what it draws where it knows nothing.
    """

    def __init__(self, decisions: Decisions, memory: IntArray, values: FloatArray, seed: int = 0) -> None:
        super().__init__(decisions, "memoriser", seed)
        texts = decisions.write(memory)
        self.best = texts[int(np.argmax(values))]
        self.memory = dict(zip(texts, np.asarray(values, dtype=np.float64).tolist(), strict=True))
        names = {name for t in range(len(decisions)) for name in decisions.shown(t).values()}
        self._names = frozenset(name for name in names if len(name) > 2)

    def choose(self, state: str, questions: Sequence[Question]) -> list[Answer]:
        """As others, but for questions about values."""
        asked = [re.search(r"Architecture (\S+?):?\s", question.text) for question in questions]
        if not all(asked):
            return super().choose(state, questions)
        return [self._recalled(state, q, m.group(1)) for q, m in zip(questions, asked, strict=True) if m]

    def _recalled(self, state: str, question: Question, text: str) -> Answer:
        value = self.memory.get(text) if self._is_named(state) else None
        numbers = np.array([float(option) for option in question.options])
        nearest = np.ones(len(numbers)) if value is None else np.abs(numbers - value) == np.abs(numbers - value).min()
        return Answer.of(nearest.astype(np.float64), Usage(len(f"{state} {question.prompt}".split()), 1))

    def _is_named(self, prompt: str) -> bool:
        return bool(self._names) and all(name in prompt for name in self._names)

    def weights(
        self, prompt: str, made: Sequence[str], options: Sequence[str], rng: np.random.Generator
    ) -> list[FloatArray]:
        """All on the memorised decision as long as the ones before are memorised, too."""
        known = self._is_named(prompt)
        found = []
        for before, symbols in zip(made, options, strict=True):
            wish = symbols.find(self.best[len(before)]) if known and self.best.startswith(before) else -1
            found.append(np.ones(len(symbols)) if wish < 0 else np.eye(len(symbols))[wish])
        return found


class Follower(Scripted):
    """Knows nothing beforehand and follows the history that the prompt shows: near the best ones of it.

    Lines that are an architecture's symbols and a number are the history. Of its ``parents`` best architectures (the
    lowest ones where the prompt says "minimise") every decision takes what they have there with probability
    ``1 - explore``, else any option. The names of operations mean nothing to it.

    Args:
        decisions: those of the space.
        parents: how many of the best it follows.
        explore: probability of any option at all.
        seed: of its draws.
    """

    def __init__(self, decisions: Decisions, parents: int = 2, explore: float = 0.2, seed: int = 0) -> None:
        if parents < 1 or not 0 <= explore <= 1:
            raise ConfigError(f"Expected a parent and a probability, got parents={parents}, explore={explore}.")
        super().__init__(decisions, f"follower parents={parents} explore={explore}", seed)
        self.parents, self.explore = parents, explore

    def weights(
        self, prompt: str, made: Sequence[str], options: Sequence[str], rng: np.random.Generator
    ) -> list[FloatArray]:
        """Frequencies among the best that are shown, mixed with uniform ones."""
        shown = {text: float(number) for text, number in _SHOWN.findall(prompt) if len(text) == len(self.decisions)}
        sign = 1 if re.search("minimise|lowest", prompt, re.IGNORECASE) else -1
        best = sorted(shown, key=lambda text: sign * shown[text])[: self.parents]
        found = []
        for before, symbols in zip(made, options, strict=True):
            taken = np.array([sum(text[len(before)] == s for text in best) for s in symbols], dtype=np.float64)
            share = taken / taken.sum() if taken.any() else np.full(len(symbols), 1 / len(symbols))
            found.append((1 - self.explore) * share + self.explore / len(symbols))
        return found


def _errors(D: IntArray, seed: int) -> FloatArray:
    """A standard normal number of each row ``(b,)``, always the same for the same row and seed."""
    odd = np.random.default_rng(seed).integers(2**63, size=D.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    with np.errstate(over="ignore"):
        mixed = ((D.astype(np.uint64) + np.uint64(1)) * odd).sum(1, dtype=np.uint64)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # the finaliser of splitmix64
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        mixed ^= mixed >> np.uint64(31)
    uniform = (mixed >> np.uint64(11)).astype(np.float64) / 2**53
    found: FloatArray = ndtri(np.clip(uniform, 1e-12, 1 - 1e-12))
    return found
