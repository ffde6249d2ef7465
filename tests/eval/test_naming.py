"""Names of metrics that hold operators."""

from __future__ import annotations

import pytest

from gennas.eval.naming import quoted, split_last, split_names, unquoted


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
