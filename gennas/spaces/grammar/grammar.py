"""Context-free grammars: rules, what is wrong with them, and how many derivations they have."""

from __future__ import annotations

import difflib
import math
import re
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from gennas.errors import ConfigError, shown
from gennas.spaces.grammar.terminals import TERMINALS

__all__ = ["Alternative", "Grammar", "Term"]

_TOKEN = re.compile(r"\s*([\w-]+|[(),])")
_NAME = re.compile(r"[A-Za-z][\w-]*")


@dataclass(frozen=True)
class Term:
    """A name with its parts: ``linear2(C, down)`` or ``relu``."""

    name: str
    parts: tuple[Term, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.parts))})" if self.parts else self.name

    def leaves(self) -> Iterator[str]:
        """Names without parts, from left to right."""
        if not self.parts:
            yield self.name
        for part in self.parts:
            yield from part.leaves()

    @classmethod
    def parse(cls, text: str) -> Term:
        """Read what ``str`` writes.

        Raises:
            ConfigError: it is no such text.
        """
        tokens, end = [], 0
        while match := _TOKEN.match(text, end):
            tokens.append(match[1])
            end = match.end()
        term, rest = (None, tokens) if text[end:].strip() or text.count("(") > 50 else _parsed(tokens)
        if term is None or rest:
            raise ConfigError(f"Expected a rule like 'linear2(C, down)', got {reprlib.repr(text)}.")
        return term


def _parsed(tokens: list[str]) -> tuple[Term | None, list[str]]:
    """A term at the start of the tokens, and the tokens after it; None where there is none."""
    if not tokens or not _NAME.fullmatch(tokens[0]):
        return None, tokens
    name, rest = tokens[0], tokens[1:]
    if rest[:1] != ["("]:
        return Term(name), rest
    parts: list[Term] = []
    while rest[:1] == [","] if parts else rest[:1] == ["("]:
        part, rest = _parsed(rest[1:])
        if part is None:
            return None, rest
        parts.append(part)
    return (Term(name, tuple(parts)), rest[1:]) if rest[:1] == [")"] else (None, rest)


@dataclass(frozen=True)
class Alternative:
    """One right side of a rule: its term, the non-terminals in it, and how choices name it."""

    term: Term
    children: tuple[str, ...]
    label: str


