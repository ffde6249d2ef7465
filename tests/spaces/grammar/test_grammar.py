"""Rules: parsing, faults, exact counts."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from gennas.errors import ConfigError
from gennas.spaces.grammar import Grammar
from gennas.spaces.grammar.grammar import Term

RULES = {"N": ["linear2(A, A)", "A", "residual1(A, OP)"], "A": ["sum2(OP, OP)", "OP"], "OP": ["id", "conv1x1", "relu"]}


def test_terms_are_read_and_written() -> None:
    text = "linear3(C, residual1(down, D), id)"
    term = Term.parse(f"  {text.replace(', ', ' ,')} ")
    assert str(term) == text and list(term.leaves()) == ["C", "down", "D", "id"]


@pytest.mark.parametrize(
    "text", ["", "a(", "a)", "a(b,)", "a()", "a b", "a(b)(c)", "(a)", "a(b c)", "3a", "a;b", "a(" * 99]
)
def test_malformed_terms_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="Expected a rule like"):
        Term.parse(text)


def test_counts_are_those_of_all_derivations() -> None:
    def derivations(symbol: str) -> list[str]:
        found = []
        for text in RULES[symbol]:
            children = [name for name in Term.parse(text).leaves() if name in RULES]
            found += [f"{text}[{';'.join(ways)}]" for ways in product(*map(derivations, children))]
        return found

    grammar = Grammar("N", RULES)
    assert grammar.size == len(set(derivations("N"))) == (12**2 + 12 + 12 * 3)
    assert grammar.width("N", None) == 1 + 2 * 3


def test_shared_non_terminals_are_derived_once() -> None:
    grammar = Grammar("N", {"N": ["linear2(OP, OP)", "linear3(OP, OP, OP)"], "OP": ["id", "relu"]}, ["OP"])
    assert grammar.size == 2 * 2 and grammar.blocks == ("N", "OP")


def test_recursion_is_bounded_by_depth() -> None:
    """With n inside each other: f(1) = 2 leaves, f(n) = 2 + f(n - 1)^2."""
    rules = {"N": ["id", "relu", "linear2(N, N)"]}
    assert [Grammar("N", rules, max_depth=n).size for n in (1, 2, 3, 4)] == [2, 6, 38, 1446]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"rules": {"N": ["conv3x4"]}},
            "Rule 'N': unknown name 'conv3x4'. Did you mean conv3x3? Non-terminals: N; term",
        ),
        ({"rules": {"N": ["linear2(id)"]}}, r"expected 2 parts of linear2, got 1 in 'linear2\(id\)'"),
        ({"rules": {"N": ["id(relu)"]}}, "expected 0 parts of id, got 1"),
        ({"rules": {"N": []}}, "Rule 'N': expected .* an alternative at least"),
        ({"rules": {"id": ["relu"], "N": ["id"]}}, "Rule 'id': expected a name of its own"),
        ({"rules": {"N N": ["relu"]}}, "Rule 'N N': expected a name"),
        ({"rules": {"M": ["relu"]}}, r"Expected a non-terminal \(M\), got 'N'"),
        ({"rules": {"N": ["linear2(N, N)"]}}, "No derivation of 'N' ever ends"),
        ({"rules": {"N": ["linear2(N, N)", "id"]}}, "'N' leads back to itself: expected a bound, max_depth"),
        ({"rules": {"N": ["linear2(A, A)"], "A": ["id"]}, "max_depth": 1}, "max_depth of at least 2, .* got 1"),
        ({"rules": {"N": ["A", "id"], "A": ["id"]}, "shared": ["A"]}, "every derivation contains, got 'A'"),
        ({"rules": {"N": ["A"], "A": ["id"]}, "shared": ["B"]}, "got 'B'"),
        ({"rules": {"N": ["A"], "A": ["id"]}, "shared": ["A"], "max_depth": 4}, "either shared .* or max_depth"),
    ],
)
def test_faults_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")):
        Grammar("N", **arguments)
