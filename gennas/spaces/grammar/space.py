"""The base class of spaces whose architectures are derivations of a grammar."""

from __future__ import annotations

import hashlib
import re
import reprlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from gennas.errors import ConfigError, InvalidArchitectureError
from gennas.graph import Architecture, GraphSchema, Population
from gennas.spaces.base import BoolArray, FloatArray, Space
from gennas.spaces.grammar.grammar import Alternative, Grammar
from gennas.spaces.spec import TaskSpec

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Derivation", "GrammarSpace"]

_OFF = "off"
_EXACT = 2**45  # larger spaces give completions in proportion
_MOST_SLOTS = 4096
_TOKEN = re.compile(r"[^\s()]+|[()]")


@dataclass(frozen=True, eq=False)
class Derivation:
    """A non-terminal, the alternative that was chosen for it, and the derivations of the non-terminals in that."""

    symbol: str
    alternative: Alternative
    children: tuple[Derivation, ...]


class GrammarSpace(Space):
    """Networks that are derivations of a context-free grammar (after Schrodi et al. 2023, arXiv 2211.01842).

    A decision is the choice of an alternative, in the order of the leftmost derivation. Slots are laid out for the
    widest derivation: all alternatives of a non-terminal begin at the same slot, and slots that the chosen one does
    not reach are ``off``, and only these. So every derivation has one representation; all are counted exactly and
    sampled uniformly.

    The text is the derivation: ``N:1(OP:id OP:nor_conv_3x3)``, one expression for the start and for every shared
    non-terminal; a non-terminal with a single alternative stands without one.

    Networks are a 3x3 convolution, what the derivation says, and a linear classifier of the mean.

    Args:
        name: name of the space.
        grammar: the rules.
        width: channels after the first convolution.

    Raises:
        ConfigError: there is nothing to choose, or the derivations are too large.
    """

    unshared: ClassVar[str] = "derivations of different shapes have no places in common"

    def __init__(self, name: str, grammar: Grammar, width: int = 16) -> None:
        if width < 1:
            raise ConfigError(f"{name}: expected a width of at least one channel, got {width}.")
        self.name, self.grammar, self.width = name, grammar, width
        slots = sum(grammar.width(block, grammar.depth) for block in grammar.blocks)
        if not 0 < slots <= _MOST_SLOTS:
            raise ConfigError(f"{name}: expected derivations with 1 to {_MOST_SLOTS:,} choices, got {slots:,}.")
        labels = dict.fromkeys(a.label for alternatives in grammar.rules.values() for a in alternatives)
        self._code = {label: i for i, label in enumerate([*labels, _OFF])}
        self._sites: list[list[_Site]] = [[] for _ in range(slots)]
        self._padding: list[list[_Site]] = [[] for _ in range(slots)]
        self._can_be_off = np.zeros(slots, dtype=bool)
        start, rest = 0, grammar.size
        for block in grammar.blocks:
            rest //= grammar.count(block, grammar.depth)
            self._lay_out(block, grammar.depth, start, (), rest)
            start += grammar.width(block, grammar.depth)
        rules = repr([(s, [str(a.term) for a in found]) for s, found in grammar.rules.items()])
        self._rules = hashlib.blake2b(rules.encode(), digest_size=8).hexdigest()  # part of the identity
        self.schema = self._schema()

    def _lay_out(self, symbol: str, depth: int | None, at: int, given: tuple[tuple[int, int], ...], rest: int) -> None:
        """Note where a non-terminal's choices stand, what must have been chosen before, and ways to go on after it."""
        grammar, viable = self.grammar, self.grammar.viable(symbol, depth)
        end, slot = at + grammar.width(symbol, depth), at
        if len(viable) > 1:
            weights = {self._code[a.label]: grammar.ways(a, depth) for a in viable}
            self._sites[at].append(_Site(given, weights, rest))
            at += 1
        for a in viable:
            before = (*given, (slot, self._code[a.label])) if len(viable) > 1 else given
            place, after = at, rest * grammar.ways(a, depth)
            for child, left in grammar.children(a, depth):
                after //= grammar.count(child, left)
                self._lay_out(child, left, place, before, after)
                place += grammar.width(child, left)
            self._can_be_off[place:end] = True
            if grammar.size <= _EXACT:
                for t in range(place, end):
                    self._padding[t].append(_Site(before, {self._code[_OFF]: 1}, rest))

    def _schema(self) -> GraphSchema:
        """A chain with one choice in each node."""
        n = len(self._sites)
        node_mask = np.zeros((n, len(self._code)), dtype=bool)
        for t, sites in enumerate(self._sites):
            for site in sites:
                node_mask[t, list(site.weights)] = True
        node_mask[:, -1] = self._can_be_off
        edge_mask = np.zeros((n, n, 2), dtype=bool)
        edge_mask[..., 0] = True
        edge_mask[np.arange(n - 1), np.arange(1, n)] = [False, True]
        return GraphSchema(self.name, tuple(self._code), ("none", "next"), node_mask, edge_mask, self._names())

    def _names(self) -> tuple[str, ...]:
        """``START 1``, ``START 2``, … for the choices of the start; those of each shared non-terminal are a group."""
        start, *shared = self.grammar.blocks
        widths = {block: self.grammar.width(block, self.grammar.depth) for block in self.grammar.blocks}
        names = [f"{start} {i + 1}" for i in range(widths[start])]
        return (*names, *(f"{block}.{i + 1}" for block in shared for i in range(widths[block])))

    @property
    def size(self) -> int:
        """Exact number of derivations."""
        return self.grammar.size

    def legal(self, D: NDArray[np.integer], t: int) -> BoolArray:
        """Alternatives of the non-terminal that stands at slot ``t``; only ``off`` where none does."""
        legal = np.zeros((len(D), self.schema.num_symbols), dtype=bool)
        legal[:, len(self._code) - 1] = True
        for site in self._sites[t]:
            legal[site.rows(D)] = site.mask(self.schema.num_symbols)
        return legal

    def completions(self, D: NDArray[np.integer], t: int) -> FloatArray:
        """Number of derivations after each label, ``(b, L)``; in proportion where the space passes 2^45."""
        counts = np.zeros((len(D), self.schema.num_symbols))
        counts[:, len(self._code) - 1] = 1.0
        exact = self.size <= _EXACT
        for site in (*self._sites[t], *self._padding[t]):
            counts[site.rows(D)] = site.counts(self.schema.num_symbols, exact)
        return counts

    # ------------------------------------------------------------------ derivations and text

    def derivation(self, arch: Architecture) -> Derivation:
        """The derivation from the start; a shared non-terminal is the same object wherever it stands."""
        labels = [self.schema.node_labels[x] for x in arch.nodes]
        shared: dict[str, Derivation] = {}
        start = sum(self.grammar.width(block, self.grammar.depth) for block in self.grammar.blocks)
        for block in reversed(self.grammar.blocks):  # those that are named come after those that name them
            start -= self.grammar.width(block, self.grammar.depth)
            shared[block] = self._derived(labels, block, self.grammar.depth, start, shared)
        return shared[self.grammar.start]

    def _derived(
        self, labels: list[str], symbol: str, depth: int | None, at: int, shared: dict[str, Derivation]
    ) -> Derivation:
        viable = self.grammar.viable(symbol, depth)
        alternative = next((a for a in viable if a.label == labels[at]), viable[0]) if len(viable) > 1 else viable[0]
        at += len(viable) > 1
        left = None if depth is None else depth - 1
        children = []
        for child in alternative.children:
            if child in self.grammar.shared:
                children.append(shared[child])
                continue
            children.append(self._derived(labels, child, left, at, shared))
            at += self.grammar.width(child, left)
        return Derivation(symbol, alternative, tuple(children))

    def to_text(self, arch: Architecture) -> str:
        """The derivations of the start and of the shared non-terminals: ``N:1(OP:id OP:nor_conv_3x3)``."""
        labels = [self.schema.node_labels[x] for x in arch.nodes]
        start, found = 0, []
        for block in self.grammar.blocks:
            found.append(self._written(labels, block, self.grammar.depth, start))
            start += self.grammar.width(block, self.grammar.depth)
        return " ".join(text for text in found if text)

    def _written(self, labels: list[str], symbol: str, depth: int | None, at: int) -> str:
        """The derivation of a non-terminal whose choices begin at a slot; empty where there is nothing to choose."""
        if not self.grammar.width(symbol, depth):
            return ""
        viable = self.grammar.viable(symbol, depth)
        chosen = next(a for a in viable if a.label == labels[at]) if len(viable) > 1 else viable[0]
        at += len(viable) > 1
        parts = []
        for child, left in self.grammar.children(chosen, depth):
            parts.append(self._written(labels, child, left, at))
            at += self.grammar.width(child, left)
        inner = " ".join(part for part in parts if part)
        return (chosen.label if len(viable) > 1 else symbol) + (f"({inner})" if inner else "")

    def from_text(self, text: str) -> Architecture:
        """Read what :meth:`to_text` writes.

        Raises:
            InvalidArchitectureError: it is no derivation of the grammar; the message says what was expected where.
        """
        tokens = _Tokens(self.name, text)
        D = np.full(len(self._sites), len(self._code) - 1, dtype=np.int16)
        start = 0
        for block in self.grammar.blocks:
            self._read(tokens, D, block, self.grammar.depth, start)
            start += self.grammar.width(block, self.grammar.depth)
        tokens.take(["the end"])
        return self.architecture(D)

    def _read(self, tokens: _Tokens, D: NDArray[np.int16], symbol: str, depth: int | None, at: int) -> None:
        """Read the derivation of a non-terminal into its slots."""
        if not self.grammar.width(symbol, depth):
            return
        viable = {a.label: a for a in self.grammar.viable(symbol, depth)}
        if len(viable) > 1:
            label = tokens.take(list(viable))
            D[at], chosen, at = self._code[label], viable[label], at + 1
        else:
            tokens.take([symbol])
            chosen = next(iter(viable.values()))
        children = self.grammar.children(chosen, depth)
        has_choices = any(self.grammar.width(*child) for child in children)
        if has_choices:
            tokens.take(["("])
        for child, left in children:
            self._read(tokens, D, child, left, at)
            at += self.grammar.width(child, left)
        if has_choices:
            tokens.take([")"])

    # ------------------------------------------------------------------ networks

    def scaled(self, width: float = 1.0, depth: float = 1.0) -> GrammarSpace:
        """The same space with ``width`` times the channels.

        Raises:
            ConfigError: another depth is asked for; it is part of the derivation.
        """
        if depth != 1:
            raise ConfigError(
                f"{self.name}: depth is part of the derivation, there is no such fidelity; leave it at 1."
            )
        return self._with_width(max(1, round(self.width * width)))

    def _with_width(self, width: int) -> GrammarSpace:
        return GrammarSpace(self.name, self.grammar, width)

    def build(self, arch: Architecture, spec: TaskSpec) -> nn.Module:
        """A 3x3 convolution, the derivation, and a linear classifier of the mean.

        Raises:
            ConfigError: parts beside each other end with different channels or sizes.
        """
        from gennas.spaces.grammar.networks import GrammarNetwork

        spec.require(self.name, "image")
        return GrammarNetwork(self.derivation(arch), spec, self.width)

    def count_parameters(self, population: Population, spec: TaskSpec) -> NDArray[np.int64]:
        """Weights of everything that is derived, of the first convolution and of the classifier, ``(b,)``."""
        from gennas.spaces.grammar.networks import network_parameters

        spec.require(self.name, "image")
        counted = [network_parameters(self.derivation(arch), spec, self.width) for arch in population]
        return np.array(counted, dtype=np.int64)