class Grammar:
    """Rules, by non-terminal, from which derivations start at ``start``.

    Args:
        start: the non-terminal that every derivation starts with.
        rules: alternatives of each non-terminal: terms of terminals (:data:`TERMINALS`) and non-terminals.
        shared: non-terminals that are derived once and used wherever they stand; in an order in which each comes after
            those whose rules name it. Every derivation must contain them.
        max_depth: most non-terminals inside each other; needed where rules are recursive.

    Raises:
        ConfigError: an unknown name (with the known ones), a wrong number of parts, rules that no derivation can end,
            recursion without a bound, or shared non-terminals that some derivation lacks.

    Example:
        >>> grammar = Grammar("N", {"N": ["linear2(OP, OP)", "OP"], "OP": ["id", "nor_conv_3x3"]})
        >>> grammar.count("N", grammar.depth)
        6
    """

    def __init__(
        self,
        start: str,
        rules: Mapping[str, Sequence[str]],
        shared: Sequence[str] = (),
        max_depth: int | None = None,
    ) -> None:
        self.start, self.shared, self.max_depth = start, tuple(shared), max_depth
        self._terms = {symbol: [Term.parse(text) for text in texts] for symbol, texts in rules.items()}
        self._check_names()
        self.rules = {symbol: self._alternatives(symbol) for symbol in self._terms}
        self._heights = self._least_heights()
        self._check_depth()
        self._check_shared()
        self._counts: dict[tuple[str, int | None], int] = {}
        self._widths: dict[tuple[str, int | None], int] = {}

    # ------------------------------------------------------------------ what is wrong with rules

    def _check_names(self) -> None:
        for symbol, terms in self._terms.items():
            if not _NAME.fullmatch(symbol) or symbol in TERMINALS or not terms:
                raise ConfigError(
                    f"Rule {shown(symbol)}: expected a name of its own for a non-terminal, and an alternative at least."
                )
            for term in terms:
                self._check_term(symbol, term)
        for name in (self.start, *self.shared):
            if name not in self._terms:
                raise ConfigError(f"Expected a non-terminal ({', '.join(self._terms) or 'none'}), got {shown(name)}.")

    def _check_term(self, symbol: str, term: Term) -> None:
        known = {**TERMINALS, **dict.fromkeys(self._terms, 0)}
        if term.name not in known:
            near = difflib.get_close_matches(term.name, known, n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]}? " if near else ""
            raise ConfigError(
                f"Rule {shown(symbol)}: unknown name {shown(term.name)}. {hint}"
                f"Non-terminals: {', '.join(self._terms)}; "
                f"terminals: {', '.join(TERMINALS)}."
            )
        if len(term.parts) != known[term.name]:
            raise ConfigError(
                f"Rule {shown(symbol)}: expected {known[term.name]} parts of {term.name}, got {len(term.parts)} in "
                f"'{term}'."
            )
        for part in term.parts:
            self._check_term(symbol, part)

    def _alternatives(self, symbol: str) -> list[Alternative]:
        terms = self._terms[symbol]
        texts = [str(term) for term in terms]
        return [
            Alternative(
                term,
                tuple(name for name in term.leaves() if name in self._terms),
                f"{symbol}:{term.name if not term.parts and texts.count(term.name) == 1 else i}",
            )
            for i, term in enumerate(terms)
        ]

    def _least_heights(self) -> dict[str, float]:
        """The fewest non-terminals inside each other in a derivation of each."""
        heights = dict.fromkeys(self.rules, math.inf)
        for _ in self.rules:
            for symbol, alternatives in self.rules.items():
                heights[symbol] = 1 + min(max((heights[c] for c in a.children), default=0) for a in alternatives)
        endless = [symbol for symbol, height in heights.items() if height == math.inf]
        if endless:
            raise ConfigError(
                f"No derivation of {shown(endless[0])} ever ends: expected an alternative without recursion."
            )
        return heights

    def _reachable(self, symbol: str) -> set[str]:
        found, edge = set[str](), [symbol]
        while edge:
            children = {c for s in edge for a in self.rules[s] for c in a.children} - found
            found |= children
            edge = list(children)
        return found

    def _check_depth(self) -> None:
        loops = [symbol for symbol in self.rules if symbol in self._reachable(symbol)]
        if loops and self.max_depth is None:
            raise ConfigError(f"The rule {shown(loops[0])} leads back to itself: expected a bound, max_depth.")
        if self.max_depth is not None and self.max_depth < self._heights[self.start]:
            raise ConfigError(
                f"Expected max_depth of at least {self._heights[self.start]:g}, which the shortest derivation of "
                f"{shown(self.start)} needs, got {self.max_depth}."
            )
        if any(symbol in self._reachable(symbol) for symbol in self.shared):
            raise ConfigError(f"Expected shared non-terminals that do not lead back to themselves, got {self.shared}.")
        if self.shared and self.max_depth is not None:
            raise ConfigError("Expected either shared non-terminals or max_depth, got both.")

    def _check_shared(self) -> None:
        always = {symbol: set(self.rules) for symbol in self.rules}
        for _ in self.rules:
            for symbol, alternatives in self.rules.items():
                always[symbol] = set.intersection(
                    *({c for c in a.children} | {d for c in a.children for d in always[c]} for a in alternatives)
                )
        for symbol in self.shared:
            if symbol not in always[self.start]:
                raise ConfigError(
                    f"Expected shared non-terminals that every derivation contains, got {shown(symbol)}: drop it there."
                )

    # ------------------------------------------------------------------ derivations

    @property
    def depth(self) -> int | None:
        """Non-terminals that may still be inside each other at the start; None for no bound."""
        return self.max_depth

    @cached_property
    def blocks(self) -> tuple[str, ...]:
        """What is derived on its own: the start, and the shared non-terminals."""
        return (self.start, *self.shared)

    def viable(self, symbol: str, depth: int | None) -> list[Alternative]:
        """Alternatives whose derivations can end within the depth."""
        if depth is None:
            return self.rules[symbol]
        return [a for a in self.rules[symbol] if all(self._heights[c] <= depth - 1 for c in a.children)]

    def children(self, alternative: Alternative, depth: int | None) -> list[tuple[str, int | None]]:
        """Non-terminals of an alternative that are derived in place, with the depth left to them."""
        left = None if depth is None else depth - 1
        return [(child, left) for child in alternative.children if child not in self.shared]

    def ways(self, alternative: Alternative, depth: int | None) -> int:
        """Number of derivations that begin with an alternative, without those of shared non-terminals."""
        return math.prod(self.count(*child) for child in self.children(alternative, depth))

    def count(self, symbol: str, depth: int | None) -> int:
        """Number of derivations of a non-terminal, exact, without those of shared non-terminals in it."""
        key = (symbol, depth)
        if key not in self._counts:
            self._counts[key] = sum(self.ways(a, depth) for a in self.viable(symbol, depth))
        return self._counts[key]

    @property
    def size(self) -> int:
        """Number of derivations, exact."""
        return math.prod(self.count(block, self.depth) for block in self.blocks)

    def width(self, symbol: str, depth: int | None) -> int:
        """Most choices in a derivation: one where there are alternatives, and those of the widest."""
        key = (symbol, depth)
        if key not in self._widths:
            viable = self.viable(symbol, depth)
            inner = max(sum(self.width(*child) for child in self.children(a, depth)) for a in viable)
            self._widths[key] = (len(viable) > 1) + inner
        return self._widths[key]
