"""GBNF, regular expression and JSON Schema of the same decisions, and the way back from a reply."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gennas.graph import IntArray
from gennas.models.llm.alphabet import SYMBOLS
from gennas.models.llm.automaton import Automaton, GrammarTooLargeError, automaton
from gennas.models.llm.decisions import Decisions

__all__ = ["Grammar", "grammar_of"]

_KEY = "architecture"


@dataclass(frozen=True, eq=False)
class Grammar:
    """What a reply may be: the symbols of some decisions in a row.

    The text forms are made of one automaton, so that they accept the same. One symbol is one decision in each: a plain
    text ``313323``; or, as JSON, ``{"d1": "3", "d2": "1", …}`` where decisions do not depend on each other, else
    ``{"architecture": "313323"}``.

    Args:
        name: the space's name, for messages.
        automaton: what is legal.
        symbols: symbol of each label at each of its decisions, ``(length, L)``.
        most_letters: longest text of a grammar.
        most_strings: most architectures that a JSON Schema lists.

    Example:
        >>> from gennas.spaces import NASBench201
        >>> grammar = grammar_of(Decisions(NASBench201().schema, NASBench201().legal))
        >>> grammar.gbnf
        'root ::= [0-4] [0-4] [0-4] [0-4] [0-4] [0-4]'
        >>> grammar.regex, grammar.read(' 313323 ').tolist(), grammar.read("I think 3")
        ('[0-4][0-4][0-4][0-4][0-4][0-4]', [3, 1, 3, 3, 2, 3], None)
    """

    name: str
    automaton: Automaton
    symbols: NDArray[np.str_]
    most_letters: int = 100_000
    most_strings: int = 500

    def __len__(self) -> int:
        """Number of decisions that a reply makes."""
        return len(self.automaton.layers)

    # ------------------------------------------------------------------ forms

    @cached_property
    def gbnf(self) -> str:
        """The grammar in the notation of llama.cpp.

        Raises:
            GrammarTooLargeError: it would be longer than ``most_letters``.
        """
        rules: dict[str, str] = {}
        todo = [("root", 0, 0)]
        size = 0
        while todo:
            name, layer, state = todo.pop()
            if name in rules:
                continue
            ways = []
            for symbols, follow in self._ways(layer, state):
                text, at = symbols, layer + 1
                while at < len(self) and len(ways_on := self._ways(at, follow)) == 1:
                    text, follow, at = f"{text} {ways_on[0][0]}", ways_on[0][1], at + 1
                if at < len(self):
                    text += f" s{at}-{follow}"
                    todo.append((f"s{at}-{follow}", at, follow))
                ways.append(text)
            rules[name] = f"{name} ::= {' | '.join(ways)}"
            size += len(rules[name])
            self._bound("GBNF grammar", size)
        return "\n".join(rules.values())

    @cached_property
    def regex(self) -> str:
        """The regular expression of all replies.

        Raises:
            GrammarTooLargeError: it would be longer than ``most_letters``.
        """
        cuts = [t for t, layer in enumerate(self.automaton.layers) if len(layer) == 1]
        parts = [self._part(a, b) for a, b in zip(cuts, [*cuts[1:], len(self)], strict=True)]
        return "".join(parts)

    def _part(self, start: int, end: int) -> str:
        """Expression from the one state of layer ``start`` to the one state before layer ``end``."""
        after = [""]
        for layer in range(end - 1, start - 1, -1):
            texts = []
            for state in range(len(self.automaton.layers[layer])):
                ways = [f"{symbols}{after[follow]}" for symbols, follow in self._ways(layer, state)]
                texts.append(ways[0] if len(ways) == 1 else f"(?:{'|'.join(ways)})")
                self._bound("regular expression", len(texts[-1]))
            after = texts
        return after[0]

    @cached_property
    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema of all replies: objects, strings and ``enum`` only, which every server reads alike.

        Raises:
            GrammarTooLargeError: decisions depend on each other and there are more than ``most_strings`` replies.
        """
        fields = (
            {key: self._enum(layer) for layer, key in enumerate(self._keys)}
            if self.automaton.is_product
            else {_KEY: {"type": "string", "enum": self._strings()}}
        )
        return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}

    def _enum(self, layer: int) -> dict[str, Any]:
        legal = np.flatnonzero(self.automaton.layers[layer][0] >= 0)
        return {"type": "string", "enum": self.symbols[layer, legal].tolist()}

    @property
    def _keys(self) -> list[str]:
        return [f"d{self.automaton.first + t + 1}" for t in range(len(self))]

    def _strings(self) -> list[str]:
        number = self.automaton.count()
        if number > self.most_strings:
            raise GrammarTooLargeError(
                f"{self.name}: a JSON Schema would be too large: decisions depend on each other, and there are "
                f"{number:,} texts (at most {self.most_strings}). Ask decision by decision, or for fewer at a time."
            )
        found = [("", 0)]
        for layer, rows in enumerate(self.automaton.layers):
            found = [
                (text + str(self.symbols[layer, label]), int(rows[state, label]))
                for text, state in found
                for label in np.flatnonzero(rows[state] >= 0)
            ]
        return [text for text, _ in found]

    def _bound(self, what: str, letters: int) -> None:
        if letters > self.most_letters:
            raise GrammarTooLargeError(
                f"{self.name}: a {what} of {self.automaton.num_states:,} states would be too large: more than "
                f"{self.most_letters:,} letters. Ask decision by decision, or for fewer decisions at a time."
            )

    def _ways(self, layer: int, state: int) -> list[tuple[str, int]]:
        """Classes of symbols with the same next state, and that state."""
        row = self.automaton.layers[layer][state]
        follows = dict.fromkeys(row[row >= 0].tolist())
        return [(_class("".join(self.symbols[layer, row == follow].tolist())), follow) for follow in follows]

    # ------------------------------------------------------------------ back

    def read(self, reply: str) -> IntArray | None:
        """The labels ``(length,)`` of a reply in either form, or None if it is not exactly a legal one."""
        text = reply.strip()
        if text.startswith("{"):
            text = self._unpacked(text)
        if len(text) != len(self):
            return None
        labels, state = np.zeros(len(self), dtype=np.int16), 0
        for layer, symbol in enumerate(text):
            follow = self.automaton.layers[layer][state]
            legal = np.flatnonzero((self.symbols[layer] == symbol) & (follow >= 0))
            if not len(legal):
                return None
            labels[layer], state = legal[0], int(follow[legal[0]])
        return labels

    def _unpacked(self, text: str) -> str:
        """The symbols in a JSON object; empty if there are none."""
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            return ""
        if set(content) == {_KEY}:
            return content[_KEY] if isinstance(content[_KEY], str) else ""
        if set(content) == set(self._keys) and all(isinstance(v, str) and len(v) == 1 for v in content.values()):
            return "".join(content[key] for key in self._keys)
        return ""


def grammar_of(
    decisions: Decisions, prefix: NDArray[np.integer] | None = None, most: int = 2**18, whole: bool = True
) -> Grammar:
    """The grammar of what may follow ``prefix``, see :func:`automaton`.

    Raises:
        GrammarTooLargeError: ``whole`` and too much may follow.
    """
    found = automaton(decisions, prefix, most, whole)
    start = found.first
    return Grammar(decisions.schema.name, found, decisions.symbols[start : start + len(found.layers)])


def _class(symbols: str) -> str:
    """A character class, with runs of neighbours as ranges."""
    places = sorted(SYMBOLS.index(s) for s in symbols)
    if (
        len(places) > 2
        and places[-1] - places[0] == len(places) - 1
        and ord(SYMBOLS[places[-1]]) - ord(SYMBOLS[places[0]]) == len(places) - 1
    ):
        return f"[{SYMBOLS[places[0]]}-{SYMBOLS[places[-1]]}]"
    return f"[{''.join(SYMBOLS[p] for p in places)}]"
