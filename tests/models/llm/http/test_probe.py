from __future__ import annotations

import pytest

from gennas.models.llm import Grammar, Reply, ServerError
from gennas.models.llm.backend import UnavailableError
from gennas.models.llm.http.probe import PROBE, label_grammar, probe, riddle


def test_only_what_is_enforced_counts() -> None:
    """A refusal, two kinds of ignoring, then the one that works; what stands behind it is not asked."""

    def ask(field: str, grammar: Grammar) -> Reply:
        if field == "a":
            raise ServerError("status 400")
        if field == "d":
            return Reply("".join(str(row[0]) for row in grammar.symbols))
        return Reply("hello" if field == "b" else "", "ok" if field == "b" else "empty")

    assert probe(ask, ("a", "b", "c", "d", "e"), "m") == {
        "a": "refused: status 400", "b": "ignored (ok)", "c": "ignored (empty)", "d": "enforced",
    }  # fmt: skip


@pytest.mark.parametrize("status", [None, 429, 503])
def test_a_busy_server_is_not_taken_for_one_that_refuses(status: int | None) -> None:
    def ask(field: str, grammar: Grammar) -> Reply:
        raise UnavailableError("busy", status)

    with pytest.raises(UnavailableError, match="busy"):
        probe(ask, ("a",), "m")


def test_a_status_of_500_is_a_refusal() -> None:
    def ask(field: str, grammar: Grammar) -> Reply:
        raise UnavailableError("status 500", 500)

    assert probe(ask, ("a",), "m") == {"a": "refused: status 500"}


def test_the_riddle_has_one_solution_that_the_prompt_does_not_tell() -> None:
    grammar = riddle("model")
    assert grammar.automaton.count() == 1 and len(grammar) == 8
    text = "".join(str(row[0]) for row in grammar.symbols)
    assert grammar.read(text) is not None and text not in PROBE[0]["content"]
    assert grammar.regex == "".join(f"[{c}]" for c in text)


def test_labels() -> None:
    grammar = label_grammar("ABC")
    assert grammar.gbnf == "root ::= [A-C]" and grammar.read("B") is not None and grammar.read("D") is None