@dataclass(frozen=True)
class _Site:
    """A non-terminal that may stand at a slot.

    Args:
        given: earlier slots, and the labels that they must have for it to stand there.
        weights: derivations that begin with each label.
        rest: ways to go on after it.
    """

    given: tuple[tuple[int, int], ...]
    weights: dict[int, int]
    rest: int

    def rows(self, D: NDArray[np.integer]) -> BoolArray:
        """Where it stands, ``(b,)``."""
        rows = np.ones(len(D), dtype=bool)
        for slot, code in self.given:
            rows &= D[:, slot] == code
        return rows

    def mask(self, width: int) -> BoolArray:
        """Labels that it admits, ``(L,)``."""
        mask = np.zeros(width, dtype=bool)
        mask[list(self.weights)] = True
        return mask

    def counts(self, width: int, exact: bool) -> FloatArray:
        """Derivations that follow each label, or numbers in proportion to them, ``(L,)``."""
        counts, most = np.zeros(width), max(self.weights.values())
        for code, ways in self.weights.items():
            counts[code] = ways * self.rest if exact else max(ways / most, _LEAST)
        return counts


_LEAST = 1e-300  # a proportion that float64 would round to none


class _Tokens:
    """The words and brackets of a text, taken one after the other."""

    def __init__(self, space: str, text: str) -> None:
        self._space, self._text = space, text
        self._tokens: Iterator[str] = (match[0] for match in _TOKEN.finditer(text))

    def take(self, expected: list[str]) -> str:
        """The next one.

        Raises:
            InvalidArchitectureError: it is none of those expected.
        """
        token = next(self._tokens, "the end")
        if token not in expected:
            raise InvalidArchitectureError(
                f"{self._space}: expected {' or '.join(expected)}, got {token[:40]!r} in {reprlib.repr(self._text)}."
            )
        return token
