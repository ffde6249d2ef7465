from __future__ import annotations

import itertools
import json
import re

import numpy as np
import pytest

from gennas.graph import GraphSchema
from gennas.models.llm import Decisions, Grammar, GrammarTooLargeError, grammar_of
from gennas.spaces import SPACES


def decisions_of(name: str) -> Decisions:
    space = SPACES.get(name)()
    return Decisions(space.schema, space.legal, space.completions)


def accepted_by_gbnf(gbnf: str) -> set[str]:
    """All texts of a grammar of character classes and rules, expanded by hand."""
    rules = dict(line.split(" ::= ") for line in gbnf.splitlines())

    def texts(rule: str) -> list[str]:
        found = []
        for way in rules[rule].split(" | "):
            parts = [members(p) if p.startswith("[") else texts(p) for p in way.split(" ")]
            found += ["".join(x) for x in itertools.product(*parts)]
        return found

    def members(part: str) -> list[str]:
        inside = re.sub(r"(.)-(.)", lambda m: "".join(map(chr, range(ord(m[1]), ord(m[2]) + 1))), part[1:-1])
        return list(inside)

    return set(texts("root"))


@pytest.fixture
def history(mixed: GraphSchema) -> Decisions:
    """After ``b`` the next edge must be ``x``."""

    def legal(D: np.ndarray, t: int) -> np.ndarray:
        mask = mixed.decision_mask[t][None].repeat(len(D), 0).copy()
        if t == 1:
            mask[D[:, 0] == 2] = [False, True, False]
        return mask

    return Decisions(mixed, legal)


def test_all_forms_accept_the_same(history: Decisions) -> None:
    grammar = grammar_of(history)
    rows = np.array(list(itertools.product((1, 2), (0, 1, 2), (0, 1, 2), (0, 1, 2))), dtype=np.int16)
    right = set(history.write(rows[history.is_legal(rows)]))
    assert len(right) == 36
    assert grammar.gbnf.splitlines()[0] == "root ::= [0] [0-2] [0-2] [0-2] | [1] [1] [0-2] [0-2]"
    assert accepted_by_gbnf(grammar.gbnf) == right
    assert grammar.regex == "(?:[0][0-2]|[1][1])[0-2][0-2]"
    everything = {"".join(x) for x in itertools.product("012", repeat=4)}
    assert {text for text in everything if re.fullmatch(grammar.regex, text)} == right
    assert set(grammar.json_schema["properties"]["architecture"]["enum"]) == right
    assert {text for text in everything if grammar.read(text) is not None} == right


def test_the_forms_of_a_real_space_accept_the_same(rng: np.random.Generator) -> None:
    decisions = decisions_of("nasbench-macro")
    grammar = grammar_of(decisions)
    texts = accepted_by_gbnf(grammar.gbnf)
    assert len(texts) == decisions.count() == 3969
    assert texts == set(decisions.write(decisions.unrank(range(3969))))
    pattern = re.compile(grammar.regex)
    assert all(pattern.fullmatch(text) for text in texts)
    for text in list(texts)[:300]:  # with one symbol changed, pattern and grammar agree
        place = int(rng.integers(len(text)))
        other = text[:place] + "012"[int(rng.integers(3))] + text[place + 1 :]
        assert bool(pattern.fullmatch(other)) == (other in texts) == (grammar.read(other) is not None)


def test_independent_decisions_are_fields() -> None:
    schema = grammar_of(decisions_of("nasbench201")).json_schema
    assert list(schema["properties"]) == schema["required"] == ["d1", "d2", "d3", "d4", "d5", "d6"]
    assert schema["properties"]["d4"] == {"type": "string", "enum": ["0", "1", "2", "3", "4"]}
    assert schema["additionalProperties"] is False


def test_replies_are_read_and_never_guessed() -> None:
    grammar = grammar_of(decisions_of("nasbench201"))
    right = {"d1": "3", "d2": "1", "d3": "0", "d4": "0", "d5": "4", "d6": "2"}
    for reply in ("310042", " 310042\n", json.dumps(right), json.dumps(right, indent=4)):
        assert grammar.read(reply) is not None and grammar.read(reply).tolist() == [3, 1, 0, 0, 4, 2]
    wrong = [
        "", "31004", "3100422", "310052", "31004a", "{", "{}", "[]", "null", '"310042"', '{"d1": "3"}',
        json.dumps({**right, "d7": "0"}), json.dumps({**right, "d1": 3}), json.dumps({**right, "d1": "31"}),
        '{"architecture": 310042}', '{"architecture": ["3","1","0","0","4","2"]}', "__import__('os')", "[" * 100_000,
        "{" + '"a":{' * 100_000,
    ]  # fmt: skip
    assert [grammar.read(reply) for reply in wrong] == [None] * len(wrong)
    assert grammar.read('{"architecture": "310042"}') is not None  # the other form, as clear


def test_large_forms_are_refused_with_their_size() -> None:
    decisions = decisions_of("nasbench-graph")
    grammar = grammar_of(decisions)
    assert len(grammar.gbnf) < 20_000
    with pytest.raises(GrammarTooLargeError, match="there are 26,206 texts"):
        _ = grammar.json_schema
    with pytest.raises(GrammarTooLargeError, match="a regular expression of 447 states would be too large"):
        _ = grammar.regex
    small = Grammar(grammar.name, grammar.automaton, grammar.symbols, most_letters=1000)
    with pytest.raises(GrammarTooLargeError, match=r"a GBNF grammar of 447 states .* more than 1,000 letters"):
        _ = small.gbnf


def test_grammars_of_the_next_decisions_go_on_with_their_fields() -> None:
    decisions = decisions_of("nasbench201")
    grammar = grammar_of(decisions, decisions.read("313"))
    assert len(grammar) == 3 and list(grammar.json_schema["properties"]) == ["d4", "d5", "d6"]
