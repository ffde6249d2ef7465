"""Whether a server really holds its replies to a grammar, or only answers 200 to a field that it ignores."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np

from gennas.models.llm.alphabet import LABELS
from gennas.models.llm.automaton import Automaton
from gennas.models.llm.backend import Message, Reply, ServerError, UnavailableError
from gennas.models.llm.grammar import Grammar

__all__ = ["PROBE", "label_grammar", "probe", "riddle"]

PROBE: tuple[Message, ...] = ({"role": "user", "content": "Reply with the word hello."},)
_LENGTH = 8
_ITS_FAULT = 500  # how some servers answer to fields that they cannot follow


def riddle(name: str) -> Grammar:
    """A grammar of one text that nobody would write unless held to it, another one for each name.

    Example:
        >>> riddle("a").gbnf == riddle("a").gbnf != riddle("b").gbnf
        True
    """
    digest = hashlib.blake2b(name.encode(), digest_size=_LENGTH).digest()
    symbols = np.array([[LABELS[byte % len(LABELS)]] for byte in digest])
    return Grammar("probe", Automaton(0, tuple(np.zeros((1, 1), dtype=np.intp) for _ in range(_LENGTH))), symbols)


def label_grammar(labels: str) -> Grammar:
    """The grammar of one decision with these labels."""
    return Grammar("options", Automaton(0, (np.zeros((1, len(labels)), dtype=np.intp),)), np.array([list(labels)]))


def probe(ask: Callable[[str, Grammar], Reply], fields: tuple[str, ...], name: str) -> dict[str, str]:
    """What each field does: ``enforced``, ``ignored``, or why the server refused; nothing behind the first enforced.

    Args:
        ask: sends :data:`PROBE` with a grammar in a field.
        fields: which to try, in order.
        name: of the model.

    Raises:
        UnavailableError: the server is busy or away, which says nothing about its fields.
    """
    found: dict[str, str] = {}
    grammar = riddle(name)
    for field in fields:
        try:
            reply = ask(field, grammar)
        except ServerError as error:
            if isinstance(error, UnavailableError) and error.status != _ITS_FAULT:
                raise  # which says nothing about the field
            found[field] = f"refused: {error}"
            continue
        enforced = grammar.read(reply.text) is not None
        found[field] = "enforced" if enforced else f"ignored ({reply.outcome})"
        if enforced:
            break
    return found
