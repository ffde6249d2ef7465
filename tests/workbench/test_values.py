"""Values as people write them: what YAML can hide in a few bytes is refused in one line, soon."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gennas.errors import ConfigError
from gennas.workbench.values import load_yaml, parse_options

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{c}: &{c} [{', '.join([f'*{b}'] * 9)}]\n" for b, c in zip("abcdefg", "bcdefgh", strict=True)
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (BOMB, "more than 100,000 values"),
        ("a: &a {b: *a}\n", "a value that holds itself"),
        (f"a: 0x{'f' * 5000}\n", "a number of 20,000 bits"),
        (f"a: {'9' * 5000}\n", "4300 digits"),
        ("a: " + "[" * 5000, "nested deeper than 64 levels"),
        ("- " * 5000, "recursion"),
        ("# a comment\n" * 100_000, "holds more than 1 MiB"),
        ("a: !!python/object/apply:os.system ['true']\n", "could not determine a constructor"),
    ],
    ids=["repeated", "itself", "bits", "digits", "deep", "lists", "large", "code"],
)
def test_what_yaml_can_hide_is_refused(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(content)
    start = time.perf_counter()
    with pytest.raises(ConfigError, match=message) as caught:
        load_yaml(path)
    assert time.perf_counter() - start < 5 and "\n" not in str(caught.value) and len(str(caught.value)) < 600


def test_anchors_that_repeat_little_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: &a {lr: 1e-3}\nb: [*a, *a]\n")
    assert load_yaml(path) == {"a": {"lr": 0.001}, "b": [{"lr": 0.001}, {"lr": 0.001}]}


@pytest.mark.parametrize("piece", ["1", "1_", " ", "a", "[", "{a: ", "- ", "1:", '"a" ', "&a "])
def test_long_values_take_linear_time_and_are_quoted_briefly(piece: str) -> None:
    start = time.perf_counter()
    try:
        parse_options([f"k={piece * (20_000 // len(piece))}"])
    except ConfigError as error:
        assert len(str(error)) < 600
    assert time.perf_counter() - start < 4
