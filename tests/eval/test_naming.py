"""Names of metrics that hold operators."""

from __future__ import annotations

import time

import pytest

from gennas.errors import ConfigError, UnknownNameError
from gennas.eval.derived import WeightedSum, read_goal
from gennas.eval.naming import quoted, split_last, split_names, unquoted
from gennas.generators.conditions import ConditionScale, ask
from gennas.search.objectives import Constraint, Objective


@pytest.mark.parametrize(
    ("text", "known", "found"),
    [
        ("acc:max", (), ("acc", ":", "max")),
        ("acc:ema:max", (), ("acc:ema", ":", "max")),
        ("acc:ema", ("acc:ema", "acc"), ("acc:ema", "", "")),
        ("acc:max", ("acc:max",), ("acc:max", "", "")),
        ('"acc:max"', (), ("acc:max", "", "")),
        ('"acc:max" : min', (), ("acc:max", ":", "min")),
        ('"a"', ('"a"',), ('"a"', "", "")),
    ],
)
def test_names_that_exist_win_then_the_last_operator_splits(text: str, known, found) -> None:
    assert split_last(text, ":", known) == found


@pytest.mark.parametrize(("text", "names"), [("a,b", ["a", "b"]), (' "a,b" ,c', ['"a,b"', "c"]), ("", [])])
def test_lists(text: str, names: list[str]) -> None:
    assert split_names(text) == names
    assert split_names("x,y:max,z,x", {"x,y"}) == ["x,y:max", "z", "x"]


@pytest.mark.parametrize("name", ["val/acc", "latency (ms)", "acc:ema", "acc+ema", "Top-1 (%)", "plain"])
def test_quotes_come_off_again(name: str) -> None:
    assert unquoted(quoted(name)) == name


@pytest.mark.parametrize(
    "piece", [" ", "\n", "1", "+", '"', '"a"', "a+", "1*", "<=", ":", ": ", ":max ", "a,", '"a",', "."]
)
def test_long_texts_take_linear_time_and_are_quoted_briefly(piece: str) -> None:
    text = piece * (20_000 // len(piece))
    scales = [ConditionScale("acc", "max", (1.0, 2.0))]
    readers = (
        Objective.parse, Constraint.parse, read_goal, WeightedSum.parse, split_names,
        lambda given: read_goal(given, {"acc", "a b"}), lambda given: ask(given, scales),
    )  # fmt: skip
    start = time.process_time()
    for read in readers:
        for given in (text, f"a{text}", f"acc>={text}"):
            try:
                read(given)
            except (ConfigError, UnknownNameError) as error:
                assert len(str(error)) < 800
    assert time.process_time() - start < 3
